/**
 * Failed lookups of codes, counted per address, so that guessing stays slow and cheap for us.
 *
 * Invariant: bounded memory; when it is full the oldest address is forgotten, never a new one let through uncounted.
 */
import type { Env } from '../../runtime/index.ts'
import { limits } from '../../runtime/index.ts'

interface Attempts {
  readonly sinceMs: number
  failed: number
}

export class AttemptTable {
  readonly #env: Env
  readonly #byAddress = new Map<string, Attempts>()

  constructor(env: Env) {
    this.#env = env
  }

  /** True when the address has used up its failures of this period. */
  exhausted(address: string): boolean {
    return (this.#current(address)?.failed ?? 0) >= limits.attemptsMax
  }

  failed(address: string): void {
    const known = this.#current(address)
    if (known !== undefined) {
      known.failed++
      return
    }
    if (this.#byAddress.size >= limits.attemptAddressesMax) {
      const oldest = this.#byAddress.keys().next()
      if (!oldest.done) this.#byAddress.delete(oldest.value)
    }
    this.#byAddress.set(address, { sinceMs: this.#env.monotonic(), failed: 1 })
  }

  #current(address: string): Attempts | undefined {
    const known = this.#byAddress.get(address)
    if (known === undefined || this.#env.monotonic() - known.sinceMs < limits.attemptPeriodMs) return known
    this.#byAddress.delete(address)
    return undefined
  }
}
