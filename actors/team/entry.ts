/**
 * One entry of the membership log, PROTOCOL §5: bytes, signature, hash.
 * Invariant: what `parseEntry` accepts is in the one canonical form, but nothing in it is believed before `verifyEntry`.
 */
import { BlazeError, ByteReader, ByteWriter, compareBytes, concatBytes, limits } from '../../runtime/index.ts'
import type { CryptoProvider, Signer, Verifier } from '../../runtime/index.ts'
import { encodeDeviceKeys, readDeviceKeys } from './device.ts'
import type { DeviceKeys } from './device.ts'
import { roleNumber, roleOfNumber } from './role.ts'
import type { Role } from './role.ts'

const VERSION = 1
const HASH_BYTES = 32
const SIGNATURE_BYTES = 64
const HINT_BYTES = 8
const PARENTS_MAX = 16
const DOMAIN = new TextEncoder().encode('blazedb/entry/1')
const typeNumbers = { create: 1, add: 2, invite: 3, join: 4 } as const
const RESERVED_FIRST = 5
const RESERVED_LAST = 11

/** The parents of one entry; a log with more heads is joined by its next entries. */
export const ENTRY_PARENTS_MAX: number = PARENTS_MAX

export type EntryBody =
  | { readonly type: 'create'; readonly spaceId: Uint8Array; readonly keys: DeviceKeys }
  | { readonly type: 'add'; readonly role: Role; readonly keys: DeviceKeys }
  | {
      readonly type: 'invite'
      readonly inviteId: Uint8Array
      /** Ed25519 key that a newcomer proves to hold, 32 bytes. */
      readonly joinKey: Uint8Array
      readonly role: Role
      readonly expiresMs: number
    }
  | {
      readonly type: 'join'
      /** Hash of the invite entry. */
      readonly inviteHash: Uint8Array
      readonly keys: DeviceKeys
      /** See `signJoin`. */
      readonly joinSignature: Uint8Array
    }

export interface Entry {
  readonly createdMs: number
  /** First 8 bytes of SHA-256 of the author's Ed25519 key: which keys to try, not who it was. */
  readonly authorHint: Uint8Array
  /** Hashes, ascending. */
  readonly parents: readonly Uint8Array[]
  readonly body: EntryBody
  readonly signature: Uint8Array
  /** Everything before the signature. */
  readonly signedBytes: Uint8Array
}

export interface EntryDraft {
  readonly spaceId: Uint8Array
  readonly createdMs: number
  /** At most 16, in any order. */
  readonly parents: readonly Uint8Array[]
  readonly body: EntryBody
  readonly signer: Signer
}

/** Signs and encodes. `TypeError` when a field has the wrong length. */
export function encodeEntry(draft: EntryDraft, crypto: CryptoProvider): Uint8Array {
  const { spaceId, createdMs, body, signer } = draft
  expectBytes('spaceId', spaceId, 16)
  if (draft.parents.length > PARENTS_MAX)
    throw new TypeError(`parents: expected at most ${PARENTS_MAX}, got ${draft.parents.length}`)
  const parents = draft.parents.toSorted(compareBytes)
  const bodyBytes = encodeBody(body)
  const writer = new ByteWriter(512)
    .u8(VERSION)
    .u8(typeNumbers[body.type])
    .u48(createdMs)
    .bytes(authorHintOf(signer.publicKey, crypto))
    .u8(parents.length)
  for (const parent of parents) {
    expectBytes('parent', parent, HASH_BYTES)
    writer.bytes(parent)
  }
  const signedBytes = writer.u16(bodyBytes.length).bytes(bodyBytes).finish()
  return concatBytes([signedBytes, signer.sign(signedMessage(spaceId, signedBytes))])
}

/** Views of `bytes`. `PROTOCOL_VIOLATION` for bytes that are no entry, `NOT_SUPPORTED` for the reserved types. */
export function parseEntry(bytes: Uint8Array): Entry {
  const reader = new ByteReader(bytes, 'log entry')
  if (bytes.length > limits.teamEntryBytesMax)
    throw reader.violation(`expected at most ${limits.teamEntryBytesMax} bytes, got ${bytes.length}`)
  const version = reader.u8()
  if (version !== VERSION) throw reader.violation(`expected version ${VERSION}, got ${version}`)
  const type = reader.u8()
  const createdMs = reader.u48()
  const authorHint = reader.bytes(HINT_BYTES)
  const parents = readParents(reader)
  const body = readBody(type, reader.bytes(reader.u16()))
  const signedBytes = bytes.subarray(0, reader.position)
  const signature = reader.bytes(SIGNATURE_BYTES)
  reader.end()
  if ((body.type === 'create') !== (parents.length === 0))
    throw reader.violation(`an entry of type ${body.type} with ${parents.length} parents`)
  return { createdMs, authorHint, parents, body, signature, signedBytes }
}

/** Did the owner of `verifier` sign this entry for this space? */
export function verifyEntry(entry: Entry, spaceId: Uint8Array, verifier: Verifier): boolean {
  return verifier.verify(signedMessage(spaceId, entry.signedBytes), entry.signature)
}

/** 32 bytes; the name of the entry. */
export function entryHash(bytes: Uint8Array, crypto: CryptoProvider): Uint8Array {
  return crypto.sha256(bytes)
}

/** 8 bytes. */
export function authorHintOf(signKey: Uint8Array, crypto: CryptoProvider): Uint8Array {
  return crypto.sha256(signKey).subarray(0, HINT_BYTES)
}

function signedMessage(spaceId: Uint8Array, signedBytes: Uint8Array): Uint8Array {
  return concatBytes([DOMAIN, spaceId, signedBytes])
}

function encodeBody(body: EntryBody): Uint8Array {
  const writer = new ByteWriter(256)
  switch (body.type) {
    case 'create':
      expectBytes('spaceId', body.spaceId, 16)
      return writer.bytes(body.spaceId).bytes(encodeDeviceKeys(body.keys)).finish()
    case 'add':
      return writer.u8(roleNumber(body.role)).bytes(encodeDeviceKeys(body.keys)).finish()
    case 'invite':
      expectBytes('inviteId', body.inviteId, 16)
      expectBytes('joinKey', body.joinKey, 32)
      return writer
        .bytes(body.inviteId)
        .bytes(body.joinKey)
        .u8(roleNumber(body.role))
        .u48(body.expiresMs)
        .finish()
    case 'join':
      expectBytes('inviteHash', body.inviteHash, HASH_BYTES)
      expectBytes('joinSignature', body.joinSignature, SIGNATURE_BYTES)
      return writer
        .bytes(body.inviteHash)
        .bytes(encodeDeviceKeys(body.keys))
        .bytes(body.joinSignature)
        .finish()
  }
}

function readParents(reader: ByteReader): Uint8Array[] {
  const count = reader.u8()
  if (count > PARENTS_MAX) throw reader.violation(`expected at most ${PARENTS_MAX} parents, got ${count}`)
  const parents: Uint8Array[] = []
  for (let i = 0; i < count; i++) {
    const parent = reader.bytes(HASH_BYTES)
    const before = parents.at(-1)
    if (before !== undefined && compareBytes(before, parent) >= 0)
      throw reader.violation('parents are not in ascending order')
    parents.push(parent)
  }
  return parents
}

function readBody(type: number, bytes: Uint8Array): EntryBody {
  if (type >= RESERVED_FIRST && type <= RESERVED_LAST)
    throw new BlazeError('NOT_SUPPORTED', `log entry: type ${type} is reserved for a later version`, {
      details: { type },
    })
  const reader = new ByteReader(bytes, 'log entry body')
  const body = readKnownBody(type, reader)
  reader.end()
  return body
}

function readKnownBody(type: number, reader: ByteReader): EntryBody {
  switch (type) {
    case typeNumbers.create:
      return { type: 'create', spaceId: reader.bytes(16), keys: readDeviceKeys(reader) }
    case typeNumbers.add:
      return { type: 'add', role: readRole(reader), keys: readDeviceKeys(reader) }
    case typeNumbers.invite:
      return {
        type: 'invite',
        inviteId: reader.bytes(16),
        joinKey: reader.bytes(32),
        role: readRole(reader),
        expiresMs: reader.u48(),
      }
    case typeNumbers.join:
      return {
        type: 'join',
        inviteHash: reader.bytes(HASH_BYTES),
        keys: readDeviceKeys(reader),
        joinSignature: reader.bytes(SIGNATURE_BYTES),
      }
    default:
      throw reader.violation(`expected an entry type from 1 to 11, got ${type}`)
  }
}

function readRole(reader: ByteReader): Role {
  const number = reader.u8()
  const role = roleOfNumber(number)
  if (role === undefined) throw reader.violation(`expected a role from 1 to 5, got ${number}`)
  return role
}

function expectBytes(name: string, bytes: Uint8Array, length: number): void {
  if (bytes.length !== length) throw new TypeError(`${name}: expected ${length} bytes, got ${bytes.length}`)
}
