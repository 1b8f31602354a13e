/** The directory of an index as bytes: its pages in order, each with its first key (PROTOCOL §6.3). Invariant: first keys ascend strictly. */
import { ByteReader, ByteWriter } from '../../../runtime/index.ts'
import { badPage } from './page.ts'
import type { Fence } from './paged-index.ts'

export function encodeDirectory(fences: readonly Fence[]): Uint8Array {
  let length = 6
  for (const { first } of fences) length += 8 + first.length
  const writer = new ByteWriter(length).u48(fences.length)
  for (const { first, page } of fences) {
    writer.u48(page).u16(first.length).bytes(Buffer.from(first, 'latin1'))
  }
  return writer.finish()
}

/** `DAMAGED`, or `PROTOCOL_VIOLATION` where it ends too soon or too late, for anything that `encodeDirectory` did not make. */
export function decodeDirectory(bytes: Uint8Array): Fence[] {
  const reader = new ByteReader(bytes, 'index directory')
  const fences: Fence[] = []
  let before: string | undefined
  for (let left = reader.u48(); left > 0; left -= 1) {
    const page = reader.u48()
    const first = Buffer.from(reader.bytes(reader.u16())).toString('latin1')
    if (before !== undefined && before >= first) throw badPage()
    fences.push({ first, page })
    before = first
  }
  reader.end()
  return fences
}
