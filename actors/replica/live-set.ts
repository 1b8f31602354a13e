/**
 * The live envelopes of one tag: what kills what, how sets merge, what a writer must name (REPLICATION rules 8 and 9).
 * Invariant: nothing kills but a context, and a set that had an envelope never becomes empty.
 */
import { bytesKey, compareBytes, equalBytes, limits } from '../../runtime/index.ts'
import type { ContextEntry, EnvelopeHeader } from './envelope.ts'

/** What merging looks at. */
export type Dotted = Pick<EnvelopeHeader, 'tag' | 'replicaId' | 'seq' | 'context'>

/** Rule 8, for two envelopes of the same tag: `killer` has merged all that the victim's writer wrote up to the victim. */
export function kills(killer: Dotted, victim: Dotted): boolean {
  for (const entry of killer.context) {
    if (victim.seq <= entry.seq && equalBytes(entry.replicaId, victim.replicaId)) return true
  }
  return false
}

export function sameDot(a: Dotted, b: Dotted): boolean {
  return a.seq === b.seq && equalBytes(a.replicaId, b.replicaId)
}

/** By replica id, then seq. */
export function compareDots(a: Dotted, b: Dotted): number {
  const order = compareBytes(a.replicaId, b.replicaId)
  return order === 0 ? a.seq - b.seq : order
}

/**
 * Offers one envelope to a live set. Returns the same array when it is already there or killed (late arrivals never resurrect),
 * else a new one without what it kills.
 */
export function offer<H extends { readonly envelope: Dotted }>(live: readonly H[], offered: H): readonly H[] {
  const { envelope } = offered
  for (const held of live) {
    if (sameDot(held.envelope, envelope) || kills(held.envelope, envelope)) return live
  }
  return [...live.filter((held) => !kills(envelope, held.envelope)), offered]
}

/** The context of a write that merges the whole live set: its dots, and all that they had merged. */
export function contextOf(live: readonly Dotted[]): ContextEntry[] {
  const [first] = live
  if (first === undefined) return []
  // Nearly every set: one envelope, which had nothing to merge.
  if (live.length === 1 && first.context.length === 0) return [{ replicaId: first.replicaId, seq: first.seq }]
  const merged = new Map<string, ContextEntry>()
  for (const envelope of live) {
    raise(merged, envelope)
    for (const entry of envelope.context) raise(merged, entry)
  }
  const entries = [...merged.values()]
  if (entries.length > limits.envelopeContextsMax) {
    // Rule 2: surplus ones are left out, lowest first; what they would kill stays a sibling.
    entries.sort((a, b) => b.seq - a.seq || compareBytes(a.replicaId, b.replicaId))
    entries.length = limits.envelopeContextsMax
  }
  return entries.sort((a, b) => compareBytes(a.replicaId, b.replicaId))
}

function raise(merged: Map<string, ContextEntry>, { replicaId, seq }: ContextEntry): void {
  const key = bytesKey(replicaId)
  const known = merged.get(key)
  if (known === undefined || known.seq < seq) merged.set(key, { replicaId, seq })
}

const NONE: readonly never[] = []

export function envelopesOf<E extends Dotted>(live: readonly { readonly envelope: E }[]): readonly E[] {
  return live.length === 0 ? NONE : live.map(({ envelope }) => envelope)
}
