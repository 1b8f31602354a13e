/**
 * Rows of the access store: enrolment codes, hosts, databases and invites.
 *
 * Invariant: parsers refuse what they do not know, as `DAMAGED`: a row that cannot be read must not read as "nobody has this right".
 *
 * | key | value (first byte: version = 1) |
 * |---|---|
 * | `'c' | code id (16)` | `psk (32) | u48 created ms | u8 claimed | claimed by (32, zeros: nobody) | u8 kept | secret (32, only when kept)` |
 * | `'h' | device key (32)` | `u48 since ms | code id (16)` |
 * | `'n' | name` | `space id (16) | u48 since ms` |
 * | `'s' | space id (16)` | `device key (32) that registered it | u48 since ms` |
 * | `'i' | invite id (16)` | `space id (16) | channel key (32) | u8 role | u48 expires ms | u8 claimed | claimed by (32) | u32 length | box` |
 */
import { BlazeError, ByteReader, ByteWriter, concatBytes } from '../../runtime/index.ts'

const version = 1
export const ID_BYTES = 16
export const KEY_BYTES = 32
const nobody = new Uint8Array(KEY_BYTES)

export interface CodeRow {
  readonly id: Uint8Array
  readonly psk: Uint8Array
  readonly createdMs: number
  /** Ed25519 key of the device that claimed it. */
  readonly claimedBy: Uint8Array | undefined
  /** Only of the first code, until it is claimed: it is printed at every start. */
  readonly secret: Uint8Array | undefined
}

export interface HostRow {
  readonly deviceKey: Uint8Array
  readonly sinceMs: number
  readonly codeId: Uint8Array
}

export interface DatabaseRow {
  readonly name: string
  readonly spaceId: Uint8Array
  readonly sinceMs: number
}

export interface SpaceRow {
  readonly spaceId: Uint8Array
  readonly deviceKey: Uint8Array
  readonly sinceMs: number
}

export interface InviteRow {
  readonly id: Uint8Array
  readonly spaceId: Uint8Array
  readonly channelKey: Uint8Array
  readonly role: number
  readonly expiresMs: number
  readonly claimedBy: Uint8Array | undefined
  readonly box: Uint8Array
}

export type RowKind = 'c' | 'h' | 'n' | 's' | 'i'

export function rowKey(kind: RowKind, rest: Uint8Array | string): Uint8Array {
  const encoder = new TextEncoder()
  return concatBytes([encoder.encode(kind), typeof rest === 'string' ? encoder.encode(rest) : rest])
}

export function encodeCode(row: CodeRow): Uint8Array {
  const writer = begin().bytes(row.psk).u48(row.createdMs)
  writeClaim(writer, row.claimedBy)
  writer.u8(row.secret === undefined ? 0 : 1)
  if (row.secret !== undefined) writer.bytes(row.secret)
  return writer.finish()
}

export function parseCode(key: Uint8Array, value: Uint8Array): CodeRow {
  return parse('code', value, (reader) => ({
    id: idOf(key),
    psk: take(reader, KEY_BYTES),
    createdMs: reader.u48(),
    claimedBy: readClaim(reader),
    secret: readFlag(reader) ? take(reader, KEY_BYTES) : undefined,
  }))
}

export function encodeHost(row: HostRow): Uint8Array {
  return begin().u48(row.sinceMs).bytes(row.codeId).finish()
}

export function parseHost(key: Uint8Array, value: Uint8Array): HostRow {
  return parse('host', value, (reader) => ({
    deviceKey: idOf(key),
    sinceMs: reader.u48(),
    codeId: take(reader, ID_BYTES),
  }))
}

export function encodeDatabase(row: DatabaseRow): Uint8Array {
  return begin().bytes(row.spaceId).u48(row.sinceMs).finish()
}

export function parseDatabase(key: Uint8Array, value: Uint8Array): DatabaseRow {
  return parse('database', value, (reader) => ({
    name: new TextDecoder().decode(key.subarray(1)),
    spaceId: take(reader, ID_BYTES),
    sinceMs: reader.u48(),
  }))
}

export function encodeSpace(row: SpaceRow): Uint8Array {
  return begin().bytes(row.deviceKey).u48(row.sinceMs).finish()
}

export function parseSpace(key: Uint8Array, value: Uint8Array): SpaceRow {
  return parse('space', value, (reader) => ({
    spaceId: idOf(key),
    deviceKey: take(reader, KEY_BYTES),
    sinceMs: reader.u48(),
  }))
}

export function encodeInvite(row: InviteRow): Uint8Array {
  const writer = begin().bytes(row.spaceId).bytes(row.channelKey).u8(row.role).u48(row.expiresMs)
  writeClaim(writer, row.claimedBy)
  return writer.u32(row.box.length).bytes(row.box).finish()
}

export function parseInvite(key: Uint8Array, value: Uint8Array): InviteRow {
  return parse('invite', value, (reader) => ({
    id: idOf(key),
    spaceId: take(reader, ID_BYTES),
    channelKey: take(reader, KEY_BYTES),
    role: reader.u8(),
    expiresMs: reader.u48(),
    claimedBy: readClaim(reader),
    box: take(reader, reader.u32()),
  }))
}

function begin(): ByteWriter {
  return new ByteWriter().u8(version)
}

function writeClaim(writer: ByteWriter, claimedBy: Uint8Array | undefined): void {
  writer.u8(claimedBy === undefined ? 0 : 1).bytes(claimedBy ?? nobody)
}

function readClaim(reader: ByteReader): Uint8Array | undefined {
  const claimed = readFlag(reader)
  const deviceKey = take(reader, KEY_BYTES)
  return claimed ? deviceKey : undefined
}

function readFlag(reader: ByteReader): boolean {
  const flag = reader.u8()
  if (flag > 1) throw reader.violation(`flag ${flag} is neither 0 nor 1`)
  return flag === 1
}

/** Copies: a view would keep the buffer of the store alive. */
function take(reader: ByteReader, length: number): Uint8Array {
  return reader.bytes(length).slice()
}

function idOf(key: Uint8Array): Uint8Array {
  return key.slice(1)
}

function parse<T>(what: string, value: Uint8Array, read: (reader: ByteReader) => T): T {
  try {
    const reader = new ByteReader(value, `access row ${what}`)
    const found = reader.u8()
    if (found !== version) throw reader.violation(`version ${found} is not known`)
    const row = read(reader)
    reader.end()
    return row
  } catch (cause) {
    if (!(cause instanceof BlazeError)) throw cause
    throw new BlazeError('DAMAGED', `the access store does not read: ${cause.message}`, { cause })
  }
}
