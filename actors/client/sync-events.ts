/** Who wants to hear of a sync. Invariant: a listener that throws is logged, and harms neither the sync nor other listeners. */
import { describeError, type Env } from '../../runtime/index.ts'
import type { Lost, Progress, RelayReport } from '../relay/index.ts'
import type { SyncState, SyncStatus } from './sync-status.ts'

export type SyncEvent =
  /** Another state began. */
  | { readonly type: 'state'; readonly before: SyncState; readonly status: SyncStatus }
  /** A part of what the supervisor had at the beginning was applied. Everything that is there can be used already. */
  | ({ readonly type: 'progress' } & Progress)
  /** The supervisor came back without writes that it had confirmed: deleted, or restored. It is sent them again. */
  | ({ readonly type: 'supervisorLost' } & Lost)

export class SyncListeners {
  readonly #env: Env
  readonly #listeners = new Set<(event: SyncEvent) => void>()
  #lost: Lost | undefined

  constructor(env: Env) {
    this.#env = env
  }

  /** Returns what takes the listener away again. `TypeError`. */
  add(listener: (event: SyncEvent) => void): () => void {
    if (typeof listener !== 'function') throw new TypeError('listener: expected a function')
    // The same function may listen twice.
    const own = (event: SyncEvent): void => listener(event)
    this.#listeners.add(own)
    return () => void this.#listeners.delete(own)
  }

  /** As the supervisor was last found to lack confirmed writes. */
  get lost(): Lost | undefined {
    return this.#lost
  }

  /** Tells what is new beside the state. */
  reported({ progress, lost }: RelayReport, before: RelayReport | undefined): void {
    if (progress !== undefined && progress.applied !== before?.progress?.applied)
      this.tell({ type: 'progress', ...progress })
    if (lost === undefined || lost === before?.lost) return
    this.#lost = lost
    this.#env.log.warn('sync.supervisor.lost', { ...lost })
    this.tell({ type: 'supervisorLost', ...lost })
  }

  tell(event: SyncEvent): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(event)
      } catch (error) {
        this.#env.log.error('sync.listener', { event: event.type, error: describeError(error) })
      }
    }
  }
}
