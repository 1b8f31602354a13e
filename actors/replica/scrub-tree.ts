/**
 * The 16-ary tree over tags by which two replicas of any kind find the tags that they hold differently (REPLICATION rule 24, PROTOCOL §14).
 * Invariant: equal live sets have equal nodes, in whatever order they were made; memory does not grow with the number of tags.
 */
import { assert, compareBytes, readU32, writeU32 } from '../../runtime/index.ts'
import { SET_HASH_BYTES } from './set-hash.ts'

/** Nibbles of a leaf's prefix: 65,536 leaves, of about 15 tags each at a million. */
export const SCRUB_DEPTH = 4
const SCRUB_WIDTH = 16

/** The first `depth` nibbles of some tags, as a number; depth 0 is the root, which holds all. */
export interface ScrubPrefix {
  readonly depth: number
  readonly nibbles: number
}

export interface ScrubNode extends ScrubPrefix {
  /** Live envelopes under the prefix. */
  readonly count: number
  /** Sum of their hashes modulo 2^128, 16 bytes. */
  readonly sum: Uint8Array
}

/** A tag of a leaf, with the sum over its live envelopes. */
export interface ScrubTag {
  readonly tag: Uint8Array
  readonly sum: Uint8Array
}

/** Words of a node: its count, then its sum, most significant word first. */
const WORDS = 5

export class ScrubTree {
  /** All levels, the root first: 1.4 MB, whatever is in them. */
  readonly #words = new Uint32Array(WORDS * firstOf(SCRUB_DEPTH + 1))

  /** A live envelope of the tag came; `hash` is its 16 bytes. */
  add(tag: Uint8Array, hash: Uint8Array): void {
    this.#move(tag, hash, true)
  }

  /** A live envelope of the tag left. It must have been added. */
  remove(tag: Uint8Array, hash: Uint8Array): void {
    this.#move(tag, hash, false)
  }

  node(prefix: ScrubPrefix): ScrubNode {
    const { depth, nibbles } = prefix
    assert(isPrefix(prefix), `no node at depth ${depth}, ${nibbles}`)
    const at = WORDS * (firstOf(depth) + nibbles)
    const sum = new Uint8Array(SET_HASH_BYTES)
    for (let word = 1; word < WORDS; word += 1) writeU32(sum, word * 4 - 4, this.#words[at + word] as number)
    return { depth, nibbles, count: this.#words[at] as number, sum }
  }

  /** The 16 nodes below; none for a leaf. */
  children(prefix: ScrubPrefix): ScrubNode[] {
    return childrenOf(prefix).map((child) => this.node(child))
  }

  #move(tag: Uint8Array, hash: Uint8Array, up: boolean): void {
    const leaf = leafOf(tag)
    for (let depth = 0; depth <= SCRUB_DEPTH; depth += 1) {
      this.#moveAt(WORDS * (firstOf(depth) + (leaf >>> (4 * (SCRUB_DEPTH - depth)))), hash, up)
    }
  }

  #moveAt(at: number, hash: Uint8Array, up: boolean): void {
    const words = this.#words
    assert(up || (words[at] as number) > 0, 'a scrub node below zero')
    words[at] = (words[at] as number) + (up ? 1 : -1)
    let carry = 0
    for (let word = WORDS - 1; word >= 1; word -= 1) {
      const before = words[at + word] as number
      const by = readU32(hash, word * 4 - 4) + carry
      const after = up ? before + by : before - by
      words[at + word] = after
      carry = up ? Number(after > 0xffff_ffff) : Number(after < 0)
    }
  }
}

/** The leaf that a tag belongs to. */
export function scrubLeaf(tag: Uint8Array): ScrubPrefix {
  return { depth: SCRUB_DEPTH, nibbles: leafOf(tag) }
}

/** The lowest tag of a leaf, and the lowest of the leaf after it; undefined behind the last. */
export function scrubRange({ depth, nibbles }: ScrubPrefix): {
  from: Uint8Array
  before: Uint8Array | undefined
} {
  const width = 16 ** (SCRUB_DEPTH - depth)
  const end = (nibbles + 1) * width
  return { from: tagAt(nibbles * width), before: end === 16 ** SCRUB_DEPTH ? undefined : tagAt(end) }
}

/**
 * One side of a comparison, from the root down: asks for nodes of the other side, at most `nodesMax` at a time, and ends with leaves.
 * What a step leaves out for lack of room comes with a later one: differences that were found are kept as prefixes.
 */
export class ScrubDescent {
  readonly #tree: ScrubTree
  readonly #nodesMax: number
  /** Prefixes that differ and whose children were not asked for, deepest last. */
  readonly #open: ScrubPrefix[] = []
  #asked: ScrubPrefix[] = [{ depth: 0, nibbles: 0 }]
  readonly #leaves: ScrubPrefix[] = []

  /** `nodesMax` is at least 16. */
  constructor(tree: ScrubTree, nodesMax: number) {
    assert(nodesMax >= SCRUB_WIDTH, `a descent of ${nodesMax} nodes a step`)
    this.#tree = tree
    this.#nodesMax = nodesMax
  }

  /** What the other side is to tell next, in order; empty when the descent is done. */
  get asks(): readonly ScrubPrefix[] {
    return this.#asked
  }

  /** Leaves that differ, found so far; `take` empties the list. */
  take(): ScrubPrefix[] {
    return this.#leaves.splice(0)
  }

  /** The nodes that were asked for, one for one. False, and nothing taken, when they are others. */
  answer(nodes: readonly ScrubNode[]): boolean {
    const asked = this.#asked
    if (nodes.length !== asked.length || !nodes.every((node, at) => samePrefix(node, asked[at]))) return false
    for (const node of nodes) {
      if (equalNodes(this.#tree.node(node), node)) continue
      if (node.depth === SCRUB_DEPTH) this.#leaves.push({ depth: node.depth, nibbles: node.nibbles })
      else this.#open.push({ depth: node.depth, nibbles: node.nibbles })
    }
    this.#asked = []
    // Depth first, so that what is open stays below 16 nodes a level for each that is asked.
    while (this.#open.length > 0 && this.#asked.length + SCRUB_WIDTH <= this.#nodesMax) {
      this.#asked.push(...childrenOf(this.#open.pop() as ScrubPrefix))
    }
    return true
  }
}

/** The tags that only one of the two has, or that have another sum. */
export function differingTags(mine: readonly ScrubTag[], theirs: readonly ScrubTag[]): Uint8Array[] {
  const [a, b] = [sorted(mine), sorted(theirs)]
  const found: Uint8Array[] = []
  for (let i = 0, j = 0; i < a.length || j < b.length;) {
    const [left, right] = [a[i], b[j]]
    const order = left === undefined ? 1 : right === undefined ? -1 : compareBytes(left.tag, right.tag)
    if (order === 0 && compareBytes((left as ScrubTag).sum, (right as ScrubTag).sum) !== 0) {
      found.push((left as ScrubTag).tag)
    } else if (order < 0) found.push((left as ScrubTag).tag)
    else if (order > 0) found.push((right as ScrubTag).tag)
    if (order <= 0) i += 1
    if (order >= 0) j += 1
  }
  return found
}

export function equalNodes(a: ScrubNode, b: ScrubNode): boolean {
  return samePrefix(a, b) && a.count === b.count && compareBytes(a.sum, b.sum) === 0
}

export function isPrefix({ depth, nibbles }: ScrubPrefix): boolean {
  if (!Number.isInteger(depth) || depth < 0 || depth > SCRUB_DEPTH) return false
  return Number.isInteger(nibbles) && nibbles >= 0 && nibbles < 16 ** depth
}

function childrenOf({ depth, nibbles }: ScrubPrefix): ScrubPrefix[] {
  if (depth === SCRUB_DEPTH) return []
  return Array.from({ length: SCRUB_WIDTH }, (_, at) => ({ depth: depth + 1, nibbles: nibbles * 16 + at }))
}

function samePrefix(a: ScrubPrefix, b: ScrubPrefix | undefined): boolean {
  return b !== undefined && a.depth === b.depth && a.nibbles === b.nibbles
}

/** Nodes of all levels above. */
function firstOf(depth: number): number {
  return (16 ** depth - 1) / 15
}

function leafOf(tag: Uint8Array): number {
  return ((tag[0] as number) << 8) | (tag[1] as number)
}

function tagAt(leaf: number): Uint8Array {
  const tag = new Uint8Array(16)
  tag[0] = leaf >>> 8
  tag[1] = leaf & 0xff
  return tag
}

function sorted(tags: readonly ScrubTag[]): ScrubTag[] {
  return [...tags].sort((a, b) => compareBytes(a.tag, b.tag))
}
