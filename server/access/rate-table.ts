/**
 * How much each device has sent of late, against the bytes a second that the operator allows.
 * Invariant: over any minute a device is given at most two minutes' worth and one part; who sends less is never refused.
 */
import { BlazeError, limits } from '../../runtime/index.ts'
import type { Env } from '../../runtime/index.ts'

interface Account {
  /** Below zero: what was taken beyond the allowance. */
  bytes: number
  atMs: number
}

export class RateTable {
  readonly #env: Env
  readonly #bytesPerSecond: number
  readonly #accounts = new Map<string, Account>()

  constructor(env: Env, bytesPerSecond: number) {
    this.#env = env
    this.#bytesPerSecond = bytesPerSecond
  }

  get size(): number {
    return this.#accounts.size
  }

  /** Charges what has come. `QUOTA`, with nothing charged, while the device owes: what is longer than all of its allowance passes once. */
  take(device: string, bytes: number): void {
    if (bytes === 0) return
    const account = this.#account(device)
    if (account.bytes <= 0)
      throw new BlazeError(
        'QUOTA',
        `${this.#bytesPerSecond} bytes a second are taken from a device here, and more came: what waits goes on by itself`,
        { details: { bytesPerSecond: this.#bytesPerSecond } },
      )
    account.bytes -= bytes
  }

  #account(device: string): Account {
    const nowMs = this.#env.monotonic()
    const full = (this.#bytesPerSecond * limits.rateAllowanceMs) / 1_000
    const known = this.#accounts.get(device)
    const passedMs = known === undefined ? 0 : nowMs - known.atMs
    const earned = (passedMs * this.#bytesPerSecond) / 1_000
    const account = { bytes: Math.min(full, (known?.bytes ?? full) + earned), atMs: nowMs }
    this.#accounts.delete(device)
    this.#forget()
    this.#accounts.set(device, account)
    return account
  }

  /** The one that has sent nothing for longest makes room. */
  #forget(): void {
    if (this.#accounts.size < limits.rateDevicesMax) return
    const [oldest] = this.#accounts.keys()
    if (oldest !== undefined) this.#accounts.delete(oldest)
  }
}
