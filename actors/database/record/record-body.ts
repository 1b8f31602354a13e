/**
 * The plaintext of an envelope's body (PROTOCOL §2): CBOR of a record, behind its length, padded to a PADMÉ length.
 * Invariant: one record has one byte form, and `decodeBody` accepts no other.
 */
import {
  BlazeError,
  bytesKey,
  decodeCbor,
  encodeCbor,
  limits,
  readU32,
  slabBytes,
  writeU32,
} from '../../../runtime/index.ts'
import type { CborItem, Value } from '../../../runtime/index.ts'
import { collectionProblem, fieldNameProblem, idProblem } from './name.ts'
import { FIRST_SCHEMA_VERSION, SCHEMA_VERSION_MAX } from './schema-version.ts'
import { decodeMerge, encodeMerge, kindNumber } from './merge-body.ts'
import type { FieldState, RecordState, Stamp } from './record.ts'
import { compareStamps, mergedField } from './record.ts'

const LENGTH_BYTES = 4
/** Removed fields stand in the array of fields inside the array of the body. */
const FIELDS_DEPTH = 2
const COUNTER_MAX = 0xffff
const MS_MAX = 2 ** 48 - 1

/** `TOO_LARGE` above `limits.recordCborBytesMax`, `BAD_VALUE` for a value that is none. */
export function encodeBody(state: RecordState): Uint8Array {
  const cbor = encodeRecord(state)
  // Sealed at once, and of no use after that.
  const plain = slabBytes(padmeLength(LENGTH_BYTES + cbor.length))
  writeU32(plain, 0, cbor.length)
  plain.set(cbor, LENGTH_BYTES)
  return plain
}

/** The CBOR of a body alone; life and deletion are told beside it. Refuses what `encodeBody` refuses. */
export function encodeRecord(state: RecordState): Uint8Array {
  const stamps = new StampTable()
  const fields: CborItem[] = []
  if (state.deleted !== undefined) stamps.index(state.deleted)
  for (const name of sortedNames(state.fields)) {
    const field = state.fields.get(name) as FieldState
    const index = stamps.index(field.stamp)
    if (field.merge === undefined) fields.push(name, index, field.value)
    else fields.push(name, [index, kindNumber(field.merge)], encodeMerge(field.merge))
  }
  const item: CborItem[] = [state.collection, state.id, state.home, stamps.rows, fields]
  if (state.schema !== undefined) item.push(state.schema)
  const cbor = encodeCbor(item, { undefinedAtDepth: FIELDS_DEPTH })
  if (cbor.length > limits.recordCborBytesMax) {
    throw new BlazeError(
      'TOO_LARGE',
      `the record has ${cbor.length} bytes, at most ${limits.recordCborBytesMax} fit into one envelope`,
      { details: { bytes: cbor.length, bytesMax: limits.recordCborBytesMax } },
    )
  }
  return cbor
}

/** What a body does not say itself. */
export interface RecordHeader {
  readonly life: number
  readonly deleted: boolean
}

/** `BAD_VALUE` unless `plain` is exactly what `encodeBody` makes of some record with that life. */
export function decodeBody(plain: Uint8Array, header: RecordHeader): RecordState {
  if (plain.length < LENGTH_BYTES) throw bad('too short')
  const length = readU32(plain, 0)
  if (length > plain.length - LENGTH_BYTES) throw bad('its length exceeds what is there')
  if (padmeLength(LENGTH_BYTES + length) !== plain.length) throw bad('it is not padded to its length')
  for (let at = LENGTH_BYTES + length; at < plain.length; at += 1) {
    if (plain[at] !== 0) throw bad('its padding is not zero')
  }
  return decodeRecord(plain.subarray(LENGTH_BYTES, LENGTH_BYTES + length), header)
}

/** `BAD_VALUE` unless `cbor` is what `encodeRecord` makes of some record with that life. Shares nothing with `cbor`. */
export function decodeRecord(cbor: Uint8Array, header: RecordHeader): RecordState {
  const item = decodeCbor(cbor, { undefinedAtDepth: FIELDS_DEPTH })
  if (!Array.isArray(item) || (item.length !== 5 && item.length !== 6)) {
    throw bad('it is not an array of five or six')
  }
  const [collection, id, home, stampRows, fieldRows, schema] = item as CborItem[]
  if (typeof collection !== 'string' || collectionProblem(collection) !== undefined)
    throw bad('its collection')
  if (typeof id !== 'string' || idProblem(id) !== undefined) throw bad('its id')
  if (home !== null && !(home instanceof Uint8Array && home.length === 16)) throw bad('its home')
  const stamps = readStamps(stampRows)
  const fields = readFields(fieldRows, stamps)
  if (header.deleted) {
    const [deleted] = stamps
    if (deleted === undefined || stamps.length !== 1 || fields.size !== 0 || item.length !== 5) {
      throw bad('a deletion with fields')
    }
    return { collection, id, home, life: header.life, deleted, fields }
  }
  const record = { collection, id, home, life: header.life, deleted: undefined, fields }
  if (item.length === 5) return record
  if (!isCount(schema, SCHEMA_VERSION_MAX) || schema <= FIRST_SCHEMA_VERSION) throw bad('its schema version')
  return { ...record, schema }
}

/** Length to which a plaintext is padded: at most 12 % more, and only log log many lengths (Nikitin et al., 2019). */
export function padmeLength(length: number): number {
  if (length < 2) return length
  const exponent = 31 - Math.clz32(length)
  const bits = 32 - Math.clz32(exponent)
  const unit = 2 ** Math.max(0, exponent - bits)
  return Math.ceil(length / unit) * unit
}

class StampTable {
  readonly rows: CborItem[] = []
  /** Made at the second stamp: most records have one, shared by their fields. */
  #known: Map<string, number> | undefined
  #first: Stamp | undefined

  index(stamp: Stamp): number {
    if (this.#first === undefined) {
      this.#first = stamp
      return this.#push(stamp)
    }
    if (compareStamps(this.#first, stamp) === 0) return 0
    this.#known ??= new Map()
    const key = `${stamp.ms} ${stamp.counter} ${bytesKey(stamp.writer)}`
    let index = this.#known.get(key)
    if (index === undefined) {
      index = this.#push(stamp)
      this.#known.set(key, index)
    }
    return index
  }

  #push({ ms, counter, writer }: Stamp): number {
    return this.rows.push([ms, counter, writer]) - 1
  }
}

/** In order of code units; those of a record that was decoded are already. */
function sortedNames(fields: RecordState['fields']): string[] {
  const names = Array.from(fields.keys())
  for (let at = 1; at < names.length; at += 1) {
    if ((names[at - 1] as string) > (names[at] as string)) return names.sort(byCodeUnit)
  }
  return names
}

function readStamps(rows: CborItem): Stamp[] {
  if (!Array.isArray(rows)) throw bad('its stamps')
  return rows.map((row: CborItem) => {
    if (!Array.isArray(row) || row.length !== 3) throw bad('a stamp')
    const [ms, counter, writer] = row as CborItem[]
    if (!isCount(ms, MS_MAX) || !isCount(counter, COUNTER_MAX)) throw bad('the time of a stamp')
    if (!(writer instanceof Uint8Array) || writer.length !== 8) throw bad('the writer of a stamp')
    return { ms, counter, writer }
  })
}

function readFields(rows: CborItem, stamps: readonly Stamp[]): Map<string, FieldState> {
  if (!Array.isArray(rows) || rows.length % 3 !== 0) throw bad('its fields')
  const fields = new Map<string, FieldState>()
  let before: string | undefined
  for (let at = 0; at < rows.length; at += 3) {
    const name: CborItem = rows[at]
    const head: CborItem = rows[at + 1]
    const [index, kind] = Array.isArray(head) && head.length === 2 ? (head as CborItem[]) : [head]
    if (typeof name !== 'string' || fieldNameProblem(name) !== undefined) throw bad('the name of a field')
    if (before !== undefined && byCodeUnit(before, name) >= 0) throw bad('its fields are not in order')
    const stamp = typeof index === 'number' ? stamps[index] : undefined
    if (stamp === undefined) throw bad('the stamp of a field')
    // The decoder lets nothing through but values, and undefined at this depth.
    const value = rows[at + 2] as Value | undefined
    fields.set(name, Array.isArray(head) ? mergedField(decodeMerge(kind, value), stamp) : { value, stamp })
    before = name
  }
  return fields
}

function isCount(item: CborItem, max: number): item is number {
  return (
    typeof item === 'number' && Number.isInteger(item) && item >= 0 && item <= max && !Object.is(item, -0)
  )
}

function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function bad(problem: string): BlazeError {
  return new BlazeError('BAD_VALUE', `the body of an envelope is not a record: ${problem}`)
}
