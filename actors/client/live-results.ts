/** The deltas of a live query. Invariant: applied in order, they give what the query returns. */
import type { LiveDelta, Query, RecordDatabase } from '../database/index.ts'
import { LiveFeed } from './live-feed.ts'

export class LiveResults extends LiveFeed<LiveDelta> {
  /** For `QueryBuilder.live`. */
  constructor(database: RecordDatabase, query: Query, callback: ((delta: LiveDelta) => void) | undefined) {
    super({ database, query, told: (delta) => delta, callback })
  }
}
