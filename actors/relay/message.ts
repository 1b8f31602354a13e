/** Bytes of the relay messages of PROTOCOL §10. Parsers refuse what the table does not allow; nothing here knows a key. */
import {
  BlazeError,
  ByteReader,
  ByteWriter,
  errorNumber,
  errorOfNumber,
  limits,
  type ErrorCode,
} from '../../runtime/index.ts'
import { encodeErrorBody, parseErrorBody } from '../../transports/index.ts'
import { encodeVectorEntry, parseVectorEntry, VECTOR_ENTRY_BYTES } from '../replica/index.ts'
import type { Cursor, VectorEntry } from '../replica/index.ts'

/** Frame types of a relay stream. */
export const RELAY_HELLO = 16
export const RELAY_TEAM = 17
export const RELAY_ANNOUNCE = 18
export const RELAY_VECTOR = 19
export const RELAY_READY = 20
export const RELAY_DATA = 21
export const RELAY_ACK = 22
export const RELAY_SPOILED = 23
export const RELAY_MARK = 25
export const RELAY_MARKED = 26
export const RELAY_SCRUB = 27
export const RELAY_SCRUBBED = 28

/** What comes after ready only. */
export const AFTER_READY: ReadonlySet<number> = new Set([
  RELAY_DATA,
  RELAY_ACK,
  RELAY_MARK,
  RELAY_MARKED,
  RELAY_SCRUB,
  RELAY_SCRUBBED,
])

export interface RelayHello {
  readonly incarnation: Uint8Array
  readonly lastArrival: number
  /** How far this side has applied the other's arrivals. */
  readonly cursor: Cursor | undefined
  readonly vectorDigest: Uint8Array
  readonly teamDigest: Uint8Array
  /** Wall clock of the sender, ms. */
  readonly clockMs: number
  /** The sender is a misfit: it acknowledges nothing, and serves none but another misfit. */
  readonly rebasing?: boolean
}

const FEATURE_REBASING = 1

export interface RelayData {
  readonly round: number
  readonly part: number
  readonly partEnd: boolean
  readonly roundEnd: boolean
  readonly upTo: number
  /** Encoded items, PROTOCOL §10. */
  readonly items: Uint8Array
}

export interface RelayAck {
  readonly round: number
  readonly part: number
  readonly arrival: number
  readonly vector: readonly VectorEntry[]
}

export interface RelaySpoiled {
  readonly round: number
  readonly part: number
  readonly code: ErrorCode
  readonly text: string
}

export function encodeHello(hello: RelayHello): Uint8Array {
  const writer = new ByteWriter(128)
  writer
    .u32(hello.rebasing === true ? FEATURE_REBASING : 0)
    .bytes(hello.incarnation)
    .u48(hello.lastArrival)
    .u8(hello.cursor === undefined ? 0 : 1)
  if (hello.cursor !== undefined) writer.bytes(hello.cursor.incarnation).u48(hello.cursor.arrival)
  return writer.bytes(hello.vectorDigest).bytes(hello.teamDigest).u48(hello.clockMs).finish()
}

export function parseHello(bytes: Uint8Array): RelayHello {
  const reader = new ByteReader(bytes, 'relay hello')
  // Unknown features are ignored.
  const rebasing = (reader.u32() & FEATURE_REBASING) !== 0
  const incarnation = reader.bytes(16)
  const lastArrival = reader.u48()
  const hasCursor = reader.u8()
  if (hasCursor > 1) throw reader.violation(`cursor mark ${hasCursor}`)
  const cursor = hasCursor === 1 ? { incarnation: reader.bytes(16), arrival: reader.u48() } : undefined
  const hello = {
    incarnation,
    lastArrival,
    cursor,
    vectorDigest: reader.bytes(32),
    teamDigest: reader.bytes(32),
    clockMs: reader.u48(),
    ...(rebasing ? { rebasing } : {}),
  }
  reader.end()
  return hello
}

/** Packs items into as few bodies as fit under `limits.relayBatchBytesMax`. */
export function encodeBlobs(blobs: readonly Uint8Array[]): Uint8Array[] {
  const bodies: Uint8Array[] = []
  let writer = new ByteWriter(1024)
  for (const blob of blobs) {
    if (writer.length > 0 && writer.length + blob.length + 4 > limits.relayBatchBytesMax) {
      bodies.push(writer.finish())
      writer = new ByteWriter(1024)
    }
    writer.u32(blob.length).bytes(blob)
  }
  if (writer.length > 0) bodies.push(writer.finish())
  return bodies
}

export function parseBlobs(bytes: Uint8Array): Uint8Array[] {
  const reader = new ByteReader(bytes, 'relay list')
  const blobs: Uint8Array[] = []
  while (reader.remaining > 0) {
    const blob = reader.bytes(reader.u32())
    if (blob.length === 0) throw reader.violation('an empty entry')
    blobs.push(blob)
  }
  return blobs
}

export function encodeVector(entries: readonly VectorEntry[]): Uint8Array[] {
  const bodies: Uint8Array[] = []
  const perBody = Math.floor(limits.relayBatchBytesMax / VECTOR_ENTRY_BYTES)
  for (let at = 0; at < entries.length; at += perBody) {
    const writer = new ByteWriter(1024)
    for (const entry of entries.slice(at, at + perBody)) encodeVectorEntry(writer, entry)
    bodies.push(writer.finish())
  }
  return bodies
}

export function parseVector(bytes: Uint8Array): VectorEntry[] {
  const reader = new ByteReader(bytes, 'relay vector')
  return readEntries(reader)
}

export function encodeData(data: RelayData): Uint8Array {
  const flags = (data.partEnd ? 1 : 0) | (data.roundEnd ? 2 : 0)
  return new ByteWriter(data.items.length + 15)
    .u32(data.round)
    .u32(data.part)
    .u8(flags)
    .u48(data.upTo)
    .bytes(data.items)
    .finish()
}

export function parseData(bytes: Uint8Array): RelayData {
  const reader = new ByteReader(bytes, 'relay data')
  const round = reader.u32()
  const part = reader.u32()
  const flags = reader.u8()
  if (flags > 3 || (flags & 3) === 2) throw reader.violation(`flags ${flags}`)
  const upTo = reader.u48()
  return {
    round,
    part,
    partEnd: (flags & 1) !== 0,
    roundEnd: (flags & 2) !== 0,
    upTo,
    items: reader.rest(),
  }
}

export function encodeAck(ack: RelayAck): Uint8Array {
  const writer = new ByteWriter(128).u32(ack.round).u32(ack.part).u48(ack.arrival)
  for (const entry of ack.vector) encodeVectorEntry(writer, entry)
  return writer.finish()
}

export function parseAck(bytes: Uint8Array): RelayAck {
  const reader = new ByteReader(bytes, 'relay ack')
  return { round: reader.u32(), part: reader.u32(), arrival: reader.u48(), vector: readEntries(reader) }
}

export function encodeSpoiled(spoiled: RelaySpoiled): Uint8Array {
  return new ByteWriter(128)
    .u32(spoiled.round)
    .u32(spoiled.part)
    .bytes(encodeErrorBody(errorNumber(spoiled.code), spoiled.text))
    .finish()
}

export function parseSpoiled(bytes: Uint8Array): RelaySpoiled {
  const reader = new ByteReader(bytes, 'relay spoiled')
  const round = reader.u32()
  const part = reader.u32()
  const { number, text } = parseErrorBody(reader.rest(), 'relay spoiled')
  return { round, part, code: errorOfNumber(number), text }
}

export function encodeMark(id: number): Uint8Array {
  return new ByteWriter(4).u32(id).finish()
}

export function parseMark(bytes: Uint8Array): number {
  const reader = new ByteReader(bytes, 'relay mark')
  const id = reader.u32()
  reader.end()
  return id
}

/** The error that a spoiled round raises on the sending side. Round 0: not a part, but the exchange itself. */
export function spoiledError({ round, code, text }: RelaySpoiled): BlazeError {
  const what = round === 0 ? 'ended the exchange' : 'refused a part'
  return new BlazeError(code, `the peer ${what}: ${text}`, { details: { byPeer: true } })
}

function readEntries(reader: ByteReader): VectorEntry[] {
  const entries: VectorEntry[] = []
  while (reader.remaining > 0) entries.push(parseVectorEntry(reader))
  return entries
}

/** Bytes or an order that PROTOCOL §10 does not allow. */
export function violation(text: string): BlazeError {
  return new BlazeError('PROTOCOL_VIOLATION', text)
}
