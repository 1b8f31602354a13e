/**
 * One record that is followed: what it is now, then what it became with each commit that changed it.
 * Invariant: a slow consumer gets the newest state next, never a queue of older ones.
 */
import { queryOf } from '../../database/index.ts'
import type { Doc, LiveDelta, RecordName } from '../../database/index.ts'
import { LiveFeed } from './live-feed.ts'
import type { QuerySource } from './query-source.ts'

export class WatchedRecord<D = Doc> extends LiveFeed<D | undefined> {
  /** For `Collection.watch`. */
  constructor(
    { database, read }: QuerySource<D>,
    name: RecordName,
    callback: ((doc: D | undefined) => void) | undefined,
  ) {
    const query = queryOf(name.collection, { filter: { field: 'id', op: '=', value: name.id } })
    const told = (delta: LiveDelta): D | undefined => {
      const doc = newest(delta)
      return doc === undefined ? undefined : read(doc)
    }
    super({ database, query, told, callback })
  }
}

function newest({ added, changed }: LiveDelta): Doc | undefined {
  return added[0] ?? changed[0]
}
