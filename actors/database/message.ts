/** What a database cell is told. Each message carries its reply, which is called exactly once. */
import type { BlobOwner } from './chunk/large-store.ts'
import type { GuestPolicy, GuestWritten } from './guest-policy.ts'
import type { IndexAudit } from './index/index-audit.ts'
import type { LiveQuery, LiveSink } from './view/live-query.ts'
import type { Conflict } from './inbox/conflict-inbox.ts'
import type { Doc } from './record/document.ts'
import type { Large } from './record/merge.ts'
import type { Query } from './query.ts'
import type { TransactionRequest } from './transaction/transaction-message.ts'
import type { Aggregate, AggregateRow } from './query/aggregate.ts'
import type { Explanation } from './query/explanation.ts'
import type { FieldValues, RecordName } from './record/record-change.ts'
import type { ImportedRecord, RecordInput } from './record-writer.ts'
import type { WriteStep } from './record/write-step.ts'
import type { HeldCounts } from './view/keyed-view.ts'
import type { QueryPage } from './view/record-queries.ts'
import type { IndexDefinition } from './view/record-view.ts'
import type { MirrorPage } from './view/mirror-page.ts'

export interface Reply<R> {
  readonly resolve: (value: R) => void
  readonly reject: (error: unknown) => void
}

/** Sees a record as a write would leave it, returns the fields that shall be otherwise, and refuses the write by throwing. */
export type Judge = (doc: Doc) => Promise<FieldValues>

export type DatabaseRequest =
  | {
      readonly type: 'record.write'
      readonly step: WriteStep
      readonly collection: string
      /** At most `limits.bulkChunkRecords`; staged all or none. */
      readonly inputs: readonly RecordInput[]
      /** Version of the schema that they have; a record of a higher one is not written (`NOT_SUPPORTED`). */
      readonly schema?: number
      /** In transactions only. */
      readonly judge?: Judge
      readonly reply: Reply<void>
    }
  | {
      readonly type: 'record.delete'
      readonly collection: string
      readonly id: string
      readonly reply: Reply<boolean>
    }
  | {
      readonly type: 'record.get'
      readonly collection: string
      readonly id: string
      readonly reply: Reply<Doc | undefined>
    }
  /** The bytes of a large value, or undefined while they are not all here. */
  | {
      readonly type: 'large.read'
      readonly large: Large
      readonly reply: Reply<Uint8Array | undefined>
    }
  /** Whether all chunks of it are here. */
  | { readonly type: 'large.has'; readonly large: Large; readonly reply: Reply<boolean> }
  /** Stores the chunks of a value that another database holds, for a reference that comes after them. */
  | {
      readonly type: 'large.copy'
      readonly owner: BlobOwner
      readonly large: Large
      readonly bytes: Uint8Array
      readonly reply: Reply<void>
    }
  | { readonly type: 'query.all'; readonly query: Query; readonly reply: Reply<Doc[]> }
  /** The query names a limit. */
  | { readonly type: 'query.page'; readonly query: Query; readonly reply: Reply<QueryPage> }
  | { readonly type: 'query.count'; readonly query: Query; readonly reply: Reply<number> }
  /** Over all matches, whatever limit and order say; one row for each group, in the order of `by`. */
  | {
      readonly type: 'query.aggregate'
      readonly query: Query
      /** Paths; none for one group of everything. */
      readonly by: readonly string[]
      readonly aggregates: Readonly<Record<string, Aggregate>>
      readonly reply: Reply<AggregateRow[]>
    }
  /** Answers it, and tells how. */
  | { readonly type: 'query.explain'; readonly query: Query; readonly reply: Reply<Explanation> }
  | {
      readonly type: 'query.live'
      readonly query: Query
      readonly sink: LiveSink
      readonly reply: Reply<OpenLiveQuery>
    }
  /** Answers when the index is complete and on the disk; at once for one that is there. */
  | { readonly type: 'index.create'; readonly definition: IndexDefinition; readonly reply: Reply<void> }
  /** Answers whether there was one. */
  | {
      readonly type: 'index.drop'
      readonly collection: string
      readonly name: string
      readonly reply: Reply<boolean>
    }
  /** Those that are complete. */
  | { readonly type: 'index.list'; readonly collection: string; readonly reply: Reply<IndexDefinition[]> }
  /** Compares indexes and records. */
  | {
      readonly type: 'index.verify'
      readonly signal: AbortSignal | undefined
      readonly reply: Reply<IndexAudit>
    }
  | TransactionRequest
  /** Entries of the conflict inbox, oldest first, after that one. */
  | {
      readonly type: 'inbox.list'
      readonly limit: number
      readonly after: string | undefined
      readonly reply: Reply<Conflict[]>
    }
  /** Answers whether there was one. */
  | { readonly type: 'inbox.dismiss'; readonly id: string; readonly reply: Reply<boolean> }
  /** Answers when all that was written is synced. */
  | { readonly type: 'database.settle'; readonly reply: Reply<void> }
  /** Answers when all that was written is synced, and merged into the indexes on disk. */
  | { readonly type: 'database.flush'; readonly reply: Reply<void> }
  /** Joins records of another database; answers how many changed. */
  | {
      readonly type: 'mirror.import'
      readonly records: readonly ImportedRecord[]
      readonly reply: Reply<number>
    }
  /** Names of all records of the collections (default: all), deleted ones included. */
  | {
      readonly type: 'mirror.list'
      readonly collections: readonly string[] | undefined
      readonly reply: Reply<RecordName[]>
    }
  /** Synced states of records; unknown ones are left out. */
  | {
      readonly type: 'mirror.read'
      readonly names: readonly RecordName[]
      readonly reply: Reply<ImportedRecord[]>
    }
  /** Is a living record of this collection at home here? */
  | { readonly type: 'mirror.local'; readonly collection: string; readonly reply: Reply<boolean> }
  /** What changed after an arrival, as it is shown now; at most `limits.mirrorPageRecords`. */
  | {
      readonly type: 'mirror.page'
      readonly after: number
      readonly limit: number
      readonly reply: Reply<MirrorPage>
    }
  /** A write of a guest, judged when it is staged. */
  | {
      readonly type: 'guest.write'
      readonly step: WriteStep | 'delete'
      readonly collection: string
      /** At most `limits.bulkChunkRecords`, else `TOO_LARGE`; staged all or none. A delete looks at the ids only. */
      readonly inputs: readonly RecordInput[]
      readonly policy: GuestPolicy
      readonly reply: Reply<GuestWritten>
    }

export type DatabaseMessage =
  | DatabaseRequest
  /** Ends all calls, syncs, closes the store. Answered when the directory is free. */
  | { readonly type: 'database.close'; readonly reply: Reply<void> }
  /** An epoch key was added to the keyring. */
  | { readonly type: 'database.keys' }

export interface OpenLiveQuery extends Pick<LiveQuery, 'take'> {
  close(): void
}

/** Plain data about a database. */
export interface DatabaseStatus {
  readonly name: string
  readonly at: string
  /** Of the cell: opening, ready, failed, damaged, closing. */
  readonly state: string
  /** Why it is not ready. */
  readonly error: string | undefined
  readonly spaceId: string
  readonly replicaId: string
  readonly records: number
  readonly deletedRecords: number
  readonly held: HeldCounts
  readonly cacheBytes: number
  readonly lastArrival: number
  /** Entries of the conflict inbox: values that lost to concurrent writes. */
  readonly conflicts: number
  /** Arrival up to which the indexes on disk have everything; what came later is in memory, and read again after a crash. */
  readonly indexCursor: number
  readonly mirrors: readonly string[]
}
