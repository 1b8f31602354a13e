/**
 * What was turned away: counted by code, and told in the log, one line each.
 *
 * Invariant: each is counted once; a flood costs a bounded number of lines a minute, and the next line says how many were left out.
 */
import type { Env, ErrorCode } from '../../runtime/index.ts'
import { limits } from '../../runtime/index.ts'

export interface Refusal {
  /** Without the port. */
  readonly address: string
  readonly code: ErrorCode
  readonly reason: string
  /** In hex, when the device had proven itself. */
  readonly device?: string
}

export class RefusalLog {
  readonly #env: Env
  readonly #byCode = new Map<ErrorCode, number>()
  #sinceMs = -Infinity
  #lines = 0
  #unsaid = 0

  constructor(env: Env) {
    this.#env = env
  }

  add(refusal: Refusal): void {
    this.#byCode.set(refusal.code, (this.#byCode.get(refusal.code) ?? 0) + 1)
    const nowMs = this.#env.monotonic()
    if (nowMs - this.#sinceMs >= limits.refusalPeriodMs) {
      this.#sinceMs = nowMs
      this.#lines = 0
    }
    if (this.#lines >= limits.refusalLinesMax) {
      this.#unsaid++
      return
    }
    this.#lines++
    const unsaid = this.#unsaid === 0 ? {} : { unsaid: this.#unsaid }
    this.#unsaid = 0
    this.#env.log.info('connection.refused', { ...refusal, ...unsaid })
  }

  /** How many of each code since the start. */
  counts(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#byCode)
  }
}
