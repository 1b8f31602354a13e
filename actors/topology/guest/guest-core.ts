/** What the handle and the cell of a guest share; it outlives the lives of the cell. Invariant: only the cell changes it. */
import { toHex } from '../../../runtime/index.ts'
import type { BlazeError } from '../../../runtime/index.ts'
import type { DatabaseStatus, Reply } from '../../database/index.ts'
import type { GuestOptions, GuestReport } from './guest-message.ts'
import type { GuestSession } from './guest-session.ts'

const NOTHING_HELD = { clock: 0, key: 0, life: 0, bad: 0 }

export class GuestCore {
  readonly options: GuestOptions
  readonly listeners: Set<() => void> = new Set()
  /** Settled by the first opening of the copy. */
  first: Reply<void> | undefined
  /** The open copy. */
  session: GuestSession | undefined
  /** Where the copy was last. */
  at = ''
  state: GuestReport['state'] = 'connecting'
  error: BlazeError | undefined
  attempts = 0
  passes = 0
  /** A host has taken an attach. */
  served = false
  /** As the host said last. */
  readOnly = false
  collections: readonly string[] = []

  constructor(options: GuestOptions) {
    this.options = options
  }

  get complete(): boolean {
    return this.session?.view.head.complete ?? false
  }

  report(): GuestReport {
    const { state, error, attempts, passes, collections } = this
    const view = this.session?.view
    const { cursor, space } = view?.head ?? { cursor: undefined, space: undefined }
    return {
      state,
      error,
      attempts,
      policyVersion: cursor === undefined ? undefined : toHex(cursor.policy),
      space: space === undefined ? undefined : toHex(space),
      readOnly: this.options.mode === 'readOnly' || this.readOnly,
      position: view?.position ?? 0,
      collections,
      passes,
    }
  }

  status(): DatabaseStatus {
    const { state, error, collections, position, space } = this.report()
    const view = this.session?.view
    return {
      name: this.options.database,
      at: this.at,
      state,
      error: error?.message,
      spaceId: space ?? '',
      replicaId: '',
      records: view?.index.records ?? 0,
      deletedRecords: 0,
      held: NOTHING_HELD,
      cacheBytes: view?.cacheBytes ?? 0,
      lastArrival: position,
      conflicts: 0,
      indexCursor: position,
      mirrors: collections,
    }
  }

  moved(): void {
    for (const listener of this.listeners) listener()
  }
}
