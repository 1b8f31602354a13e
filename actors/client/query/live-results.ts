/** The deltas of a live query. Invariant: applied in order, they give what the query returns. */
import type { Doc, LiveDelta, Query } from '../../database/index.ts'
import { LiveFeed } from './live-feed.ts'
import type { QuerySource } from './query-source.ts'

export class LiveResults<D = Doc> extends LiveFeed<LiveDelta<D>> {
  /** For `QueryBuilder.live`. */
  constructor(
    { database, read }: QuerySource<D>,
    query: Query,
    callback: ((delta: LiveDelta<D>) => void) | undefined,
  ) {
    const told = (delta: LiveDelta): LiveDelta<D> => ({
      ...delta,
      added: delta.added.map(read),
      changed: delta.changed.map(read),
    })
    super({ database, query, told, callback })
  }
}
