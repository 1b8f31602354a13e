/** Where a query is asked. No code, only a shape. */
import type { Doc, RecordDatabase } from '../../database/index.ts'

export interface QuerySource<D> {
  readonly database: RecordDatabase
  /** Makes what the application gets of a whole record. */
  readonly read: (doc: Doc) => D
}
