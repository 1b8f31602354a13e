/**
 * Keys and values of a replica's rows (PROTOCOL §6.1).
 * Invariant: what is parsed here comes from our own disk, so a row that does not parse is `PROTOCOL_VIOLATION` only until the
 * reader of the store turns it into `DAMAGED`.
 */
import {
  assert,
  BlazeError,
  ByteReader,
  ByteWriter,
  compareBytes,
  slabBytes,
  writeU32,
  writeU48,
} from '../../runtime/index.ts'
import type { CryptoProvider } from '../../runtime/index.ts'
import { readBlockList, readCommit } from './commit.ts'
import type { CommitRecord } from './commit.ts'
import { parseEnvelope } from './envelope.ts'
import type { Envelope } from './envelope.ts'
import type { Cursor } from './replica.ts'
import { SET_HASH_BYTES } from './set-hash.ts'
import type { VectorEntry } from './vector.ts'

export const FORMAT = 3

/** First byte of a key. */
const KIND = {
  i: 0x69,
  f: 0x66,
  a: 0x61,
  t: 0x74,
  c: 0x63,
  v: 0x76,
  h: 0x68,
  p: 0x70,
  b: 0x62,
  s: 0x73,
  k: 0x6b,
  z: 0x7a,
} as const

export const incarnationsKey: Uint8Array = Uint8Array.of(KIND.i)
export const formatKey: Uint8Array = Uint8Array.of(KIND.f)
export const soundnessKey: Uint8Array = Uint8Array.of(KIND.s)

/** The last own seq that every peer has confirmed: u48. */
export const confirmedKey: Uint8Array = Uint8Array.of(KIND.k)
/** The rebase under way, see `rebase/rebase.ts`. */
export const rebaseKey: Uint8Array = Uint8Array.of(KIND.z)

export type RowKind = 'a' | 't' | 'c' | 'v' | 'h' | 'p' | 'b'

/** All rows of a kind, for `StoreReader.range`. */
export function rowsOf(kind: RowKind): { gte: Uint8Array; lt: Uint8Array } {
  return { gte: Uint8Array.of(KIND[kind]), lt: Uint8Array.of(KIND[kind] + 1) }
}

/** Tag rows behind that of `tag`, or all of them. */
export function tagRowsAfter(tag: Uint8Array | undefined): { gte: Uint8Array; lt: Uint8Array } {
  const rows = rowsOf('t')
  if (tag === undefined) return rows
  const gte = new Uint8Array(tag.length + 2)
  gte.set(tagKey(tag))
  return { ...rows, gte }
}

export function encodeFormat(spaceId: Uint8Array): Uint8Array {
  const row = new Uint8Array(1 + spaceId.length)
  row[0] = FORMAT
  row.set(spaceId, 1)
  return row
}

export function encodeConfirmed(seq: number): Uint8Array {
  return new ByteWriter(6).u48(seq).finish()
}

export function parseConfirmed(bytes: Uint8Array): number {
  const reader = new ByteReader(bytes, 'row of the confirmed own head')
  const seq = reader.u48()
  reader.end()
  return seq
}

function numberKey(kind: number, value: number): Uint8Array {
  const key = new Uint8Array(7)
  key[0] = kind
  writeU48(key, 1, value)
  return key
}

function idKey(kind: number, id: Uint8Array): Uint8Array {
  const key = new Uint8Array(1 + id.length)
  key[0] = kind
  key.set(id, 1)
  return key
}

export function arrivalKey(arrival: number): Uint8Array {
  return numberKey(KIND.a, arrival)
}

export function tagKey(tag: Uint8Array): Uint8Array {
  return idKey(KIND.t, tag)
}

export function commitKey(replicaId: Uint8Array, firstSeq: number): Uint8Array {
  const key = new Uint8Array(15)
  key[0] = KIND.c
  key.set(replicaId, 1)
  writeU48(key, 9, firstSeq)
  return key
}

export function vectorKey(replicaId: Uint8Array): Uint8Array {
  return idKey(KIND.v, replicaId)
}

export function headKey(seq: number): Uint8Array {
  return numberKey(KIND.h, seq)
}

export function cursorKey(peer: Uint8Array): Uint8Array {
  return idKey(KIND.p, peer)
}

export function batchKey(n: number): Uint8Array {
  return numberKey(KIND.b, n)
}

/** The number in the key of an `a`, `h` or `b` row. */
export function numberOfKey(key: Uint8Array): number {
  const reader = new ByteReader(key, 'key')
  const value = reader.skip(1).u48()
  reader.end()
  return value
}

/** An envelope as it is stored: with the first seq of its commit, 0 until the commit is cut. */
export interface Held {
  readonly envelope: Envelope
  commitFirstSeq: number
}

export interface TagRow {
  readonly arrival: number
  readonly live: readonly Held[]
}

/** Siblings that fit the one byte of a tag row. */
export const SIBLINGS_MAX = 255

export function encodeTagRow(row: TagRow): Uint8Array {
  assert(row.live.length > 0 && row.live.length <= SIBLINGS_MAX, `a tag row of ${row.live.length} envelopes`)
  let length = 7
  for (const held of row.live) length += 10 + held.envelope.bytes.length
  const bytes = slabBytes(length)
  writeU48(bytes, 0, row.arrival)
  bytes[6] = row.live.length
  let at = 7
  for (const { envelope, commitFirstSeq } of row.live) {
    writeU48(bytes, at, commitFirstSeq)
    writeU32(bytes, at + 6, envelope.bytes.length)
    bytes.set(envelope.bytes, at + 10)
    at += 10 + envelope.bytes.length
  }
  return bytes
}

export function parseTagRow(bytes: Uint8Array, tag: Uint8Array, crypto: CryptoProvider): TagRow {
  const reader = new ByteReader(bytes, 'tag row')
  const arrival = reader.u48()
  const live: Held[] = []
  for (let left = reader.u8(); left > 0; left -= 1) {
    const commitFirstSeq = reader.u48()
    const envelope = parseEnvelope(reader.bytes(reader.u32()), crypto)
    if (compareBytes(envelope.tag, tag) !== 0) throw reader.violation('an envelope of another tag')
    live.push({ envelope, commitFirstSeq })
  }
  reader.end()
  if (live.length === 0) throw reader.violation('no live envelope')
  return { arrival, live }
}

/** A commit as it is stored. Lists are there for blocks with a live envelope. */
export interface CommitRow {
  readonly record: CommitRecord
  readonly live: number[]
  readonly lists: (Uint8Array | undefined)[]
}

export function encodeCommitRow(row: CommitRow): Uint8Array {
  const writer = new ByteWriter(row.record.bytes.length + row.live.length + row.record.count * 16)
  writer.bytes(row.record.bytes)
  for (const [block, live] of row.live.entries()) {
    writer.u8(live)
    const list = row.lists[block]
    if (live > 0 && list !== undefined) writer.bytes(list)
  }
  return writer.finish()
}

/** Compares each list with the signed block hash too. */
export function parseCommitRow(bytes: Uint8Array, crypto: CryptoProvider): CommitRow {
  const reader = new ByteReader(bytes, 'commit row')
  const record = readCommit(reader, crypto)
  const live: number[] = []
  const lists: (Uint8Array | undefined)[] = []
  for (let block = 0; block < record.blocks.length; block += 1) {
    const count = reader.u8()
    if (count * 16 > record.listBytes(block))
      throw reader.violation(`${count} live envelopes in block ${block}`)
    live.push(count)
    lists.push(count === 0 ? undefined : readBlockList(reader, record, block, crypto))
  }
  reader.end()
  return { record, live, lists }
}

/** A vector entry, and where its commit is stored. */
export interface StoredVectorEntry extends VectorEntry {
  readonly commitFirstSeq: number
}

export function encodeVectorRow(entry: StoredVectorEntry): Uint8Array {
  return new ByteWriter(44).u48(entry.seq).bytes(entry.commitHash).u48(entry.commitFirstSeq).finish()
}

export function parseVectorRow(key: Uint8Array, bytes: Uint8Array): StoredVectorEntry {
  const reader = new ByteReader(bytes, 'vector row')
  const replicaId = new ByteReader(key.subarray(1), 'vector key').bytes(8)
  const entry = { replicaId, seq: reader.u48(), commitHash: reader.bytes(32), commitFirstSeq: reader.u48() }
  reader.end()
  return entry
}

export function encodeCursor(cursor: Cursor): Uint8Array {
  return new ByteWriter(22).bytes(cursor.incarnation).u48(cursor.arrival).finish()
}

export function parseCursor(bytes: Uint8Array): Cursor {
  const reader = new ByteReader(bytes, 'cursor row')
  const cursor = { incarnation: reader.bytes(16), arrival: reader.u48() }
  reader.end()
  return cursor
}

export interface Incarnation {
  readonly id: Uint8Array
  readonly firstArrival: number
}

/** Newest last. */
export function encodeIncarnations(incarnations: readonly Incarnation[]): Uint8Array {
  const writer = new ByteWriter(incarnations.length * 22)
  for (const { id, firstArrival } of incarnations) writer.bytes(id).u48(firstArrival)
  return writer.finish()
}

export function parseIncarnations(bytes: Uint8Array): Incarnation[] {
  const reader = new ByteReader(bytes, 'incarnations')
  const incarnations: Incarnation[] = []
  while (reader.remaining > 0) incarnations.push({ id: reader.bytes(16), firstArrival: reader.u48() })
  return incarnations
}

export interface BatchRecord {
  readonly firstArrival: number
  readonly lastArrival: number
  readonly setHash: Uint8Array
  /** Live envelopes and tags after the batch. */
  readonly liveEnvelopes: number
  readonly tags: number
  /** Of all live envelopes after the batch. */
  readonly liveBytes: number
  /** Of its operations, about. */
  readonly bytes: number
  /** The oldest batch whose record was kept with this one. */
  readonly firstKept: number
}

export function encodeBatch(batch: BatchRecord): Uint8Array {
  return new ByteWriter(56)
    .u48(batch.firstArrival)
    .u48(batch.lastArrival)
    .bytes(batch.setHash)
    .u48(batch.liveEnvelopes)
    .u48(batch.tags)
    .u48(batch.liveBytes)
    .u32(batch.bytes)
    .u48(batch.firstKept)
    .finish()
}

export function parseBatch(bytes: Uint8Array): BatchRecord {
  const reader = new ByteReader(bytes, 'batch record')
  const batch = {
    firstArrival: reader.u48(),
    lastArrival: reader.u48(),
    setHash: reader.bytes(SET_HASH_BYTES),
    liveEnvelopes: reader.u48(),
    tags: reader.u48(),
    liveBytes: reader.u48(),
    bytes: reader.u32(),
    firstKept: reader.u48(),
  }
  reader.end()
  return batch
}

/** What a store says about its own soundness. */
export interface SoundnessRow {
  /** An opening began and did not end in `close`. */
  readonly isOpen: boolean
  /** A pass found damage, and none went through since. */
  readonly isDamaged: boolean
  /** Wall clock of the last pass that found nothing, in ms; 0 for none. */
  readonly verifiedAtMs: number
}

export function encodeSoundness(row: SoundnessRow): Uint8Array {
  return new ByteWriter(7)
    .u8((row.isOpen ? 1 : 0) | (row.isDamaged ? 2 : 0))
    .u48(row.verifiedAtMs)
    .finish()
}

export function parseSoundness(bytes: Uint8Array): SoundnessRow {
  const reader = new ByteReader(bytes, 'soundness row')
  const flags = reader.u8()
  if (flags > 3) throw reader.violation(`flags ${flags}`)
  const row = { isOpen: (flags & 1) !== 0, isDamaged: (flags & 2) !== 0, verifiedAtMs: reader.u48() }
  reader.end()
  return row
}

/** Runs a parser over a row of our own store: what it refuses there is `DAMAGED`. */
export function parseStored<T>(what: string, parse: () => T): T {
  try {
    return parse()
  } catch (cause) {
    if (!(cause instanceof BlazeError)) throw cause
    throw new BlazeError('DAMAGED', `${what} is damaged: ${cause.message}; restore from a peer or a backup`, {
      cause,
      details: { problems: [`${what}: ${cause.message}`], count: 1 },
    })
  }
}
