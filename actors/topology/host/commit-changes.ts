/**
 * One commit as the messages that all guests who are up to date get alike.
 * Invariant: encoded at most once, when the first guest wants it, and forgotten with the commit.
 */
import type { RecordChange } from '../../database/index.ts'
import { encodeChanges } from '../mirror/index.ts'
import { encodeChanged } from './changed-item.ts'
import type { Showing } from './changed-item.ts'
import { ItemBatch } from './item-batch.ts'

export interface CommitOptions {
  readonly showing: Showing
  readonly changes: readonly RecordChange[]
  /** Arrival that the commit follows, and the one it reaches; the same when it shows what was held. */
  readonly after: number
  readonly upTo: number
  /** What a guest that got all of it may store. */
  readonly cursor: number
}

export class CommitChanges {
  readonly upTo: number
  readonly cursor: number
  /** It has no arrivals of its own: records of before are shown, or not shown any more. */
  readonly reconsidered: boolean
  readonly #o: CommitOptions
  #messages: readonly Uint8Array[] | undefined

  constructor(options: CommitOptions) {
    this.#o = options
    this.upTo = options.upTo
    this.cursor = options.cursor
    this.reconsidered = options.after === options.upTo
  }

  /** None when the policy shows nothing of it. Only with the last one the guest has reached `upTo`. */
  messages(): readonly Uint8Array[] {
    this.#messages ??= this.#encode()
    return this.#messages
  }

  #encode(): readonly Uint8Array[] {
    const { showing, changes, after, upTo, cursor } = this.#o
    const messages: Uint8Array[] = []
    const batch = new ItemBatch()
    for (const change of changes) {
      const item = encodeChanged(showing, change)
      if (item === undefined) continue
      if (!batch.fits(item)) {
        const head = { caughtUp: false, upTo: after, cursor: Math.min(after, cursor) }
        messages.push(encodeChanges(head, batch.take()))
      }
      batch.add(item)
    }
    if (!batch.empty) messages.push(encodeChanges({ caughtUp: true, upTo, cursor }, batch.take()))
    return messages
  }
}
