/** Door of the runtime: what transports, actors and the server may use. */

// Kernel.
export { spawnUnder } from './cell/cell.ts'
export type {
  Behaviour,
  ChildSpec,
  Context,
  Disposable,
  DownReason,
  Instance,
  Ref,
  RestartKind,
  RunResult,
  TellResult,
} from './behaviour.ts'
export { groupKey } from './group.ts'
export type { BroadcastResult, GroupKey, Groups } from './group.ts'
export type { QuarantinedMessage, Quarantine } from './cell/quarantine.ts'
export { registryKey } from './registry.ts'
export type { Registry, RegistryKey } from './registry.ts'
export { Breath } from './breath.ts'
export { createChance, fingerprint } from './chance.ts'
export type { DeadLetter, DeadLetterReason, DeadLetters } from './cell/dead-letter.ts'
export { createNodeEnv, silentLog } from './env.ts'
export type { Env, Log, Timer } from './env.ts'
export { assert, AssertionFailure, BlazeError, ERRORS } from './errors.ts'
export type { BlazeErrorOptions, ErrorCode, ErrorEntry } from './errors.ts'
export { limits } from './limits.ts'
export { machine } from './machine.ts'
export type { MachineContext, MachineEvent, MachineSpec } from './machine.ts'
export { reducer } from './reducer.ts'
export type { ReducerSpec } from './reducer.ts'
export { createSimulation } from './simulation.ts'
export type { Simulation, SimulationLimits } from './simulation.ts'
export { supervisor } from './supervision/supervisor.ts'
export type {
  DynamicSupervisorSpec,
  StaticSupervisorSpec,
  SupervisorMessage,
  SupervisorSpec,
} from './supervision/supervisor.ts'
export { createStatelyExporter } from './stately/exporter.ts'
export type {
  StatelyActorEvent,
  StatelyEvent,
  StatelyEventEvent,
  StatelySnapshot,
  StatelySnapshotEvent,
} from './stately/event.ts'
export type { StateValue } from './stately/state-value.ts'
export { createSystem } from './system.ts'
export type { System } from './system.ts'
export { describeError } from './tap.ts'
export type {
  CellInfo,
  MachineDefinition,
  Tap,
  TapEvent,
  TapEventType,
  TapListener,
  TapOptions,
} from './tap.ts'

// Crypto.
export { AEAD_KEY_BYTES, AEAD_NONCE_BYTES, AEAD_TAG_BYTES, P256_PUBLIC_KEY_BYTES } from './crypto/index.ts'
export { nodeCrypto, redacted } from './crypto/index.ts'
export type { Aead, CryptoProvider, Hmac, P256Key, ScryptCost, Signer, Verifier } from './crypto/index.ts'

// Bytes.
export {
  ByteReader,
  ByteWriter,
  bytesKey,
  compareBytes,
  concatBytes,
  equalBytes,
  fromHex,
  readU32,
  readU48,
  toHex,
  U48_MAX,
  writeU32,
  writeU48,
} from './codec/bytes.ts'
export { Slab, slabBytes } from './codec/slab.ts'

// Errors on the wire.
export { errorNumber, errorOfNumber } from './wire-error.ts'

// Values and CBOR.
export { decodeCbor, encodeCbor } from './codec/cbor.ts'
export type { CborItem, CborOptions } from './codec/cbor.ts'
export { Uuid } from './codec/uuid.ts'
export { cloneValue, copyValue, equalValue, isPlainObject, isWellFormed, setOwn } from './codec/value.ts'
export type { Value } from './codec/value.ts'
