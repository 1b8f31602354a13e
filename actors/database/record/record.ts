/**
 * A record as field states, and the join of two versions of it (REPLICATION rule 4).
 * Invariant: `joinRecords` is commutative, associative and idempotent, so the order in which envelopes arrive never shows.
 */
import { assert, compareBytes, encodeCbor } from '../../../runtime/index.ts'
import type { CryptoProvider, Value } from '../../../runtime/index.ts'
import { equalMerges, joinMerges, mergeKinds, shownOf } from './merge.ts'
import type { Merge } from './merge.ts'

/** A reading of a hybrid logical clock, and the replica that took it. */
export interface Stamp {
  /** Since 1970, u48. */
  readonly ms: number
  /** u16. */
  readonly counter: number
  /** Replica id, 8 bytes. */
  readonly writer: Uint8Array
}

export interface FieldState {
  /** What is shown: a value, or undefined for a field that was removed or is large. Made of `merge` where that is. */
  readonly value: Value | undefined
  /** When it was assigned; where it merges, when that began. */
  readonly stamp: Stamp
  /** Absent where the later write wins. */
  readonly merge?: Merge
}

export interface RecordState {
  readonly collection: string
  readonly id: string
  /** Space in which the record was inserted; null is this one. */
  readonly home: Uint8Array | null
  /** Counts inserts of this id, from 1. */
  readonly life: number
  /** When this life ended; a deleted record has no fields. */
  readonly deleted: Stamp | undefined
  readonly fields: ReadonlyMap<string, FieldState>
  /** Version of the application's schema that its writer knew, when it is above 1; a deleted record has none. */
  readonly schema?: number
}

/** Order of time, then counter, then writer. */
export function compareStamps(a: Stamp, b: Stamp): number {
  if (a === b) return 0
  return a.ms - b.ms || a.counter - b.counter || compareBytes(a.writer, b.writer)
}

/** Never written, or removed. */
export function isAbsent(field: FieldState | undefined): boolean {
  return field === undefined || (field.value === undefined && field.merge === undefined)
}

/** A field that is more than a value. */
export function mergedField(merge: Merge, stamp: Stamp): FieldState {
  return { value: shownOf(merge), stamp, merge }
}

/** The higher life wins whole; within a life a delete wins; else fields are joined. Both must be of one id. */
export function joinRecords(a: RecordState, b: RecordState, crypto: CryptoProvider): RecordState {
  assert(a.id === b.id && a.collection === b.collection, 'only versions of one record are joined')
  if (a.life !== b.life) return a.life > b.life ? a : b
  const home = joinHomes(a.home, b.home)
  const { collection, id, life } = a
  if (a.deleted !== undefined || b.deleted !== undefined) {
    return { collection, id, home, life, deleted: laterStamp(a.deleted, b.deleted), fields: new Map() }
  }
  const fields = new Map(a.fields)
  for (const [name, field] of b.fields) {
    const other = fields.get(name)
    fields.set(name, other === undefined ? field : joinFields(field, other, crypto))
  }
  const schema = Math.max(a.schema ?? 0, b.schema ?? 0)
  return { collection, id, home, life, deleted: undefined, fields, ...(schema > 0 ? { schema } : {}) }
}

/**
 * The later one; of one stamp the later kind, of plain values the one with the higher hash. Two that began as one join entry by entry:
 * the order of beginnings is total, so this is a join too.
 */
function joinFields(a: FieldState, b: FieldState, crypto: CryptoProvider): FieldState {
  const order = compareFields(a, b, crypto)
  if (order !== 0 || a.merge === undefined || b.merge === undefined) return order >= 0 ? a : b
  return mergedField(joinMerges(a.merge, b.merge), a.stamp)
}

/** Same life, same end, same stamps and entries on the same fields: joining one into the other changes nothing. */
export function equalRecords(a: RecordState, b: RecordState, crypto: CryptoProvider): boolean {
  if (a.life !== b.life || a.schema !== b.schema || a.fields.size !== b.fields.size) return false
  if (compareBytes(a.home ?? NO_HOME, b.home ?? NO_HOME) !== 0) return false
  if (a.deleted === undefined || b.deleted === undefined) {
    if (a.deleted !== b.deleted) return false
  } else if (compareStamps(a.deleted, b.deleted) !== 0) return false
  for (const [name, field] of a.fields) {
    const other = b.fields.get(name)
    if (other === undefined || !equalFields(field, other, crypto)) return false
  }
  return true
}

const NO_HOME: Uint8Array = new Uint8Array(0)

function joinHomes(a: Uint8Array | null, b: Uint8Array | null): Uint8Array | null {
  // A record has one home; should two copies disagree, every replica has to choose the same.
  if (a === null || b === null) return a ?? b
  return compareBytes(a, b) >= 0 ? a : b
}

function laterStamp(a: Stamp | undefined, b: Stamp | undefined): Stamp | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return compareStamps(a, b) >= 0 ? a : b
}

function equalFields(a: FieldState, b: FieldState, crypto: CryptoProvider): boolean {
  if (compareFields(a, b, crypto) !== 0) return false
  return a.merge === undefined || b.merge === undefined || equalMerges(a.merge, b.merge)
}

/** The order of their beginnings; 0 for two that merge. */
function compareFields(a: FieldState, b: FieldState, crypto: CryptoProvider): number {
  if (a === b) return 0
  const order = compareStamps(a.stamp, b.stamp)
  if (order !== 0) return order
  const byKind = rankOf(a.merge) - rankOf(b.merge)
  if (byKind !== 0 || a.merge !== undefined) return byKind
  return compareBytes(valueHash(a.value, crypto), valueHash(b.value, crypto))
}

function rankOf(merge: Merge | undefined): number {
  return merge === undefined ? 0 : 1 + mergeKinds.indexOf(merge.kind)
}

function valueHash(value: Value | undefined, crypto: CryptoProvider): Uint8Array {
  return crypto.sha256(encodeCbor(value, { undefinedAtDepth: 0 }))
}
