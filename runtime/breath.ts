/** Lets other work have the thread when a slice of time is used up. Invariant: without a pause no turn of the event loop is given away. */
import type { Env } from './env.ts'
import { limits } from './limits.ts'

export class Breath {
  readonly #env: Env
  #since: number

  constructor(env: Env) {
    this.#env = env
    this.#since = env.monotonic()
  }

  /** Undefined while the slice lasts: `const pause = breath.pause(); if (pause !== undefined) await pause`. */
  pause(): Promise<void> | undefined {
    if (this.#env.monotonic() - this.#since < limits.sliceMs) return undefined
    return new Promise((resolve) => {
      this.#env.defer(() => {
        this.#since = this.#env.monotonic()
        resolve()
      })
    })
  }
}
