/**
 * What makes a directory this database of this device: ids, secret keys, and what sync and topology remember; sealed in the header.
 * Invariant: it is written before anything that depends on it, so a directory without an identity holds nothing.
 */
import { BlazeError, decodeCbor, encodeCbor, isPlainObject } from '../../runtime/index.ts'
import type { CborItem, CryptoProvider, Env, Value } from '../../runtime/index.ts'
import { createDeviceIdentity, createTeam, encodeAnnouncement, openDeviceIdentity } from '../team/index.ts'
import type { DeviceIdentity } from '../team/index.ts'
import type { LeftReplica, RebaseOrder } from '../replica/index.ts'
import type { EpochKey } from './keyring.ts'

/** A collection that is a read-only copy of one of another database. */
export interface MirrorMark {
  readonly collection: string
  /** Space that it comes from. */
  readonly source: Uint8Array
}

/** Log entries and announcements that make the team of a new directory; they are dropped once the store has them. */
export interface Genesis {
  readonly entries: readonly Uint8Array[]
  readonly announcements: readonly Uint8Array[]
}

export interface DatabaseIdentity {
  /** Space id, 16 bytes. */
  readonly space: Uint8Array
  /** Replica id, 8 bytes, and its number among those this device announced in the space. */
  readonly replica: Uint8Array
  readonly replicaN: number
  /** Secrets of the device, see `deviceOf`. */
  readonly signSeed: Uint8Array
  readonly dhScalar: Uint8Array
  readonly tagKey: Uint8Array
  readonly epochs: readonly EpochKey[]
  readonly mirrors: readonly MirrorMark[]
  readonly genesis?: Genesis
  /** The replica id that `replica` continues, and the last seq of it that all its branches share. */
  readonly predecessor?: LeftReplica
  /** Why `replica` is another than the one before, until the store has taken that over. */
  readonly rebase?: RebaseOrder
  /** Where this database syncs; the sync layer gives it a shape. */
  readonly remote?: Value
  /** An unfinished join; the sync layer gives it a shape. */
  readonly join?: Value
}

/** What `updateIdentity` may change. A key that is given as undefined is removed. */
export interface IdentityPatch {
  readonly replica?: Uint8Array
  readonly replicaN?: number
  readonly predecessor?: LeftReplica
  readonly rebase?: RebaseOrder | undefined
  readonly epochs?: readonly EpochKey[]
  readonly mirrors?: readonly MirrorMark[]
  readonly genesis?: Genesis | undefined
  readonly remote?: Value | undefined
  readonly join?: Value | undefined
}

export function patchIdentity(identity: DatabaseIdentity, patch: IdentityPatch): DatabaseIdentity {
  const { genesis, rebase, remote, join, ...rest } = { ...identity, ...patch }
  return {
    ...rest,
    ...(genesis === undefined ? {} : { genesis }),
    ...(rebase === undefined ? {} : { rebase }),
    ...(remote === undefined ? {} : { remote }),
    ...(join === undefined ? {} : { join }),
  }
}

/** A new space with this device as its owner. */
export function foundSpace(options: { crypto: CryptoProvider; env: Env }): DatabaseIdentity {
  const { crypto, env } = options
  const space = env.entropy(16)
  const replica = env.entropy(8)
  const device = createDeviceIdentity(options)
  const entry = createTeam({ spaceId: space, crypto }).authorEntry({
    body: { type: 'create', spaceId: space, keys: device.keys },
    signer: device.signer,
    nowMs: env.now(),
  })
  return {
    space,
    replica,
    replicaN: 1,
    signSeed: device.signSeed,
    dhScalar: device.dhScalar,
    tagKey: env.entropy(32),
    epochs: [{ epoch: 1, key: env.entropy(32) }],
    mirrors: [],
    genesis: {
      entries: [entry],
      announcements: [
        encodeAnnouncement({ spaceId: space, replicaId: replica, n: 1, signer: device.signer }),
      ],
    },
  }
}

/** The device's keys, ready for use. */
export function deviceOf(identity: DatabaseIdentity, crypto: CryptoProvider): DeviceIdentity {
  return openDeviceIdentity({ crypto, signSeed: identity.signSeed, dhScalar: identity.dhScalar })
}

export function encodeIdentity(identity: DatabaseIdentity): Uint8Array {
  const { genesis, predecessor, rebase, remote, join } = identity
  return encodeCbor({
    space: identity.space,
    replica: identity.replica,
    replicaN: identity.replicaN,
    signSeed: identity.signSeed,
    dhScalar: identity.dhScalar,
    tagKey: identity.tagKey,
    epochs: identity.epochs.map(({ epoch, key }) => ({ epoch, key })),
    mirrors: identity.mirrors.map(({ collection, source }) => ({ collection, source })),
    ...(genesis === undefined
      ? {}
      : { genesis: { entries: [...genesis.entries], announcements: [...genesis.announcements] } }),
    ...(predecessor === undefined ? {} : { predecessor: leftItem(predecessor) }),
    ...(rebase === undefined ? {} : { rebase: rebaseItem(rebase) }),
    ...(remote === undefined ? {} : { remote }),
    ...(join === undefined ? {} : { join }),
  })
}

/** `BAD_VALUE` for anything that `encodeIdentity` did not make. */
export function decodeIdentity(bytes: Uint8Array): DatabaseIdentity {
  const map = mapOf(decodeCbor(bytes))
  const genesis = map['genesis'] === undefined ? undefined : mapOf(map['genesis'])
  const { remote, join } = map
  return {
    space: bytesOf(map['space'], 16),
    replica: bytesOf(map['replica'], 8),
    replicaN: countOf(map['replicaN']),
    signSeed: bytesOf(map['signSeed'], 32),
    dhScalar: bytesOf(map['dhScalar'], 32),
    tagKey: bytesOf(map['tagKey'], 32),
    epochs: listOf(map['epochs']).map((item) => {
      const { epoch, key } = mapOf(item)
      return { epoch: countOf(epoch), key: bytesOf(key, 32) }
    }),
    mirrors: listOf(map['mirrors']).map((item) => {
      const { collection, source } = mapOf(item)
      if (typeof collection !== 'string') throw bad('a mirrored collection')
      return { collection, source: bytesOf(source, 16) }
    }),
    ...(genesis === undefined
      ? {}
      : {
          genesis: {
            entries: listOf(genesis['entries']).map((item) => bytesOf(item)),
            announcements: listOf(genesis['announcements']).map((item) => bytesOf(item)),
          },
        }),
    ...(map['predecessor'] === undefined ? {} : { predecessor: leftOf(map['predecessor']) }),
    ...(map['rebase'] === undefined ? {} : { rebase: rebaseOf(map['rebase']) }),
    ...(remote === undefined ? {} : { remote }),
    ...(join === undefined ? {} : { join }),
  }
}

/** The device's signed word that `replica` is its own; the same bytes each time. */
export function announcementOf(identity: DatabaseIdentity, crypto: CryptoProvider): Uint8Array {
  const { space, replica, replicaN, predecessor } = identity
  return encodeAnnouncement({
    spaceId: space,
    replicaId: replica,
    n: replicaN,
    signer: deviceOf(identity, crypto).signer,
    ...(predecessor === undefined ? {} : { predecessor }),
  })
}

function rebaseItem({ reason, left }: RebaseOrder): Value {
  return { reason, ...(left === undefined ? {} : { left: leftItem(left) }) }
}

function leftItem({ replicaId, forkPoint }: LeftReplica): Value {
  return { replica: replicaId, forkPoint }
}

function leftOf(item: CborItem): LeftReplica {
  const { replica, forkPoint } = mapOf(item)
  return { replicaId: bytesOf(replica, 8), forkPoint: countOf(forkPoint) }
}

function rebaseOf(item: CborItem): RebaseOrder {
  const { reason, left } = mapOf(item)
  if (reason !== 'forked' && reason !== 'damaged' && reason !== 'restored')
    throw bad('the reason of a rebase')
  return left === undefined ? { reason } : { reason, left: leftOf(left) }
}

function mapOf(item: CborItem): { [name: string]: Value } {
  if (!isPlainObject(item)) throw bad('a map')
  // The decoder makes maps of nothing but values.
  return item as { [name: string]: Value }
}

function listOf(item: CborItem): readonly CborItem[] {
  if (!Array.isArray(item)) throw bad('a list')
  return item
}

function bytesOf(item: CborItem, length?: number): Uint8Array {
  if (!(item instanceof Uint8Array) || (length !== undefined && item.length !== length)) throw bad('bytes')
  return item
}

function countOf(item: CborItem): number {
  if (typeof item !== 'number' || !Number.isSafeInteger(item) || item < 0) throw bad('a count')
  return item
}

function bad(what: string): BlazeError {
  return new BlazeError(
    'BAD_VALUE',
    `the identity in the database header has the wrong shape: expected ${what}`,
  )
}
