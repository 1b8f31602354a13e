/**
 * A device's signed word that a replica id is its own, PROTOCOL §4.
 * Invariant: a parsed announcement is only a claim until `verifyAnnouncement`, and counts only for a device in the log.
 */
import { ByteReader, ByteWriter, concatBytes } from '../../runtime/index.ts'
import type { Signer, Verifier } from '../../runtime/index.ts'

const VERSION = 1
const SIGNATURE_BYTES = 64
const DOMAIN = new TextEncoder().encode('blazedb/announce/1')
const NONE: Uint8Array = new Uint8Array(8)

export interface Announcement {
  readonly spaceId: Uint8Array
  /** Ed25519 key of the device, 32 bytes. */
  readonly signKey: Uint8Array
  readonly replicaId: Uint8Array
  /** How many replica ids this device has announced in this space, this one included. */
  readonly n: number
  /** The replica id that this one continues, and the last seq of it that counts. */
  readonly predecessor: { readonly replicaId: Uint8Array; readonly forkPoint: number } | undefined
  readonly signature: Uint8Array
  /** Everything before the signature. */
  readonly signedBytes: Uint8Array
}

export interface AnnouncementDraft {
  readonly spaceId: Uint8Array
  readonly replicaId: Uint8Array
  /** ≥ 1. */
  readonly n: number
  readonly predecessor?: { readonly replicaId: Uint8Array; readonly forkPoint: number }
  readonly signer: Signer
}

/** Signs and encodes, 139 bytes. `TypeError` when a field has the wrong length or n is 0. */
export function encodeAnnouncement(draft: AnnouncementDraft): Uint8Array {
  const { spaceId, replicaId, n, predecessor, signer } = draft
  if (spaceId.length !== 16) throw new TypeError(`spaceId: expected 16 bytes, got ${spaceId.length}`)
  for (const id of [replicaId, predecessor?.replicaId ?? NONE])
    if (id.length !== 8) throw new TypeError(`replica id: expected 8 bytes, got ${id.length}`)
  if (!(n >= 1)) throw new TypeError(`n: expected a number from 1, got ${n}`)
  const signedBytes = new ByteWriter(80)
    .u8(VERSION)
    .bytes(spaceId)
    .bytes(signer.publicKey)
    .bytes(replicaId)
    .u32(n)
    .bytes(predecessor?.replicaId ?? NONE)
    .u48(predecessor?.forkPoint ?? 0)
    .finish()
  return concatBytes([signedBytes, signer.sign(concatBytes([DOMAIN, signedBytes]))])
}

/** Views of `bytes`. `PROTOCOL_VIOLATION`. */
export function parseAnnouncement(bytes: Uint8Array): Announcement {
  const reader = new ByteReader(bytes, 'announcement')
  const version = reader.u8()
  if (version !== VERSION) throw reader.violation(`expected version ${VERSION}, got ${version}`)
  const spaceId = reader.bytes(16)
  const signKey = reader.bytes(32)
  const replicaId = reader.bytes(8)
  const n = reader.u32()
  if (n === 0) throw reader.violation('expected n from 1, got 0')
  const old = reader.bytes(8)
  const forkPoint = reader.u48()
  const predecessor = old.some((byte) => byte !== 0) ? { replicaId: old, forkPoint } : undefined
  if (predecessor === undefined && forkPoint !== 0)
    throw reader.violation('a fork point without a predecessor')
  const signedBytes = bytes.subarray(0, reader.position)
  const signature = reader.bytes(SIGNATURE_BYTES)
  reader.end()
  return { spaceId, signKey, replicaId, n, predecessor, signature, signedBytes }
}

/** `verifier` is the one of `announcement.signKey`. */
export function verifyAnnouncement(announcement: Announcement, verifier: Verifier): boolean {
  return verifier.verify(concatBytes([DOMAIN, announcement.signedBytes]), announcement.signature)
}
