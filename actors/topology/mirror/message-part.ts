/** Pieces that several messages of PROTOCOL §12 share. Invariant: a length is checked against its bound before anything is read. */
import { BlazeError, limits } from '../../../runtime/index.ts'
import type { ByteReader, ByteWriter } from '../../../runtime/index.ts'
import { openCollectionProblem } from '../../database/index.ts'

/** A length and the CBOR of at most one record. A view. */
export function readCbor(reader: ByteReader): Uint8Array {
  const length = reader.u32()
  if (length > limits.recordCborBytesMax) throw reader.violation(`a record of ${length} bytes`)
  return reader.bytes(length)
}

/** What the decoder refuses as a bad value, the peer should not have sent. */
export function decoded<T>(reader: ByteReader, decode: () => T): T {
  try {
    return decode()
  } catch (error) {
    if (error instanceof BlazeError && error.code === 'BAD_VALUE') throw reader.violation(error.message)
    throw error
  }
}

/** A length of one byte, then text. */
export function writeName(writer: ByteWriter, name: string): void {
  const bytes = new TextEncoder().encode(name)
  writer.u8(bytes.length).bytes(bytes)
}

export function readName(reader: ByteReader): string {
  const length = reader.u8()
  if (length === 0) throw reader.violation('an empty name')
  return reader.text(length)
}

export function readCollection(reader: ByteReader): string {
  const name = readName(reader)
  const problem = openCollectionProblem(name)
  if (problem !== undefined) throw reader.violation(`the name of a collection: ${problem}`)
  return name
}

/** A byte that is 0 or 1. */
export function readBit(reader: ByteReader, what: string): boolean {
  const bit = reader.u8()
  if (bit > 1) throw reader.violation(`${what} ${bit}`)
  return bit === 1
}

/** A byte of flags, none above those that are `known`. */
export function readFlags(reader: ByteReader, known: number): number {
  const flags = reader.u8()
  if (flags > known) throw reader.violation(`flags ${flags}`)
  return flags
}

/** 16 bytes; a copy: what is kept of a message must not keep all of it. */
export function readId(reader: ByteReader): Uint8Array {
  return reader.bytes(16).slice()
}
