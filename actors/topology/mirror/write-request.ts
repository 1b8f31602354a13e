/**
 * Bytes of what a guest asks its host on stream 0, PROTOCOL §12.
 * Invariant: as in `message.ts`; a write that parses names each record once, and each field of a record once.
 */
import { BlazeError, ByteReader, ByteWriter, decodeCbor, encodeCbor, limits } from '../../../runtime/index.ts'
import type { CborItem, Value } from '../../../runtime/index.ts'
import {
  FieldOperation,
  fieldNameProblem,
  idProblem,
  operationNames,
  operationProblem,
} from '../../database/index.ts'
import type { FieldInput, FieldValues, RecordInput, WriteStep } from '../../database/index.ts'
import { decoded, readBit, readCbor, readCollection, readName, writeName } from './message-part.ts'

/** Operations of PROTOCOL §9. */
export const MIRROR_WRITE = 16
/** Its body is empty; its answer is a `MirrorAnswer`. */
export const MIRROR_MARK = 17

export interface MirrorWrite {
  readonly step: WriteStep | 'delete'
  readonly collection: string
  /** 1 to `limits.bulkChunkRecords`, no two of one id. A delete has one, without values. */
  readonly inputs: readonly RecordInput[]
}

export interface MirrorAnswer {
  /** Of the host; what the request wrote or asked for has arrived at the guest once changes reach it. */
  readonly arrival: number
  /** Whether there was a record to delete; true for everything else. */
  readonly existed: boolean
  /** What the write made of records at home in the guest that the policy does not show; in the order of the write. */
  readonly hidden: readonly HiddenRecord[]
}

/** A record that the guest wrote, that is at home in it, and that no changes will bring. */
export interface HiddenRecord {
  /** Among the records of the write. */
  readonly index: number
  /** Mirror tag, 16 bytes. */
  readonly tag: Uint8Array
  readonly life: number
}

const STEPS = ['insert', 'put', 'update', 'restore', 'delete'] as const
/** A field that is removed stands as undefined in the array of names and values. */
const VALUE_DEPTH = 1
const TAG_BYTES = 16
/** Of a request: its id and operation (PROTOCOL §7). */
const REQUEST_HEAD_BYTES = 6

/** `TOO_LARGE` when one record, or all of them together, do not fit; fewer records may. `BAD_VALUE` for a value that is none. */
export function encodeMirrorWrite(write: MirrorWrite): Uint8Array {
  const writer = new ByteWriter(256).u8(STEPS.indexOf(write.step) + 1)
  writeName(writer, write.collection)
  writer.u16(write.inputs.length)
  for (const { id, values } of write.inputs) {
    const cbor = encodeCbor(itemsOf(values), { undefinedAtDepth: VALUE_DEPTH })
    if (cbor.length > limits.recordCborBytesMax)
      throw tooLarge('a record', cbor.length, limits.recordCborBytesMax)
    writeName(writer, id)
    writer.u32(cbor.length).bytes(cbor)
  }
  const bytesMax = limits.messageBytesMax - REQUEST_HEAD_BYTES
  if (writer.length > bytesMax) throw tooLarge('a write', writer.length, bytesMax)
  return writer.finish()
}

export function parseMirrorWrite(bytes: Uint8Array): MirrorWrite {
  const reader = new ByteReader(bytes, 'mirror write')
  const stepNumber = reader.u8()
  const step = STEPS[stepNumber - 1]
  if (step === undefined) throw reader.violation(`step ${stepNumber}`)
  const collection = readCollection(reader)
  const count = reader.u16()
  const countMax = step === 'delete' ? 1 : limits.bulkChunkRecords
  if (count < 1 || count > countMax) throw reader.violation(`${count} records`)
  const inputs = new Map<string, RecordInput>()
  for (let at = 0; at < count; at += 1) {
    const id = readName(reader)
    const problem = inputs.has(id) ? 'it stands there twice' : idProblem(id)
    if (problem !== undefined) throw reader.violation(`the id of a record: ${problem}`)
    const values = readValues(reader)
    if (step === 'delete' && values.size > 0) throw reader.violation('a delete with values')
    inputs.set(id, { id, values })
  }
  reader.end()
  return { step, collection, inputs: [...inputs.values()] }
}

export function encodeMirrorAnswer({ arrival, existed, hidden }: MirrorAnswer): Uint8Array {
  const writer = new ByteWriter(16)
    .u48(arrival)
    .u8(existed ? 1 : 0)
    .u16(hidden.length)
  for (const { index, tag, life } of hidden) writer.u16(index).bytes(tag).u48(life)
  return writer.finish()
}

export function parseMirrorAnswer(bytes: Uint8Array): MirrorAnswer {
  const reader = new ByteReader(bytes, 'mirror answer')
  const arrival = reader.u48()
  const existed = readBit(reader, 'existed mark')
  const count = reader.u16()
  if (count > limits.bulkChunkRecords) throw reader.violation(`${count} hidden records`)
  const hidden: HiddenRecord[] = []
  let before = -1
  for (let at = 0; at < count; at += 1) {
    const record = { index: reader.u16(), tag: reader.bytes(TAG_BYTES).slice(), life: reader.u48() }
    if (record.index <= before || record.index >= limits.bulkChunkRecords || record.life < 1)
      throw reader.violation(`hidden record ${record.index} after ${before}, of life ${record.life}`)
    before = record.index
    hidden.push(record)
  }
  reader.end()
  return { arrival, existed, hidden }
}

/** Names and values; an operation as its name and number, and the list of its values. */
function itemsOf(values: FieldValues): CborItem[] {
  const items: CborItem[] = []
  for (const [name, input] of values) {
    if (input instanceof FieldOperation)
      items.push([name, operationNames.indexOf(input.name) + 1], [...input.values])
    else items.push(name, input)
  }
  return items
}

function readValues(reader: ByteReader): FieldValues {
  const cbor = readCbor(reader)
  const items = decoded(reader, () => decodeCbor(cbor, { undefinedAtDepth: VALUE_DEPTH }))
  if (!isList(items) || items.length % 2 !== 0) throw reader.violation('no array of names and values')
  const values = new Map<string, FieldInput>()
  for (let at = 0; at < items.length; at += 2) {
    const head = items[at]
    const [name, operation] = isList(head) && head.length === 2 ? head : [head]
    if (typeof name !== 'string') throw reader.violation('the name of a field is no text')
    const problem = values.has(name) ? 'it stands there twice' : fieldNameProblem(name)
    if (problem !== undefined) throw reader.violation(`the name of a field: ${problem}`)
    // The decoder lets nothing through but values, and undefined at this depth.
    const value = items[at + 1] as Value | undefined
    values.set(name, isList(head) ? readOperation(reader, operation, value) : value)
  }
  return values
}

function readOperation(reader: ByteReader, number: CborItem, values: Value | undefined): FieldOperation {
  const name = typeof number === 'number' ? operationNames[number - 1] : undefined
  if (name === undefined || !Array.isArray(values)) throw reader.violation('an operation that is none')
  const problem = operationProblem(name, values)
  if (problem !== undefined) throw reader.violation(`an operation: ${problem}`)
  return decoded(reader, () => new FieldOperation(name, values))
}

function isList(item: CborItem): item is readonly CborItem[] {
  return Array.isArray(item)
}

function tooLarge(what: string, bytes: number, bytesMax: number): BlazeError {
  return new BlazeError('TOO_LARGE', `${what} of ${bytes} bytes, at most ${bytesMax} fit into one request`, {
    details: { bytes, bytesMax },
  })
}
