/** How long a query holds the thread. Invariant: after `sliceMs`, or so many records, everything else gets its turn. */
import { limits } from '../../../runtime/index.ts'
import type { Env } from '../../../runtime/index.ts'

export class Pace {
  readonly #env: Env
  readonly #check: () => void
  #since: number
  #records = 0

  /** `check` throws once the query must not go on. */
  constructor(env: Env, check: () => void) {
    this.#env = env
    this.#check = check
    this.#since = env.monotonic()
  }

  /** Counts work; true when it is time to breathe. */
  spent(records: number): boolean {
    this.#records += records
    return this.#records >= limits.scanSliceRecords || this.#env.monotonic() - this.#since >= limits.sliceMs
  }

  async breathe(): Promise<void> {
    await new Promise<void>((resolve) => this.#env.defer(resolve))
    this.resume()
  }

  /** After any wait. */
  resume(): void {
    this.#check()
    this.#records = 0
    this.#since = this.#env.monotonic()
  }
}
