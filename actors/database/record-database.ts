/** What collections and queries ask, whoever answers: the database itself, or the copy of it that a guest holds. */
import type { Env } from '../../runtime/index.ts'
import type { Doc } from './record/document.ts'
import type { DatabaseRequest, DatabaseStatus, Reply } from './message.ts'

/** The requests of collections and queries. */
export type RecordRequest = Extract<
  DatabaseRequest,
  {
    type:
      | 'record.write'
      | 'record.delete'
      | 'record.get'
      | 'large.read'
      | 'index.create'
      | 'index.drop'
      | 'index.list'
      | `query.${string}`
  }
>

export interface RecordDatabase {
  readonly name: string
  readonly env: Env
  /** Settles once the request's reply was called, or with `OVERLOADED`, `CLOSED` and what else the database says. */
  request<R>(make: (reply: Reply<R>) => RecordRequest): Promise<R>
  /** A record without a turn of the cell; undefined when the cell has to be asked, because calls are under way or nothing is open. */
  readNow?(collection: string, id: string): { readonly doc: Doc | undefined } | undefined
  status(): DatabaseStatus
  /** Idempotent. Calls that are not answered by then reject with `CLOSED`, and live queries end. */
  close(): Promise<void>
}
