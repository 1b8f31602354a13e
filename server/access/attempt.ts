/**
 * Failed lookups and proofs of codes, counted per address, so that guessing stays slow and cheap for us.
 *
 * Invariant: once the free failures of an address are used up, each further one doubles its wait; memory is bounded, and when it is
 * full the oldest address is forgotten, never a new one let through uncounted.
 */
import type { Env } from '../../runtime/index.ts'
import { limits } from '../../runtime/index.ts'

interface Attempts {
  sinceMs: number
  failed: number
  /** The latest wait; 0 while failures are free. */
  waitMs: number
  waitUntilMs: number
}

export class AttemptTable {
  readonly #env: Env
  readonly #byAddress = new Map<string, Attempts>()

  constructor(env: Env) {
    this.#env = env
  }

  /** True while the address has to wait. */
  exhausted(address: string): boolean {
    return this.waitMs(address) > 0
  }

  /** Milliseconds until the address may try again. */
  waitMs(address: string): number {
    const known = this.#current(address)
    return known === undefined ? 0 : Math.max(0, known.waitUntilMs - this.#env.monotonic())
  }

  failed(address: string): void {
    const nowMs = this.#env.monotonic()
    const attempts = this.#current(address) ?? this.#add(address, nowMs)
    attempts.failed++
    if (attempts.failed < limits.attemptsMax) return
    attempts.waitMs =
      attempts.waitMs === 0 ? limits.attemptPeriodMs : Math.min(attempts.waitMs * 2, limits.attemptWaitMaxMs)
    attempts.waitUntilMs = nowMs + attempts.waitMs
  }

  #add(address: string, nowMs: number): Attempts {
    if (this.#byAddress.size >= limits.attemptAddressesMax) {
      const oldest = this.#byAddress.keys().next()
      if (!oldest.done) this.#byAddress.delete(oldest.value)
    }
    const attempts = { sinceMs: nowMs, failed: 0, waitMs: 0, waitUntilMs: 0 }
    this.#byAddress.set(address, attempts)
    return attempts
  }

  #current(address: string): Attempts | undefined {
    const known = this.#byAddress.get(address)
    if (known === undefined) return undefined
    const forgottenMs =
      known.waitMs === 0
        ? known.sinceMs + limits.attemptPeriodMs
        : known.waitUntilMs + limits.attemptForgottenMs
    if (this.#env.monotonic() < forgottenMs) return known
    this.#byAddress.delete(address)
    return undefined
  }
}
