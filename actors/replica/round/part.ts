/**
 * Items of a part of a round, and their bytes in a data message (PROTOCOL §10).
 * Invariant: an item is never cut; parsing checks shape only, and trust comes from `applyPart`.
 */
import { ByteReader, ByteWriter } from '../../../runtime/index.ts'
import { encodeVectorEntry, parseVectorEntry, VECTOR_ENTRY_BYTES } from '../vector.ts'
import type { VectorEntry } from '../vector.ts'

export type PartItem =
  /** A commit in wire form (PROTOCOL §3). */
  | { readonly kind: 'commit'; readonly bytes: Uint8Array }
  | { readonly kind: 'envelope'; readonly commitFirstSeq: number; readonly bytes: Uint8Array }
  /** In the last part of a round only. */
  | { readonly kind: 'vector'; readonly entry: VectorEntry; readonly commitFirstSeq: number }

const KIND_COMMIT = 1
const KIND_ENVELOPE = 2
const KIND_VECTOR = 3
const ITEM_HEADER_BYTES = 5

/** Bytes of the item in a message, its kind and length included. */
export function itemBytes(item: PartItem): number {
  switch (item.kind) {
    case 'commit':
      return ITEM_HEADER_BYTES + item.bytes.length
    case 'envelope':
      return ITEM_HEADER_BYTES + 6 + item.bytes.length
    case 'vector':
      return ITEM_HEADER_BYTES + VECTOR_ENTRY_BYTES + 6
  }
}

export function encodeItems(items: readonly PartItem[]): Uint8Array {
  let length = 0
  for (const item of items) length += itemBytes(item)
  const writer = new ByteWriter(length)
  for (const item of items) encodeItem(writer, item)
  return writer.finish()
}

function encodeItem(writer: ByteWriter, item: PartItem): void {
  const length = itemBytes(item) - ITEM_HEADER_BYTES
  switch (item.kind) {
    case 'commit':
      writer.u8(KIND_COMMIT).u32(length).bytes(item.bytes)
      return
    case 'envelope':
      writer.u8(KIND_ENVELOPE).u32(length).u48(item.commitFirstSeq).bytes(item.bytes)
      return
    case 'vector':
      writer.u8(KIND_VECTOR).u32(length)
      encodeVectorEntry(writer, item.entry)
      writer.u48(item.commitFirstSeq)
  }
}

/** Views into `bytes`. `PROTOCOL_VIOLATION` for an unknown kind, a length that does not fit, or bytes left over. */
export function parseItems(bytes: Uint8Array): PartItem[] {
  const reader = new ByteReader(bytes, 'data items')
  const items: PartItem[] = []
  while (reader.remaining > 0) {
    const kind = reader.u8()
    const item = new ByteReader(reader.bytes(reader.u32()), 'data item')
    if (kind === KIND_COMMIT) items.push({ kind: 'commit', bytes: item.rest() })
    else if (kind === KIND_ENVELOPE) {
      items.push({ kind: 'envelope', commitFirstSeq: item.u48(), bytes: item.rest() })
    } else if (kind === KIND_VECTOR) {
      items.push({ kind: 'vector', entry: parseVectorEntry(item), commitFirstSeq: item.u48() })
      item.end()
    } else throw reader.violation(`unknown item kind ${kind}`)
  }
  return items
}
