/** Door of the database: the keyed view over a replica. Lists every name that other actors may use. */

// The database.
export { openDatabase, Database } from './database.ts'
export type { DatabaseOptions, DatabaseState, DatabaseWorld } from './core.ts'
export type { KdfProfile, Secret } from './header.ts'
export { deviceOf, foundSpace } from './identity.ts'
export type { DatabaseIdentity, Genesis, IdentityPatch, MirrorMark } from './identity.ts'
export type { EpochKey, Keyring } from './keyring.ts'
export type { DatabaseRequest, DatabaseStatus, OpenLiveQuery, Reply } from './message.ts'
export type { RecordDatabase, RecordRequest } from './record-database.ts'
export { handleRequest } from './reply.ts'

// Records.
export { checkId, docOf, parseDoc } from './record/document.ts'
export type { Doc, DocFields, DocInput, ParsedDoc } from './record/document.ts'
export { fieldNameProblem, idProblem, openCollectionProblem } from './record/name.ts'
export type { FieldValues, RecordName } from './record/record-change.ts'
export type { FieldState, RecordState, Stamp } from './record/record.ts'
export type { WriteStep } from './record/write-step.ts'
export type { ImportedRecord, RecordInput } from './record-writer.ts'

// What is shown, and queries over it.
export { conditionProblem, QUERY_CONDITIONS_MAX } from './query.ts'
export type { Condition, Operator, Predicate, Query } from './query.ts'
export { CollectionIndex } from './view/collection-index.ts'
export type { HeldCounts, RecordChange } from './view/keyed-view.ts'
export type { LiveDelta, LiveSink, ShownChange } from './view/live-query.ts'
export { compareStamps } from './record/record.ts'
export { RecordCache } from './view/record-cache.ts'
export { RecordQueries } from './view/record-queries.ts'
export type { RecordQueriesOptions, RecordView } from './view/record-queries.ts'

// For mirrors and guests.
export { compileFilter, parseFilter } from './filter.ts'
export type { Filter } from './filter.ts'
export type { GuestPolicy, GuestWritten } from './guest-policy.ts'
export { decodeRecord, encodeRecord } from './record/record-body.ts'
export type { MirrorEntry, MirrorPage } from './view/mirror-page.ts'
