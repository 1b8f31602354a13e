/** Watches that what waits for a peer becomes less. Invariant: it ends a link only after a whole interval without any progress. */
import { limits } from '../runtime/index.ts'
import type { Env, Timer } from '../runtime/index.ts'

export class StallWatch {
  readonly #env: Env
  /** Bytes that wait, or a number that falls when some have left. */
  readonly #waiting: () => number
  readonly #stalled: () => void
  #timer: Timer | undefined

  constructor(env: Env, waiting: () => number, stalled: () => void) {
    this.#env = env
    this.#waiting = waiting
    this.#stalled = stalled
  }

  /** From the moment that something waits. */
  begin(): void {
    this.#timer?.cancel()
    const before = this.#waiting()
    this.#timer = this.#env.after(limits.writeStallMs, () => {
      if (this.#waiting() < before) this.begin()
      else this.#stalled()
    })
  }

  end(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }
}
