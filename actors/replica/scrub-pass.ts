/**
 * What a scrub reads of a store: its tree, by a pass over all tags, and the tags of a leaf.
 * Invariant: passes over one replica do not run side by side, however many ask; a tree is kept for a minute, so that a descent sees one.
 */
import { limits, type Env } from '../../runtime/index.ts'
import type { Replica } from './replica.ts'
import { scrubRange, ScrubTree, type ScrubPrefix, type ScrubTag } from './scrub-tree.ts'
import { SetHash } from './set-hash.ts'

type Scanned = Pick<Replica, 'scan'>

interface Kept {
  readonly tree: Promise<ScrubTree>
  /** Monotonic ms when the pass began. */
  readonly sinceMs: number
}

const kept = new WeakMap<Scanned, Kept>()

/** Of a moment at most a minute ago. Rejects as `Replica.scan`. */
export function scrubTree(replica: Scanned, env: Env): Promise<ScrubTree> {
  const known = kept.get(replica)
  const nowMs = env.monotonic()
  if (known !== undefined && nowMs - known.sinceMs < limits.scrubTreeMs) return known.tree
  const tree = build(replica)
  const entry = { tree, sinceMs: nowMs }
  kept.set(replica, entry)
  const forget = (): void => {
    if (kept.get(replica) === entry) kept.delete(replica)
  }
  tree.then(() => void env.after(limits.scrubTreeMs, forget), forget)
  return tree
}

/** The next comparison needs what is there now. */
export function forgetScrubTree(replica: Scanned): void {
  kept.delete(replica)
}

/** Ascending, at most `limits.scrubLeafTagsMax`. */
export async function scrubLeafTags(replica: Scanned, leaf: ScrubPrefix): Promise<ScrubTag[]> {
  const { from, before } = scrubRange(leaf)
  const found: ScrubTag[] = []
  let after = predecessor(from)
  for (;;) {
    const page = await replica.scan(after, limits.scrubPageTags)
    for (const { tag, live } of page) {
      if (before !== undefined && Buffer.compare(tag, before) >= 0) return found
      if (found.length >= limits.scrubLeafTagsMax) return found
      const sum = new SetHash()
      for (const { hash } of live) sum.add(hash)
      found.push({ tag: tag.slice(), sum: sum.bytes() })
    }
    const last = page.at(-1)
    if (last === undefined || page.length < limits.scrubPageTags) return found
    after = last.tag
  }
}

async function build(replica: Scanned): Promise<ScrubTree> {
  const tree = new ScrubTree()
  let after: Uint8Array | undefined
  for (;;) {
    const page = await replica.scan(after, limits.scrubPageTags)
    for (const { tag, live } of page) for (const { hash } of live) tree.add(tag, hash)
    after = page.at(-1)?.tag
    if (after === undefined) return tree
  }
}

/** The tag just below; undefined below the lowest. */
function predecessor(tag: Uint8Array): Uint8Array | undefined {
  const below = tag.slice()
  for (let at = below.length - 1; at >= 0; at--) {
    const byte = below[at] as number
    below[at] = (byte + 255) & 255
    if (byte > 0) return below
  }
  return undefined
}
