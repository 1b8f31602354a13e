/** Bytes of the questions and answers of a scrub (PROTOCOL §14). Parsers refuse what the table does not allow. */
import { ByteReader, ByteWriter, limits } from '../../runtime/index.ts'
import {
  encodeScrubNodes,
  encodeScrubPrefixes,
  encodeScrubTags,
  parseScrubNodes,
  parseScrubPrefixes,
  parseScrubTags,
  SCRUB_DEPTH,
} from '../replica/index.ts'
import type { ScrubNode, ScrubPrefix, ScrubTag } from '../replica/index.ts'

const TAG_BYTES = 16
const LEAF_TAG_BYTES = 32
/** A root and its children. */
const TOP_NODES = 17

export interface LeafList {
  readonly leaf: ScrubPrefix
  readonly tags: readonly ScrubTag[]
}

export type ScrubAsk =
  | { readonly kind: 'root'; readonly node: ScrubNode }
  | { readonly kind: 'nodes'; readonly prefixes: readonly ScrubPrefix[] }
  | { readonly kind: 'leaves'; readonly lists: readonly LeafList[] }
  | { readonly kind: 'verify' }

export type ScrubAnswer =
  | { readonly kind: 'same' }
  | { readonly kind: 'later' }
  | { readonly kind: 'nodes'; readonly nodes: readonly ScrubNode[] }
  | { readonly kind: 'tags'; readonly tags: readonly Uint8Array[] }
  | { readonly kind: 'verify' }

export function encodeScrubAsk(ask: ScrubAsk): Uint8Array {
  switch (ask.kind) {
    case 'root':
      return kindOf(0, encodeScrubNodes([ask.node]))
    case 'nodes':
      return kindOf(1, encodeScrubPrefixes(ask.prefixes))
    case 'leaves': {
      const writer = new ByteWriter(1024).u8(2)
      for (const { leaf, tags } of ask.lists)
        writer
          .bytes(encodeScrubPrefixes([leaf]))
          .u32(tags.length)
          .bytes(encodeScrubTags(tags))
      return writer.finish()
    }
    case 'verify':
      return Uint8Array.of(3)
  }
}

/** `PROTOCOL_VIOLATION`. */
export function parseScrubAsk(bytes: Uint8Array): ScrubAsk {
  const reader = new ByteReader(bytes, 'relay scrub')
  const kind = reader.u8()
  if (kind === 0) {
    const [node, ...more] = parseScrubNodes(reader.rest())
    if (node === undefined || more.length > 0 || node.depth !== 0) throw reader.violation('no root')
    return { kind: 'root', node }
  }
  if (kind === 1) {
    const prefixes = parseScrubPrefixes(reader.rest())
    if (prefixes.length === 0 || prefixes.length > limits.scrubNodesMax)
      throw reader.violation(`${prefixes.length} prefixes, expected 1 to ${limits.scrubNodesMax}`)
    return { kind: 'nodes', prefixes }
  }
  if (kind === 2) {
    const lists: LeafList[] = []
    while (reader.remaining > 0 && lists.length <= limits.scrubLeavesMax) lists.push(readList(reader))
    if (lists.length === 0 || lists.length > limits.scrubLeavesMax)
      throw reader.violation(`other than 1 to ${limits.scrubLeavesMax} leaves`)
    return { kind: 'leaves', lists }
  }
  if (kind !== 3) throw reader.violation(`kind ${kind}`)
  reader.end()
  return { kind: 'verify' }
}

export function encodeScrubAnswer(answer: ScrubAnswer): Uint8Array {
  switch (answer.kind) {
    case 'same':
      return Uint8Array.of(0, 0)
    case 'later':
      return Uint8Array.of(0, 1)
    case 'nodes':
      return kindOf(1, encodeScrubNodes(answer.nodes))
    case 'tags': {
      const writer = new ByteWriter(1 + TAG_BYTES * answer.tags.length).u8(2)
      for (const tag of answer.tags) writer.bytes(tag)
      return writer.finish()
    }
    case 'verify':
      return Uint8Array.of(3)
  }
}

/** `PROTOCOL_VIOLATION`. */
export function parseScrubAnswer(bytes: Uint8Array): ScrubAnswer {
  const reader = new ByteReader(bytes, 'relay scrubbed')
  const kind = reader.u8()
  if (kind === 0) {
    const result = reader.u8()
    reader.end()
    if (result > 1) throw reader.violation(`result ${result}`)
    return { kind: result === 0 ? 'same' : 'later' }
  }
  if (kind === 1) {
    const nodes = parseScrubNodes(reader.rest())
    if (nodes.length > Math.max(limits.scrubNodesMax, TOP_NODES)) throw reader.violation('too many nodes')
    return { kind: 'nodes', nodes }
  }
  if (kind === 2) {
    if (reader.remaining > TAG_BYTES * limits.scrubTagsMax)
      throw reader.violation(`more than ${limits.scrubTagsMax} tags`)
    const tags: Uint8Array[] = []
    // Copies: they wait until a part is made of them.
    while (reader.remaining > 0) tags.push(reader.bytes(TAG_BYTES).slice())
    return { kind: 'tags', tags }
  }
  if (kind !== 3) throw reader.violation(`kind ${kind}`)
  reader.end()
  return { kind: 'verify' }
}

function readList(reader: ByteReader): LeafList {
  const [leaf] = parseScrubPrefixes(reader.bytes(3))
  const count = reader.u32()
  if (count > limits.scrubLeafTagsMax || leaf === undefined || leaf.depth !== SCRUB_DEPTH)
    throw reader.violation(`a leaf list of ${count}`)
  return { leaf, tags: parseScrubTags(reader.bytes(LEAF_TAG_BYTES * count)) }
}

function kindOf(kind: number, body: Uint8Array): Uint8Array {
  return new ByteWriter(1 + body.length).u8(kind).bytes(body).finish()
}
