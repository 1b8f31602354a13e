/**
 * Bytes of what a guest and its host tell each other, PROTOCOL §12.
 * Invariant: parsers take exactly what the tables allow and return copies; anything else is `PROTOCOL_VIOLATION`.
 */
import { assert, ByteReader, ByteWriter, limits } from '../../../runtime/index.ts'
import { decodeRecord, encodeRecord, openCollectionProblem } from '../../database/index.ts'
import type { RecordState } from '../../database/index.ts'
import {
  decoded,
  readBit,
  readCbor,
  readCollection,
  readFlags,
  readId,
  readName,
  writeName,
} from './message-part.ts'

export {
  encodeMirrorAnswer,
  encodeMirrorWrite,
  MIRROR_MARK,
  MIRROR_WRITE,
  parseMirrorAnswer,
  parseMirrorWrite,
} from './write-request.ts'
export type { HiddenRecord, MirrorAnswer, MirrorWrite } from './write-request.ts'

/** Frame types of the stream of a mirror. */
export const mirrorFrame = { attach: 32, attached: 33, changes: 34 } as const

/** How far a guest has everything of which host, under which policy. */
export interface MirrorCursor {
  /** Version of the policy, 16 bytes. */
  readonly policy: Uint8Array
  /** Space id of the host, 16 bytes. */
  readonly space: Uint8Array
  /** Incarnation of the host, 16 bytes. */
  readonly incarnation: Uint8Array
  readonly arrival: number
}

export interface Attach {
  readonly mode: 'readOnly' | 'readWrite'
  /** Of the guest's process, for people. */
  readonly pid: number
  /** Name of the database as its host opened it. */
  readonly database: string
  readonly cursor: MirrorCursor | undefined
}

export interface Attached {
  /** Space id of the host, 16 bytes. */
  readonly space: Uint8Array
  /** Home of the records that this guest inserts, 16 bytes. */
  readonly home: Uint8Array
  /** Version of the policy in force, 16 bytes. */
  readonly policy: Uint8Array
  /** Of the host, 16 bytes. */
  readonly incarnation: Uint8Array
  readonly lastArrival: number
  /** The cursor did not fit: the host begins from arrival 0, and what it does not name is not there. */
  readonly full: boolean
  /** Under the policy, the grant or the wish of the guest. */
  readonly readOnly: boolean
  /** At least one, each once. */
  readonly collections: readonly string[]
}

/** `tag` names the record within this mirror, 16 bytes. */
export type MirrorItem =
  /** Alive; `home` null is the host's space. */
  | { readonly kind: 'record'; readonly tag: Uint8Array; readonly state: RecordState }
  /** `deleted` for every guest, `retracted` unless the guest is its home. */
  | { readonly kind: 'deleted' | 'retracted'; readonly tag: Uint8Array }

export interface ChangesHead {
  /** The guest now has everything that was committed when this was made. */
  readonly caughtUp: boolean
  /** Arrival of the host that the changes reach. */
  readonly upTo: number
  /** What the guest keeps as its cursor, at most `upTo`. */
  readonly cursor: number
}

export interface Changes extends ChangesHead {
  readonly items: readonly MirrorItem[]
}

const MODES = ['readOnly', 'readWrite'] as const
/** Flags, `up to`, cursor. */
const CHANGES_HEAD_BYTES = 13
const KIND_RECORD = 1
const KIND_DELETED = 2
const KIND_RETRACTED = 3

export function encodeAttach(attach: Attach): Uint8Array {
  const { cursor } = attach
  const writer = new ByteWriter(128)
    .u32(0)
    .u8(MODES.indexOf(attach.mode) + 1)
    .u32(attach.pid)
  writeName(writer, attach.database)
  writer.u8(cursor === undefined ? 0 : 1)
  if (cursor !== undefined) {
    writer.bytes(cursor.policy).bytes(cursor.space).bytes(cursor.incarnation).u48(cursor.arrival)
  }
  return writer.finish()
}

export function parseAttach(bytes: Uint8Array): Attach {
  const reader = new ByteReader(bytes, 'mirror attach')
  reader.u32() // features: none yet, unknown ones are ignored
  const modeNumber = reader.u8()
  const mode = MODES[modeNumber - 1]
  if (mode === undefined) throw reader.violation(`mode ${modeNumber}`)
  const pid = reader.u32()
  const database = readName(reader)
  const hasCursor = readBit(reader, 'cursor mark')
  const cursor = hasCursor
    ? { policy: readId(reader), space: readId(reader), incarnation: readId(reader), arrival: reader.u48() }
    : undefined
  reader.end()
  return { mode, pid, database, cursor }
}

export function encodeAttached(attached: Attached): Uint8Array {
  const { space, home, policy, incarnation, lastArrival, full, readOnly, collections } = attached
  const writer = new ByteWriter(256)
  writer.bytes(space).bytes(home).bytes(policy).bytes(incarnation).u48(lastArrival)
  writer.u8((full ? 1 : 0) | (readOnly ? 2 : 0)).u8(collections.length)
  for (const collection of collections) writeName(writer, collection)
  return writer.finish()
}

export function parseAttached(bytes: Uint8Array): Attached {
  const reader = new ByteReader(bytes, 'mirror attached')
  const ids = {
    space: readId(reader),
    home: readId(reader),
    policy: readId(reader),
    incarnation: readId(reader),
  }
  const lastArrival = reader.u48()
  const flags = readFlags(reader, 3)
  const count = reader.u8()
  if (count === 0) throw reader.violation('no collection')
  const collections = new Set<string>()
  for (let at = 0; at < count; at += 1) {
    const collection = readCollection(reader)
    if (collections.has(collection)) throw reader.violation('a collection twice')
    collections.add(collection)
  }
  reader.end()
  return {
    ...ids,
    lastArrival,
    full: (flags & 1) !== 0,
    readOnly: (flags & 2) !== 0,
    collections: [...collections],
  }
}

/** One item of `encodeChanges`. `TOO_LARGE` for a record beyond `limits.recordCborBytesMax`. */
export function encodeItem(item: MirrorItem): Uint8Array {
  const writer = new ByteWriter(32)
  if (item.kind !== 'record') {
    return writer
      .u8(item.kind === 'deleted' ? KIND_DELETED : KIND_RETRACTED)
      .bytes(item.tag)
      .finish()
  }
  const { tag, state } = item
  assert(state.deleted === undefined, 'a deleted record travels as its tag')
  const cbor = encodeRecord(state)
  return writer.u8(KIND_RECORD).bytes(tag).u48(state.life).u32(cbor.length).bytes(cbor).finish()
}

/** `items` as `encodeItem` made them: at most `limits.mirrorPageRecords`, several of them at most `limits.mirrorMessageBytes`. */
export function encodeChanges(head: ChangesHead, items: readonly Uint8Array[]): Uint8Array {
  assert(items.length <= limits.mirrorPageRecords, 'a message of changes has a bounded number of items')
  assert(head.cursor <= head.upTo, 'a cursor is never ahead of what was sent')
  const bytes = items.reduce((sum, item) => sum + item.length, 0)
  assert(items.length <= 1 || bytes <= limits.mirrorMessageBytes, 'items that share a message fit into it')
  const writer = new ByteWriter(CHANGES_HEAD_BYTES + bytes)
    .u8(head.caughtUp ? 1 : 0)
    .u48(head.upTo)
    .u48(head.cursor)
  for (const item of items) writer.bytes(item)
  return writer.finish()
}

export function parseChanges(bytes: Uint8Array): Changes {
  const reader = new ByteReader(bytes, 'mirror changes')
  const caughtUp = readFlags(reader, 1) !== 0
  const upTo = reader.u48()
  const cursor = reader.u48()
  if (cursor > upTo) throw reader.violation('a cursor ahead of what was sent')
  const itemsBytes = reader.remaining
  const items: MirrorItem[] = []
  while (reader.remaining > 0) {
    const full = items.length === limits.mirrorPageRecords
    if (full || (items.length === 1 && itemsBytes > limits.mirrorMessageBytes)) {
      throw reader.violation('more items than one message may have')
    }
    items.push(readItem(reader))
  }
  return { caughtUp, upTo, cursor, items }
}

function readItem(reader: ByteReader): MirrorItem {
  const kind = reader.u8()
  if (kind < KIND_RECORD || kind > KIND_RETRACTED) throw reader.violation(`kind ${kind}`)
  const tag = readId(reader)
  if (kind === KIND_DELETED) return { kind: 'deleted', tag }
  if (kind === KIND_RETRACTED) return { kind: 'retracted', tag }
  const life = reader.u48()
  if (life < 1 || life > limits.livesMax) throw reader.violation(`life ${life}`)
  const cbor = readCbor(reader)
  const state = decoded(reader, () => decodeRecord(cbor, { life, deleted: false }))
  if (openCollectionProblem(state.collection) !== undefined) throw reader.violation('a reserved collection')
  return { kind: 'record', tag, state }
}
