/** What the cell of a database is asked in transactions. No code, only shapes. */
import type { RecordRequest } from '../record-database.ts'
import type { Reply } from '../message.ts'
import type { OpenTransaction } from './open-transaction.ts'

export type TransactionRequest =
  | {
      readonly type: 'transaction.open'
      /** The database ended it, and why. */
      readonly ended: (error: unknown) => void
      readonly reply: Reply<OpenTransaction>
    }
  | {
      readonly type: 'transaction.step'
      readonly transaction: OpenTransaction
      /** Live queries and indexes are `NOT_SUPPORTED`. */
      readonly call: RecordRequest
      /** That of the call. */
      readonly reply: RecordRequest['reply']
    }
  /** Answers when what it has read and, with `keep`, what it has written is synced. `CONFLICT`: begin anew. */
  | {
      readonly type: 'transaction.end'
      readonly transaction: OpenTransaction
      readonly keep: boolean
      readonly reply: Reply<void>
    }
