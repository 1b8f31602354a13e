/** Door of the database: the keyed view over a replica. Lists every name that other actors may use. */

// The database.
export { openDatabase, Database } from './database.ts'
export type { DatabaseOptions, DatabaseState, Durability, DatabaseWorld } from './core.ts'
export type { KdfProfile, Secret } from './header.ts'
export { announcementOf, deviceOf, foundSpace } from './identity.ts'
export { leaveReplica } from './rebase.ts'
export type { LeaveOptions } from './rebase.ts'
export type { DatabaseIdentity, Genesis, IdentityPatch, MirrorMark } from './identity.ts'
export type { EpochKey, Keyring } from './keyring.ts'
export type { DatabaseRequest, DatabaseStatus, OpenLiveQuery, Reply } from './message.ts'
export type { RecordDatabase, RecordRequest } from './record-database.ts'
export { handleRequest } from './reply.ts'
export type { OpenTransaction } from './transaction/open-transaction.ts'

// Moving data in and out.
export { writeBackup } from './moving/backup.ts'
export type { BackupProgress, BackupReport } from './moving/backup.ts'
export { restoreBackup } from './moving/restore.ts'
export type { RestoreProgress } from './moving/restore.ts'

// Values that lost to concurrent writes.
export type { Conflict, ConflictSide } from './inbox/conflict-inbox.ts'

// Records.
export { checkId, docOf, parseDoc } from './record/document.ts'
export type { Doc, DocFields, DocInput, ParsedDoc } from './record/document.ts'
export { fieldNameProblem, idProblem, openCollectionProblem } from './record/name.ts'
export type { FieldValues, RecordName } from './record/record-change.ts'
export type { FieldState, RecordState, Stamp } from './record/record.ts'
export { newerSchema } from './record/schema-step.ts'
export { FIRST_SCHEMA_VERSION, SCHEMA_VERSION_MAX, schemaVersionOf } from './record/schema-version.ts'
export type { WriteStep } from './record/write-step.ts'
export type { ImportedRecord, RecordInput } from './record-writer.ts'

// What is shown, and queries over it.
export { BY_ID, orderOf, queryOf } from './query.ts'
export type { Order, Place, Query } from './query.ts'
export type { Aggregate, AggregateOp, AggregateRow } from './query/aggregate.ts'
export { conditionProblem } from './query/condition.ts'
export type { Condition, Operator, Predicate } from './query/condition.ts'
export { cursorProblem, decodeCursor } from './query/cursor.ts'
export type { Cursor } from './query/cursor.ts'
export type { Explanation } from './query/explanation.ts'
export { CollectionIndex } from './view/collection-index.ts'
export { walkCollection } from './view/collection-walk.ts'
export type { HeldCounts, RecordChange } from './view/keyed-view.ts'
export type { LiveDelta, LivePosition, LiveSink, ShownChange } from './view/live-query.ts'
export { compareStamps } from './record/record.ts'
export { RecordCache } from './view/record-cache.ts'
export { RecordQueries } from './view/record-queries.ts'
export type { QueryPage, RecordQueriesOptions } from './view/record-queries.ts'
export type { AccessPath, IndexDefinition, RecordView, RecordWalk } from './view/record-view.ts'

// For mirrors and guests.
export { compileFilter, countConditions, parseFilter } from './filter.ts'
export type { Filter } from './filter.ts'
export type { GuestPolicy, GuestWritten } from './guest-policy.ts'
export { decodeRecord, encodeRecord } from './record/record-body.ts'
export type { MirrorEntry, MirrorPage } from './view/mirror-page.ts'
