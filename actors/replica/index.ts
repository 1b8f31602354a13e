/** Door of the replica: one copy of a space, without keys. Lists every name that other actors may use. */

// The replica.
export { openReplica } from './open-replica.ts'
export type {
  Arrival,
  ArrivalPage,
  Authority,
  AuthorityDevice,
  Cursor,
  CopyOf,
  Misfit,
  OfferedPart,
  OwnDraft,
  OwnHeadComparison,
  PresentTag,
  Replica,
  ReplicaOptions,
  Round,
  RoundPart,
  ScannedTag,
  TagChange,
  VerifyOptions,
  VerifyProgress,
  VerifyReport,
  WriteOptions,
} from './replica.ts'

// The way back of a misfit.
export { checkFormat, prepareRebase } from './rebase/prepare-rebase.ts'
export { readConfirmed, readRebase } from './rebase/rebase.ts'
export type { LeftReplica, Rebase, RebaseOrder, RebaseReason } from './rebase/rebase.ts'
export type { RowRange } from './rebase/row-walk.ts'
export type { Salvaged } from './rebase/salvage.ts'

// Its parts.
export { dotOf, Envelope, isTombstone } from './envelope.ts'
export type { ContextEntry, EnvelopeHeader } from './envelope.ts'
export { contextOf } from './live-set.ts'
export { encodeItems, itemBytes, parseItems } from './round/part.ts'
export type { PartItem } from './round/part.ts'
export { forgetScrubTree, scrubLeafTags, scrubTree } from './scrub-pass.ts'
export {
  encodeScrubNodes,
  encodeScrubPrefixes,
  encodeScrubTags,
  parseScrubNodes,
  parseScrubPrefixes,
  parseScrubTags,
} from './scrub-message.ts'
export { differingTags, SCRUB_DEPTH, ScrubDescent } from './scrub-tree.ts'
export type { ScrubNode, ScrubPrefix, ScrubTag } from './scrub-tree.ts'
export { SetHash } from './set-hash.ts'
export { covers, encodeVectorEntry, parseVectorEntry, VECTOR_ENTRY_BYTES, vectorDigest } from './vector.ts'
export type { Vector, VectorEntry } from './vector.ts'

// Moving.
export { BackupRows, beginRestoredStore, openBackupRows } from './backup-rows.ts'
export type { BackupRowsOptions } from './backup-rows.ts'
export { openTagSnapshot } from './tag-snapshot.ts'
export type { FilePort, FileSink, FileSource } from './file-port.ts'

// Disk.
export type {
  BatchOptions,
  OrderedStore,
  RangeOptions,
  StoreOperation,
  StoreReader,
  StoreRow,
  StoreSnapshot,
} from './store.ts'
export { createDirectoryVolume } from './disk/directory-volume.ts'
export { directFiles } from './disk/file-stream.ts'
export { createSimulatedFiles } from './disk/simulated-files.ts'
export type { SimulatedFiles } from './disk/simulated-files.ts'
export { createSimulatedVolume } from './disk/simulated-volume.ts'
export type { DamagedRow, SimulatedVolume, SimulatedVolumeOptions } from './disk/simulated-volume.ts'
export type { Volume } from './volume.ts'
