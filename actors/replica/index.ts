/** Door of the replica: one copy of a space, without keys. Lists every name that other actors may use. */

// The replica.
export { openReplica } from './open-replica.ts'
export type {
  Authority,
  AuthorityDevice,
  Cursor,
  OfferedPart,
  OwnDraft,
  OwnHeadComparison,
  Replica,
  ReplicaOptions,
  Round,
  RoundPart,
  TagChange,
} from './replica.ts'

// Its parts.
export {
  BOOT_ID_BYTES,
  Envelope,
  KEY_ID_BYTES,
  parseEnvelope,
  REPLICA_ID_BYTES,
  TAG_BYTES,
} from './envelope.ts'
export type { ContextEntry, EnvelopeHeader } from './envelope.ts'
export { compareDots, contextOf, kills, sameDot } from './live-set.ts'
export { encodeItems, itemBytes, parseItems } from './part.ts'
export type { PartItem } from './part.ts'
export { covers, encodeVectorEntry, parseVectorEntry, VECTOR_ENTRY_BYTES, vectorDigest } from './vector.ts'
export type { Vector, VectorEntry } from './vector.ts'

// Disk.
export type {
  OrderedStore,
  RangeOptions,
  StoreOperation,
  StoreReader,
  StoreRow,
  StoreSnapshot,
} from './store.ts'
export { createDirectoryVolume } from './directory-volume.ts'
export { createSimulatedVolume } from './simulated-volume.ts'
export type { SimulatedVolume } from './simulated-volume.ts'
export type { Volume } from './volume.ts'
