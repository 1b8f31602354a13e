/**
 * One record that is followed: what it is now, then what it became with each commit that changed it.
 * Invariant: a slow consumer gets the newest state next, never a queue of older ones.
 */
import { queryOf } from '../../database/index.ts'
import type { Doc, LiveDelta, RecordDatabase, RecordName } from '../../database/index.ts'
import { LiveFeed } from './live-feed.ts'

export class WatchedRecord extends LiveFeed<Doc | undefined> {
  /** For `Collection.watch`. */
  constructor(
    database: RecordDatabase,
    name: RecordName,
    callback: ((doc: Doc | undefined) => void) | undefined,
  ) {
    const query = queryOf(name.collection, { filter: { field: 'id', op: '=', value: name.id } })
    super({ database, query, told: newest, callback })
  }
}

function newest({ added, changed }: LiveDelta): Doc | undefined {
  return added[0] ?? changed[0]
}
