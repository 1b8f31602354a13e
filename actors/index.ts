/** Door of the actors, and of the package: the client API, and what the supervisor is built from. */

// For the supervisor.
export { acceptedConnection, DATABASE_REGISTER, INVITE_REGISTER, TEAM_INTRODUCE } from './connection/index.ts'
export { parseDatabaseRegistration, parseIntroduction, parseInviteRegistration } from './connection/index.ts'
export type { AcceptedMessage, Admission, ConnectionAccess, ConnectionClient } from './connection/index.ts'
export { createDirectoryVolume } from './replica/index.ts'
export type { OrderedStore, StoreOperation, Volume } from './replica/index.ts'
export {
  enrolmentPsk,
  formatCode,
  formatDeviceId,
  mayAdminister,
  openSpace,
  roleNumber,
} from './team/index.ts'
export type { Space } from './team/index.ts'

// For applications.
export {
  add,
  BlazeDBClient,
  Collection,
  connectIn,
  counter,
  GroupedQuery,
  increment,
  joinIn,
  LiveResults,
  max,
  min,
  openIn,
  QueryBuilder,
  RemoteNode,
  remove,
  set,
  restoreIn,
  supervisorDirectory,
  supervisorSocket,
  SyncPolicy,
  Transaction,
  WatchedRecord,
} from './client/index.ts'
export type {
  AggregateInput,
  AppGroupPlace,
  BackupOptions,
  ChangePasswordOptions,
  CollectionOptions,
  ConflictsOptions,
  ConnectToSharedOptions,
  CrossAppShare,
  EnableCrossAppOptions,
  EnableSyncOptions,
  ExportOptions,
  ImportOptions,
  IndexOptions,
  InviteOptions,
  JoinOptions,
  OpenOptions,
  Page,
  RemoteTransport,
  RestoreOptions,
  SharedMode,
  SharedSource,
  StandardSchemaV1,
  SyncEvent,
  SyncStatus,
  TransactionWork,
  VerifyOptions,
  World,
} from './client/index.ts'
export { PartialBytes } from './database/index.ts'
export type { AggregateRow, Conflict, ConflictSide, Doc, Explanation, Filter } from './database/index.ts'
export type { BackupReport, DatabaseVerifyReport, ExportReport, ImportReport } from './database/index.ts'
export type { IndexDefinition, LiveDelta } from './database/index.ts'
export { BlazeTopology, ExportPolicy } from './topology/index.ts'
export type { ExportPolicyOptions, Grants, GuestReport, GuestStatus, ShareStatus } from './topology/index.ts'
export { BlazeError, Uuid } from '../runtime/index.ts'
