/** Calls that wait for a sync to get somewhere. Invariant: each ends, by what it waits for, its deadline, its signal, or what ends the sync. */
import { BlazeError, limits, type Env } from '../../runtime/index.ts'
import type { StepOptions } from './deadline.ts'

export interface SyncEnd {
  /** Why nobody needs to wait any longer; undefined while somebody may. */
  ended(what: string): BlazeError | undefined
  late(what: string, callMs: number): BlazeError
}

export class SyncWaits {
  readonly #env: Env
  readonly #end: SyncEnd
  readonly #checks = new Set<() => void>()

  constructor(env: Env, end: SyncEnd) {
    this.#env = env
    this.#end = end
  }

  /** Something moved: all that wait are asked. */
  wake(): void {
    for (const check of [...this.#checks]) check()
  }

  /** Resolves when `until` holds. Rejects with `TIMEOUT`, `ABORTED`, why the sync ended, or what `until` throws. */
  wait(what: string, options: StepOptions, until: () => boolean): Promise<void> {
    const { timeoutMs = limits.waitMs, callMs = timeoutMs, signal } = options
    return new Promise((resolve, reject) => {
      const finish = (error?: unknown): void => {
        this.#checks.delete(check)
        timer.cancel()
        signal?.removeEventListener('abort', abort)
        if (error === undefined) resolve()
        else reject(error)
      }
      const check = (): void => {
        try {
          if (until()) return finish()
          const ended = this.#end.ended(what)
          if (ended !== undefined) finish(ended)
        } catch (error) {
          finish(error)
        }
      }
      const abort = (): void => finish(new BlazeError('ABORTED', `${what}: the caller aborted`))
      const timer = this.#env.after(timeoutMs, () => finish(this.#end.late(what, callMs)))
      if (signal?.aborted === true) return abort()
      signal?.addEventListener('abort', abort)
      this.#checks.add(check)
      check()
    })
  }
}
