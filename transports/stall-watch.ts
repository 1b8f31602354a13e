/**
 * Watches that what waits for a peer leaves.
 * Invariant: it ends a link after a whole interval in which something waited and nothing left, and never before. One timer at most, re-armed
 * only when it fires, so that a link that works pays two looks at the clock a write.
 */
import { limits } from '../runtime/index.ts'
import type { Env, Timer } from '../runtime/index.ts'

export class StallWatch {
  readonly #env: Env
  /** Bytes that wait. */
  readonly #waiting: () => number
  readonly #stalled: () => void
  #timer: Timer | undefined
  /** Monotonic: when something left, or began to wait where nothing did. */
  #movedMs = 0

  constructor(env: Env, waiting: () => number, stalled: () => void) {
    this.#env = env
    this.#waiting = waiting
    this.#stalled = stalled
  }

  /** Something left, or is the first to wait. */
  moved(): void {
    this.#movedMs = this.#env.monotonic()
    if (this.#timer === undefined && this.#waiting() > 0) this.#arm(limits.writeStallMs)
  }

  end(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #arm(delayMs: number): void {
    this.#timer = this.#env.after(delayMs, () => {
      this.#timer = undefined
      if (this.#waiting() === 0) return
      const leftMs = this.#movedMs + limits.writeStallMs - this.#env.monotonic()
      // Whole ms: a remainder too small to move the clock would fire for ever.
      if (leftMs > 0) this.#arm(Math.max(1, Math.ceil(leftMs)))
      else this.#stalled()
    })
  }
}
