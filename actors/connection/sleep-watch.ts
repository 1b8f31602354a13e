/**
 * Notices that the computer slept: a look that was due comes late, on the wall clock or on the monotonic one, which stands still during
 * sleep on some systems. Invariant: a clock that is set forward looks the same, so nothing but a question to the peer may follow from it.
 */
import { limits, type Env } from '../../runtime/index.ts'

export class SleepWatch {
  readonly #env: Env
  #wallMs: number
  #monotonicMs: number

  constructor(env: Env) {
    this.#env = env
    this.#wallMs = env.now()
    this.#monotonicMs = env.monotonic()
  }

  /** Called every `limits.healthTickMs`. */
  slept(): boolean {
    const wallMs = this.#env.now()
    const monotonicMs = this.#env.monotonic()
    const passedMs = Math.max(wallMs - this.#wallMs, monotonicMs - this.#monotonicMs)
    this.#wallMs = wallMs
    this.#monotonicMs = monotonicMs
    return passedMs >= limits.healthTickMs + limits.sleptMs
  }
}
