/**
 * Bytes of the parts of a scrub: prefixes, nodes, and the tags of a leaf (PROTOCOL §14).
 * Invariant: one meaning has one byte form, and nothing is read past the bounds that are given.
 */
import { ByteReader, ByteWriter, compareBytes } from '../../runtime/index.ts'
import { isPrefix } from './scrub-tree.ts'
import type { ScrubNode, ScrubPrefix, ScrubTag } from './scrub-tree.ts'
import { SET_HASH_BYTES } from './set-hash.ts'

const TAG_BYTES = 16

export function encodeScrubPrefixes(prefixes: readonly ScrubPrefix[]): Uint8Array {
  const writer = new ByteWriter(3 * prefixes.length)
  for (const { depth, nibbles } of prefixes) writer.u8(depth).u16(nibbles)
  return writer.finish()
}

/** `PROTOCOL_VIOLATION` for a prefix that no tree has. */
export function parseScrubPrefixes(bytes: Uint8Array): ScrubPrefix[] {
  const reader = new ByteReader(bytes, 'scrub prefixes')
  const prefixes: ScrubPrefix[] = []
  while (reader.remaining > 0) prefixes.push(readPrefix(reader))
  return prefixes
}

export function encodeScrubNodes(nodes: readonly ScrubNode[]): Uint8Array {
  const writer = new ByteWriter(23 * nodes.length)
  for (const { depth, nibbles, count, sum } of nodes) writer.u8(depth).u16(nibbles).u32(count).bytes(sum)
  return writer.finish()
}

/** Views into `bytes`. `PROTOCOL_VIOLATION`. */
export function parseScrubNodes(bytes: Uint8Array): ScrubNode[] {
  const reader = new ByteReader(bytes, 'scrub nodes')
  const nodes: ScrubNode[] = []
  while (reader.remaining > 0) {
    const prefix = readPrefix(reader)
    nodes.push({ ...prefix, count: reader.u32(), sum: reader.bytes(SET_HASH_BYTES) })
  }
  return nodes
}

/** Tags in ascending order. */
export function encodeScrubTags(tags: readonly ScrubTag[]): Uint8Array {
  const writer = new ByteWriter((TAG_BYTES + SET_HASH_BYTES) * tags.length)
  for (const { tag, sum } of tags) writer.bytes(tag).bytes(sum)
  return writer.finish()
}

/** Views into `bytes`. `PROTOCOL_VIOLATION` also for tags out of order. */
export function parseScrubTags(bytes: Uint8Array): ScrubTag[] {
  const reader = new ByteReader(bytes, 'scrub tags')
  const tags: ScrubTag[] = []
  while (reader.remaining > 0) {
    const tag = reader.bytes(TAG_BYTES)
    const before = tags.at(-1)
    if (before !== undefined && compareBytes(before.tag, tag) >= 0)
      throw reader.violation('tags out of order')
    tags.push({ tag, sum: reader.bytes(SET_HASH_BYTES) })
  }
  return tags
}

function readPrefix(reader: ByteReader): ScrubPrefix {
  const prefix = { depth: reader.u8(), nibbles: reader.u16() }
  if (!isPrefix(prefix)) throw reader.violation(`no node at depth ${prefix.depth}, ${prefix.nibbles}`)
  return prefix
}
