/**
 * Large byte values as chunks: which they are, how many, and what their records are called (REPLICATION rule 30).
 * Invariant: ids follow from the blob id and the place alone, so that whoever has the value of a field finds its chunks.
 */
import { limits, toHex } from '../../../runtime/index.ts'
import type { Large } from '../record/merge.ts'

/** Of chunk records; applications cannot name it. */
export const CHUNK_COLLECTION = '~chunk'

const PLACE_DIGITS = 4
const ID = /^([0-9a-f]{32})\.(\d{4})$/

/** Whether a value of a field is stored as chunks. */
export function isLarge(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array && value.length > limits.chunkBytes
}

export function chunkCount({ bytes }: Pick<Large, 'bytes'>): number {
  return Math.ceil(bytes / limits.chunkBytes)
}

/** Id of the chunk record at that place, from 0. */
export function chunkId(blob: Uint8Array, place: number): string {
  return `${toHex(blob)}.${String(place).padStart(PLACE_DIGITS, '0')}`
}

/** What every id of the blob begins with. */
export function chunkPrefix(blobHex: string): string {
  return `${blobHex}.`
}

/** Undefined for an id that no chunk has. */
export function parseChunkId(id: string): { readonly blobHex: string; readonly place: number } | undefined {
  const [, blobHex, place] = ID.exec(id) ?? []
  return blobHex === undefined || place === undefined ? undefined : { blobHex, place: Number(place) }
}
