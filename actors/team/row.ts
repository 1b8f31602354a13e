/** Where a team lies in the store, PROTOCOL §6.1: `'m' | u32 order | entry hash` → entry, `'r' | replica id` → announcement. */
import { BlazeError, ByteReader, ByteWriter } from '../../runtime/index.ts'

const ENTRY = 0x6d
const ANNOUNCEMENT = 0x72

/** Assignable to the store's put operation. */
export interface TeamPut {
  readonly type: 'put'
  readonly key: Uint8Array
  readonly value: Uint8Array
}

/** All rows of a team lie in these ranges; read them in this order for `load`. */
export const teamRowRanges: readonly { readonly gte: Uint8Array; readonly lt: Uint8Array }[] = [
  { gte: Uint8Array.of(ENTRY), lt: Uint8Array.of(ENTRY + 1) },
  { gte: Uint8Array.of(ANNOUNCEMENT), lt: Uint8Array.of(ANNOUNCEMENT + 1) },
]

export type TeamRowKey =
  | { readonly kind: 'entry'; readonly order: number; readonly hash: Uint8Array }
  | { readonly kind: 'announcement'; readonly replicaId: Uint8Array }

export function entryRow(order: number, hash: Uint8Array, bytes: Uint8Array): TeamPut {
  return { type: 'put', key: new ByteWriter(37).u8(ENTRY).u32(order).bytes(hash).finish(), value: bytes }
}

export function announcementRow(replicaId: Uint8Array, bytes: Uint8Array): TeamPut {
  return { type: 'put', key: new ByteWriter(9).u8(ANNOUNCEMENT).bytes(replicaId).finish(), value: bytes }
}

/** Throws `DAMAGED` for a key that is no team row. */
export function parseTeamRowKey(key: Uint8Array): TeamRowKey {
  if (key[0] === ENTRY && key.length === 37) {
    const reader = new ByteReader(key.subarray(1), 'log entry key')
    return { kind: 'entry', order: reader.u32(), hash: reader.rest() }
  }
  if (key[0] === ANNOUNCEMENT && key.length === 9) return { kind: 'announcement', replicaId: key.subarray(1) }
  throw new BlazeError('DAMAGED', `a row of ${key.length} bytes of key is no row of a team`)
}
