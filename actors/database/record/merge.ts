/**
 * Fields that are more than a value: counters, sets, maxima and minima, which have a join of their own (REPLICATION rule 31), and byte values
 * whose chunks are stored beside the record (rule 30).
 * Invariant: two merges that began as one join entry by entry, so the join is commutative, associative and idempotent, and a copy
 * counts once.
 */
import { assert, bytesKey, compareBytes, encodeCbor } from '../../../runtime/index.ts'
import type { Value } from '../../../runtime/index.ts'
import { compareValues } from './value-order.ts'

/** In the order of their numbers in PROTOCOL §2, and of their ranks when one field became two kinds at once. */
export const mergeKinds = ['counter', 'set', 'max', 'min', 'large'] as const
export type MergeKind = (typeof mergeKinds)[number]

/** One opening of one replica: `bytesKey` of its replica id and of the first 8 bytes of its boot id. */
export type Origin = string

export const REPLICA_ID_BYTES = 8
export const BOOT_BYTES = 8
/** Of a large value. */
export const BLOB_ID_BYTES = 16
export const ROOT_BYTES = 32
const INT_MIN = -(2n ** 63n)

/** What one opening of one replica has counted. */
export interface CounterEntry {
  /** Counts its changes, from 1: the higher one has all that the lower one has. */
  readonly n: number
  /** A whole number within ±`limits.counterSumMax`. */
  readonly sum: number
}

export interface Counter {
  readonly kind: 'counter'
  readonly entries: ReadonlyMap<Origin, CounterEntry>
}

export interface SetElement {
  readonly value: Value
  /** Latest add of each origin that nobody has removed: its number, from 1. Never empty. */
  readonly adds: ReadonlyMap<Origin, number>
}

/** A set in which an add wins over a concurrent remove (Bieniusa et al., 2012): a removed element leaves no entry of its own. */
export interface ElementSet {
  readonly kind: 'set'
  /** Number of the latest add of each origin that is known here, whether or not its element is still there. */
  readonly seen: ReadonlyMap<Origin, number>
  /** By `bytesKey` of the CBOR of the value. */
  readonly elements: ReadonlyMap<string, SetElement>
}

export interface Extreme {
  readonly kind: 'max' | 'min'
  readonly value: Value
}

/** Bytes that stand in chunk records. Two of one stamp are two copies of one write; the higher blob id counts. */
export interface Large {
  readonly kind: 'large'
  /** 16 bytes. */
  readonly blob: Uint8Array
  /** Of the whole value. */
  readonly bytes: number
  /** SHA-256 over the SHA-256 of each chunk. */
  readonly root: Uint8Array
}

export type Merge = Counter | ElementSet | Extreme | Large

export function originOf(replicaId: Uint8Array, bootId: Uint8Array): Origin {
  return bytesKey(replicaId) + bytesKey(bootId.subarray(0, BOOT_BYTES))
}

export function elementKey(value: Value): string {
  return bytesKey(encodeCbor(value))
}

/** The join of two merges of one kind. */
export function joinMerges(a: Merge, b: Merge): Merge {
  if (a.kind === 'counter' && b.kind === 'counter') return joinCounters(a, b)
  if (a.kind === 'set' && b.kind === 'set') return joinSets(a, b)
  if (a.kind === 'large' && b.kind === 'large') return compareLarge(a, b) >= 0 ? a : b
  assert(isExtreme(a) && isExtreme(b) && a.kind === b.kind, 'only merges of one kind are joined')
  return exceeds(a.kind, b.value, a.value) ? b : a
}

/** Joining one into the other changes nothing. */
export function equalMerges(a: Merge, b: Merge): boolean {
  if (a === b) return true
  if (a.kind === 'counter' && b.kind === 'counter') {
    return equalMaps(a.entries, b.entries, (x, y) => x.n === y.n && x.sum === y.sum)
  }
  if (a.kind === 'set' && b.kind === 'set') {
    return equalMaps(a.seen, b.seen, Object.is) && equalMaps(a.elements, b.elements, equalElements)
  }
  if (a.kind === 'large' && b.kind === 'large') return compareLarge(a, b) === 0
  return isExtreme(a) && isExtreme(b) && a.kind === b.kind && exactOrder(a.value, b.value) === 0
}

/** Whether a maximum or minimum of `found` becomes `offered`. */
export function exceeds(kind: Extreme['kind'], offered: Value, found: Value): boolean {
  const order = exactOrder(offered, found)
  return kind === 'max' ? order > 0 : order < 0
}

/** What is shown: a number, or a bigint beyond 2^53; an array in the order of values; the value. Undefined for what has to be fetched. */
export function shownOf(merge: Exclude<Merge, Large>): Value
export function shownOf(merge: Merge): Value | undefined
export function shownOf(merge: Merge): Value | undefined {
  switch (merge.kind) {
    case 'counter':
      return totalOf(merge)
    case 'set':
      return [...merge.elements.values()].map(({ value }) => value).sort(exactOrder)
    case 'large':
      return undefined
    default:
      return merge.value
  }
}

function compareLarge(a: Large, b: Large): number {
  return compareBytes(a.blob, b.blob) || a.bytes - b.bytes || compareBytes(a.root, b.root)
}

/** The order of values; what that calls equal has another order too: −0 before 0, the rest by its bytes. */
function exactOrder(a: Value, b: Value): number {
  if (a === 0 && b === 0) return Number(Object.is(b, -0)) - Number(Object.is(a, -0))
  return compareValues(a, b) || compareBytes(encodeCbor(a), encodeCbor(b))
}

function totalOf({ entries }: Counter): number | bigint {
  let total = 0
  for (const { sum } of entries.values()) {
    total += sum
    // Two safe integers add up exactly; what is beyond takes the longer way.
    if (!Number.isSafeInteger(total)) return longTotal(entries)
  }
  return total
}

function longTotal(entries: Counter['entries']): number | bigint {
  let total = 0n
  for (const { sum } of entries.values()) total += BigInt(sum)
  if (BigInt.asIntN(53, total) === total) return Number(total)
  // A record has no room for so many entries that they leave 64 bits; forged siblings have, and every replica shows the same of them.
  if (BigInt.asIntN(64, total) === total) return total
  return total < 0n ? INT_MIN : -INT_MIN - 1n
}

function joinCounters(a: Counter, b: Counter): Counter {
  const entries = new Map(a.entries)
  for (const [origin, entry] of b.entries) {
    const other = entries.get(origin)
    if (other === undefined || isLater(entry, other)) entries.set(origin, entry)
  }
  return { kind: 'counter', entries }
}

/** An origin numbers its changes itself, so only forged entries share a number and not a sum; the larger one then. */
function isLater(a: CounterEntry, b: CounterEntry): boolean {
  return a.n !== b.n ? a.n > b.n : a.sum > b.sum
}

function joinSets(a: ElementSet, b: ElementSet): ElementSet {
  const elements = new Map<string, SetElement>()
  for (const key of new Set([...a.elements.keys(), ...b.elements.keys()])) {
    const [mine, theirs] = [a.elements.get(key), b.elements.get(key)]
    const adds = new Map<Origin, number>()
    keepAdds(adds, mine, { element: theirs, seen: b.seen })
    keepAdds(adds, theirs, { element: mine, seen: a.seen })
    const known = mine ?? theirs
    if (known !== undefined && adds.size > 0) elements.set(key, { value: known.value, adds })
  }
  const seen = new Map(a.seen)
  for (const [origin, n] of b.seen) seen.set(origin, Math.max(n, seen.get(origin) ?? 0))
  return { kind: 'set', seen, elements }
}

/** What the other side has seen and does not have, it has removed or replaced. */
function keepAdds(
  into: Map<Origin, number>,
  from: SetElement | undefined,
  other: { readonly element: SetElement | undefined; readonly seen: ReadonlyMap<Origin, number> },
): void {
  if (from === undefined) return
  for (const [origin, n] of from.adds) {
    if (other.element?.adds.get(origin) === n || n > (other.seen.get(origin) ?? 0)) into.set(origin, n)
  }
}

function equalElements(a: SetElement, b: SetElement): boolean {
  return equalMaps(a.adds, b.adds, Object.is)
}

function equalMaps<T>(
  a: ReadonlyMap<string, T>,
  b: ReadonlyMap<string, T>,
  equal: (a: T, b: T) => boolean,
): boolean {
  if (a.size !== b.size) return false
  for (const [key, item] of a) {
    const other = b.get(key)
    if (other === undefined || !equal(item, other)) return false
  }
  return true
}

function isExtreme(merge: Merge): merge is Extreme {
  return merge.kind === 'max' || merge.kind === 'min'
}
