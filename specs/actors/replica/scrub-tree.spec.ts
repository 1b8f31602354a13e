/** The scrub tree against plain sets: order of making, comparison of two sides over the wire form, bounds (REPLICATION rule 24). */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  encodeScrubNodes,
  encodeScrubPrefixes,
  encodeScrubTags,
  parseScrubNodes,
  parseScrubPrefixes,
  parseScrubTags,
} from '../../../actors/replica/scrub-message.ts'
import {
  differingTags,
  equalNodes,
  SCRUB_DEPTH,
  ScrubDescent,
  scrubLeaf,
  scrubRange,
  ScrubTree,
} from '../../../actors/replica/scrub-tree.ts'
import type { ScrubPrefix, ScrubTag } from '../../../actors/replica/scrub-tree.ts'
import { SetHash } from '../../../actors/replica/set-hash.ts'
import { compareBytes, createChance, toHex } from '../../../runtime/index.ts'

interface Live {
  readonly tag: Uint8Array
  readonly hash: Uint8Array
}

const root = { depth: 0, nibbles: 0 }
const bytes16 = fc.uint8Array({ minLength: 16, maxLength: 16 })
// Few first bytes, so that tags share leaves and parents.
const tagBytes = fc
  .tuple(fc.constantFrom(0, 1, 0x10, 0xff), fc.constantFrom(0, 1, 0x80), bytes16)
  .map(([a, b, rest]) => Uint8Array.of(a, b, ...rest.subarray(2)))
const liveSet = fc.array(fc.record({ tag: tagBytes, hash: bytes16 }), { maxLength: 30 })

function treeOf(live: readonly Live[]): ScrubTree {
  const tree = new ScrubTree()
  for (const { tag, hash } of live) tree.add(tag, hash)
  return tree
}

/** What the other side would read from its store for a leaf. */
function tagsOf(live: readonly Live[], leaf: ScrubPrefix): ScrubTag[] {
  const { from, before } = scrubRange(leaf)
  const sums = new Map<string, { tag: Uint8Array; sum: SetHash }>()
  for (const { tag, hash } of live) {
    if (compareBytes(tag, from) < 0 || (before !== undefined && compareBytes(tag, before) >= 0)) continue
    const entry = sums.get(toHex(tag)) ?? { tag, sum: new SetHash() }
    entry.sum.add(hash)
    sums.set(toHex(tag), entry)
  }
  return [...sums.values()]
    .map(({ tag, sum }) => ({ tag, sum: sum.bytes() }))
    .sort((a, b) => compareBytes(a.tag, b.tag))
}

/** Runs a whole comparison over the bytes of PROTOCOL §14. */
function compare(
  mine: readonly Live[],
  theirs: readonly Live[],
  nodesMax: number,
): { tags: string[]; most: number } {
  const other = treeOf(theirs)
  const descent = new ScrubDescent(treeOf(mine), nodesMax)
  const found = new Set<string>()
  let most = 0
  while (descent.asks.length > 0) {
    const asked = parseScrubPrefixes(encodeScrubPrefixes(descent.asks))
    most = Math.max(most, asked.length)
    const told = encodeScrubNodes(asked.map((prefix) => other.node(prefix)))
    assert.ok(descent.answer(parseScrubNodes(told)))
    for (const leaf of descent.take()) {
      const list = parseScrubTags(encodeScrubTags(tagsOf(theirs, leaf)))
      for (const tag of differingTags(tagsOf(mine, leaf), list)) found.add(toHex(tag))
    }
  }
  return { tags: [...found].sort(), most }
}

/** The same without any tree. */
function expected(mine: readonly Live[], theirs: readonly Live[]): string[] {
  const sums = (live: readonly Live[]): Map<string, string> => {
    const map = new Map<string, SetHash>()
    for (const { tag, hash } of live) {
      const sum = map.get(toHex(tag)) ?? new SetHash()
      sum.add(hash)
      map.set(toHex(tag), sum)
    }
    return new Map([...map].map(([tag, sum]) => [tag, toHex(sum.bytes())]))
  }
  const [a, b] = [sums(mine), sums(theirs)]
  return [...new Set([...a.keys(), ...b.keys()])].filter((tag) => a.get(tag) !== b.get(tag)).sort()
}

test('one live set has one tree, in whatever order it was made and whatever came and went', () => {
  fc.assert(
    fc.property(liveSet, liveSet, (live, gone) => {
      const tree = treeOf([...gone, ...live])
      for (const { tag, hash } of gone) tree.remove(tag, hash)
      const other = treeOf([...live].reverse())

      assert.ok(equalNodes(tree.node(root), other.node(root)))
      for (const { tag } of [...live, ...gone]) {
        assert.ok(equalNodes(tree.node(scrubLeaf(tag)), other.node(scrubLeaf(tag))))
      }
      assert.is(tree.node(root).count, live.length)
    }),
  )
})

test('a node is the sum of its children, and of nothing else', () => {
  fc.assert(
    fc.property(liveSet, (live) => {
      const tree = treeOf(live)
      const check = (prefix: ScrubPrefix): void => {
        const children = tree.children(prefix)
        if (children.length === 0) return
        const sum = new SetHash()
        for (const child of children) sum.add(child.sum)
        assert.equal(tree.node(prefix).sum, sum.bytes())
        for (const child of children) if (child.count > 0) check(child)
      }
      check(root)
    }),
  )
})

test('two sides find just the tags that differ, and ask for no more nodes at a time than they said', () => {
  fc.assert(
    fc.property(
      liveSet,
      liveSet,
      liveSet,
      fc.integer({ min: 16, max: 40 }),
      (both, mine, theirs, nodesMax) => {
        const [a, b] = [
          [...both, ...mine],
          [...both, ...theirs],
        ]
        const { tags, most } = compare(a, b, nodesMax)

        assert.equal(tags, expected(a, b))
        assert.ok(most <= nodesMax, `${most} nodes`)
      },
    ),
  )
})

test('two equal sides exchange the root and nothing more', () => {
  const live = [{ tag: new Uint8Array(16).fill(3), hash: new Uint8Array(16).fill(7) }]
  const descent = new ScrubDescent(treeOf(live), 256)

  assert.equal(descent.asks, [root])
  assert.ok(descent.answer([treeOf(live).node(root)]))
  assert.equal([descent.asks, descent.take()], [[], []])
})

test('an answer to another question changes nothing', () => {
  const live = [{ tag: new Uint8Array(16), hash: new Uint8Array(16).fill(7) }]
  const descent = new ScrubDescent(treeOf(live), 256)

  assert.not(descent.answer([]))
  assert.not(descent.answer([treeOf([]).node({ depth: 1, nibbles: 0 })]))
  assert.equal(descent.asks, [root])
})

test('one tag of a million that differs costs 65 nodes and one leaf', () => {
  const chance = createChance(1)
  const random = (): Uint8Array => Uint8Array.from({ length: 16 }, () => Math.floor(chance() * 256))
  const [tree, other] = [new ScrubTree(), new ScrubTree()]
  for (let n = 0; n < 1_000_000; n += 1) {
    // Only the place and the sum count here.
    const tag = Uint8Array.of(n >>> 12, (n * 7) & 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    const hash = tag
    tree.add(tag, hash)
    other.add(tag, hash)
  }
  other.add(random(), random())

  const descent = new ScrubDescent(tree, 256)
  let nodes = 0
  while (descent.asks.length > 0) {
    nodes += descent.asks.length
    descent.answer(descent.asks.map((prefix) => other.node(prefix)))
  }

  assert.is(nodes, 1 + 16 * SCRUB_DEPTH)
  assert.is(descent.take().length, 1)
})

test('a leaf names its range of tags, and the last has no end', () => {
  const { from, before } = scrubRange({ depth: 4, nibbles: 0x12ff })
  const last = scrubRange({ depth: 4, nibbles: 0xffff })

  assert.is(toHex(from), `12ff${'00'.repeat(14)}`)
  assert.is(toHex(before ?? new Uint8Array()), `1300${'00'.repeat(14)}`)
  assert.is(last.before, undefined)
  assert.is(toHex(scrubRange({ depth: 1, nibbles: 3 }).from), `3000${'00'.repeat(14)}`)
})

test('prefixes that no tree has, and tags out of order, are refused', () => {
  for (const bytes of [
    [5, 0, 0],
    [1, 0, 16],
    [0, 0, 1],
    [4, 1],
  ]) {
    assert.throws(() => parseScrubPrefixes(Uint8Array.from(bytes)), /scrub prefixes/)
  }
  const tag = { tag: new Uint8Array(16), sum: new Uint8Array(16) }
  assert.throws(() => parseScrubTags(encodeScrubTags([tag, tag])), /out of order/)
})

test.run()
