/**
 * Rows of a guest's copy: where they stand, and their plaintext.
 * Invariant: what a row says parses as a whole or is damage; nothing of a damaged row is used.
 */
import { BlazeError, ByteReader, ByteWriter, limits } from '../../../runtime/index.ts'
import { decodeRecord, encodeRecord } from '../../database/index.ts'
import type { RecordState } from '../../database/index.ts'
import type { MirrorCursor } from '../mirror/index.ts'

/** A record as the host sent it, and in which pass. */
export interface MirrorRow {
  readonly pass: number
  readonly state: RecordState
}

/** Where the copy stands. */
export interface MirrorHead {
  /** Goes on from here; undefined when only a full pass will do. */
  readonly cursor: MirrorCursor | undefined
  /** Space id of the host that all of it comes from, 16 bytes. */
  readonly space: Uint8Array | undefined
  /** Home of the records that were inserted here, 16 bytes. */
  readonly home: Uint8Array | undefined
  /** Number of the latest pass. */
  readonly pass: number
  /** Nothing of an earlier pass is left but what is at home here. */
  readonly swept: boolean
  /** It holds all that the host once showed under the policy of the cursor. */
  readonly complete: boolean
  /** Everything is being removed. */
  readonly wiping: boolean
}

/** Of the rows of records. */
export interface MirrorSum {
  readonly count: number
  /** Set hash, 16 bytes. */
  readonly hash: Uint8Array
}

export const EMPTY_HEAD: MirrorHead = {
  cursor: undefined,
  space: undefined,
  home: undefined,
  pass: 0,
  swept: true,
  complete: false,
  wiping: false,
}

export const BOOTS_PLACE: Uint8Array = place('b')
export const HEAD_PLACE: Uint8Array = place('h')
const RECORD_PREFIX = 'r'.charCodeAt(0)
/** Bounds of the rows of records. */
export const RECORDS_FROM: Uint8Array = place('r')
export const RECORDS_TO: Uint8Array = place('s')
const TAG_BYTES = 16

const FLAG_CURSOR = 1
const FLAG_SPACE = 2
const FLAG_SWEPT = 4
const FLAG_COMPLETE = 8
const FLAG_WIPING = 16
const NO_ID = new Uint8Array(16)

/** `tag` as `bytesKey`. */
export function recordPlace(tag: string): Uint8Array {
  const bytes = new Uint8Array(1 + tag.length)
  bytes[0] = RECORD_PREFIX
  for (let at = 0; at < tag.length; at += 1) bytes[at + 1] = tag.charCodeAt(at)
  return bytes
}

/** The tag of a row of records; undefined when its key is none. */
export function tagOfPlace(bytes: Uint8Array): Uint8Array | undefined {
  return bytes.length === 1 + TAG_BYTES ? bytes.subarray(1) : undefined
}

/** `u32 pass | u48 life | CBOR of the record`. */
export function encodeRow({ pass, state }: MirrorRow): Uint8Array {
  const cbor = encodeRecord(state)
  return new ByteWriter(10 + cbor.length).u32(pass).u48(state.life).bytes(cbor).finish()
}

/** `DAMAGED` for bytes that are no row. */
export function decodeRow(plain: Uint8Array): MirrorRow {
  return intact('a row', () => {
    const reader = new ByteReader(plain, 'row of a mirror')
    const pass = reader.u32()
    const life = reader.u48()
    if (life < 1 || life > limits.livesMax) throw reader.violation(`life ${life}`)
    return { pass, state: decodeRecord(reader.rest(), { life, deleted: false }) }
  })
}

/**
 * `u8 flags | u32 pass | space 16 | home 16 | policy 16 | incarnation 16 | u48 arrival | u32 count | set hash 16`; what is absent is
 * zero.
 */
export function encodeHead(head: MirrorHead, { count, hash }: MirrorSum): Uint8Array {
  const { cursor, space, home, pass } = head
  const flags =
    (cursor === undefined ? 0 : FLAG_CURSOR) |
    (space === undefined ? 0 : FLAG_SPACE) |
    (head.swept ? FLAG_SWEPT : 0) |
    (head.complete ? FLAG_COMPLETE : 0) |
    (head.wiping ? FLAG_WIPING : 0)
  const writer = new ByteWriter(96)
    .u8(flags)
    .u32(pass)
    .bytes(space ?? NO_ID)
    .bytes(home ?? NO_ID)
  writer
    .bytes(cursor?.policy ?? NO_ID)
    .bytes(cursor?.incarnation ?? NO_ID)
    .u48(cursor?.arrival ?? 0)
  return writer.u32(count).bytes(hash).finish()
}

/** `DAMAGED` for bytes that are no head. */
export function decodeHead(plain: Uint8Array): { readonly head: MirrorHead; readonly sum: MirrorSum } {
  return intact('the head', () => {
    const reader = new ByteReader(plain, 'head of a mirror')
    const flags = reader.u8()
    const has = (flag: number): boolean => (flags & flag) !== 0
    const pass = reader.u32()
    const [space, home, policy, incarnation] = [
      read16(reader),
      read16(reader),
      read16(reader),
      read16(reader),
    ]
    const cursor = { policy, space, incarnation, arrival: reader.u48() }
    const sum = { count: reader.u32(), hash: read16(reader) }
    reader.end()
    const head = {
      cursor: has(FLAG_CURSOR) ? cursor : undefined,
      space: has(FLAG_SPACE) ? space : undefined,
      home: has(FLAG_SPACE) ? home : undefined,
      pass,
      swept: has(FLAG_SWEPT),
      complete: has(FLAG_COMPLETE),
      wiping: has(FLAG_WIPING),
    }
    return { head, sum }
  })
}

/** The copy cannot be used as it is. */
export function damaged(problem: string, cause?: unknown): BlazeError {
  return new BlazeError('DAMAGED', `the copy of the shared database is damaged: ${problem}`, { cause })
}

function intact<T>(what: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof BlazeError) throw damaged(`${what} does not parse`, error)
    throw error
  }
}

function read16(reader: ByteReader): Uint8Array {
  return reader.bytes(16).slice()
}

function place(prefix: string): Uint8Array {
  return new TextEncoder().encode(prefix)
}
