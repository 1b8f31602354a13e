/**
 * Calls that wait until something holds which an actor reports.
 * Invariant: each is asked after every report, and ends by what it waits for, its deadline, its signal or what `holds` throws.
 */
import { BlazeError, type Env } from '../../runtime/index.ts'
import { bounded, type WaitOptions } from './deadline.ts'

export class ReportWait {
  readonly #env: Env
  readonly #why: () => string
  readonly #checks = new Set<() => void>()

  /** `why` is what a `TIMEOUT` says. */
  constructor(env: Env, why: () => string) {
    this.#env = env
    this.#why = why
  }

  /** Something was reported. */
  wake(): void {
    for (const check of [...this.#checks]) check()
  }

  /** Resolves when `holds` answers true; `what` names the call in messages. */
  async until(what: string, options: WaitOptions, holds: () => boolean): Promise<void> {
    let check = (): void => {}
    const held = new Promise<void>((resolve, reject) => {
      check = () => {
        try {
          if (holds()) resolve()
        } catch (error) {
          reject(error)
        }
      }
    })
    this.#checks.add(check)
    check()
    try {
      await this.#bounded(what, options, held)
    } finally {
      this.#checks.delete(check)
    }
  }

  /** Resolves after a while, unless the call ends before. */
  pause(what: string, options: WaitOptions, ms: number): Promise<void> {
    return this.#bounded(what, options, new Promise((resolve) => void this.#env.after(ms, resolve)))
  }

  async #bounded(what: string, options: WaitOptions, work: Promise<void>): Promise<void> {
    try {
      await bounded(this.#env, what, options, work)
    } catch (error) {
      if (!(error instanceof BlazeError && error.code === 'TIMEOUT')) throw error
      throw new BlazeError('TIMEOUT', `${what}: not in time: ${this.#why()}`, { cause: error })
    }
  }
}
