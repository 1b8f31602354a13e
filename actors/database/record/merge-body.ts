/**
 * Merges as items of CBOR (PROTOCOL §2).
 * Invariant: one merge has one form, and `decodeMerge` accepts no other.
 */
import { BlazeError, bytesKey, compareBytes, decodeCbor, encodeCbor, limits } from '../../../runtime/index.ts'
import type { CborItem, Value } from '../../../runtime/index.ts'
import { extremeProblem } from './field-operation.ts'
import { BLOB_ID_BYTES, BOOT_BYTES, mergeKinds, REPLICA_ID_BYTES, ROOT_BYTES } from './merge.ts'
import type { Counter, CounterEntry, ElementSet, Large, Merge, Origin, SetElement } from './merge.ts'

/** What stands beside a stamp to say how a field merges. */
export function kindNumber(merge: Merge): number {
  return 1 + mergeKinds.indexOf(merge.kind)
}

export function encodeMerge(merge: Merge): CborItem {
  switch (merge.kind) {
    case 'counter':
      return encodeOrigins(merge.entries, ({ n, sum }) => [n, sum])
    case 'set':
      return encodeSet(merge)
    case 'large':
      return [merge.blob, merge.bytes, merge.root]
    default:
      return merge.value
  }
}

/** `BAD_VALUE` unless `item` is exactly what `encodeMerge` makes of some merge of that kind. */
export function decodeMerge(number: CborItem, item: CborItem): Merge {
  const kind = typeof number === 'number' ? mergeKinds[number - 1] : undefined
  switch (kind) {
    case 'counter':
      return decodeCounter(item)
    case 'set':
      return decodeSet(item)
    case 'max':
    case 'min': {
      // The decoder lets nothing through but values, and undefined.
      const value = item as Value | undefined
      if (value === undefined || extremeProblem(value) !== undefined) throw bad('a maximum or minimum')
      return { kind, value }
    }
    case 'large':
      return decodeLarge(item)
    case undefined:
      throw bad('the kind of a field')
  }
}

/** `[blob id, bytes, root]` */
function decodeLarge(item: CborItem): Large {
  if (!Array.isArray(item) || item.length !== 3) throw bad('a large value')
  const [blob, bytes, root] = item as CborItem[]
  if (!isBytes(blob, BLOB_ID_BYTES) || !isBytes(root, ROOT_BYTES)) throw bad('the blob of a large value')
  if (!isNumber(bytes) || bytes <= limits.chunkBytes || bytes > limits.largeBytesMax) {
    throw bad('the length of a large value')
  }
  return { kind: 'large', blob, bytes, root }
}

/** `[replica id, [boot, …columns, boot, …columns], replica id, …]`, both in order of bytes. */
function encodeOrigins<T>(rows: ReadonlyMap<Origin, T>, columns: (row: T) => readonly number[]): CborItem[] {
  const items: CborItem[] = []
  let [replica, boots]: [string | undefined, CborItem[]] = [undefined, []]
  for (const origin of [...rows.keys()].sort(byCodeUnit)) {
    const of = origin.slice(0, REPLICA_ID_BYTES)
    if (of !== replica) {
      replica = of
      boots = []
      items.push(bytesOf(of), boots)
    }
    boots.push(bytesOf(origin.slice(REPLICA_ID_BYTES)), ...columns(rows.get(origin) as T))
  }
  return items
}

function decodeOrigins(item: CborItem, columns: number): Map<Origin, readonly CborItem[]> {
  const rows = new Map<Origin, readonly CborItem[]>()
  if (!Array.isArray(item) || item.length % 2 !== 0) throw bad('the origins of a field')
  let before = ''
  for (let at = 0; at < item.length; at += 2) {
    const [replicaId, boots] = item.slice(at, at + 2) as CborItem[]
    if (!isBytes(replicaId, REPLICA_ID_BYTES)) throw bad('the replica of an origin')
    const width = 1 + columns
    if (!Array.isArray(boots) || boots.length === 0 || boots.length % width !== 0) throw bad('its boots')
    if (rows.size > 0 && bytesKey(replicaId) <= before.slice(0, REPLICA_ID_BYTES))
      throw bad('the order of origins')
    for (let from = 0; from < boots.length; from += width) {
      const [boot, ...rest] = boots.slice(from, from + width) as CborItem[]
      if (!isBytes(boot, BOOT_BYTES)) throw bad('the boot of an origin')
      const origin = bytesKey(replicaId) + bytesKey(boot)
      if (rows.size > 0 && origin <= before) throw bad('the order of origins')
      rows.set(origin, rest)
      before = origin
    }
  }
  return rows
}

function decodeCounter(item: CborItem): Counter {
  const entries = new Map<Origin, CounterEntry>()
  for (const [origin, [n, sum]] of decodeOrigins(item, 2)) {
    if (!isNumber(n) || !isInteger(sum) || Math.abs(sum) > limits.counterSumMax) throw bad('a counter')
    entries.set(origin, { n, sum })
  }
  if (entries.size === 0) throw bad('a counter of nobody')
  return { kind: 'counter', entries }
}

/** `[origins, [element, origin index, n, …]]`, in order of the elements' bytes and of origins; elements as CBOR in byte strings. */
function encodeSet({ seen, elements }: ElementSet): CborItem {
  const indexes = new Map([...seen.keys()].sort(byCodeUnit).map((origin, index) => [origin, index]))
  const sorted = [...elements.values()]
    .map(({ value, adds }) => ({ bytes: encodeCbor(value).slice(), adds }))
    .sort((a, b) => compareBytes(a.bytes, b.bytes))
  const rows = sorted.flatMap(({ bytes, adds }) =>
    [...adds.keys()].sort(byCodeUnit).flatMap((origin): CborItem[] => {
      return [bytes, indexes.get(origin) as number, adds.get(origin) as number]
    }),
  )
  return [encodeOrigins(seen, (n) => [n]), rows]
}

function decodeSet(item: CborItem): ElementSet {
  if (!Array.isArray(item) || item.length !== 2) throw bad('a set')
  const [origins, rows] = item as CborItem[]
  const seen = new Map<Origin, number>()
  for (const [origin, [n]] of decodeOrigins(origins, 1)) {
    if (!isNumber(n)) throw bad('the number of an add')
    seen.set(origin, n)
  }
  return { kind: 'set', seen, elements: decodeElements(rows, seen) }
}

function decodeElements(rows: CborItem, seen: ReadonlyMap<Origin, number>): Map<string, SetElement> {
  if (!Array.isArray(rows) || rows.length % 3 !== 0) throw bad('the elements of a set')
  const origins = [...seen.keys()]
  const elements = new Map<string, { readonly value: Value; readonly adds: Map<Origin, number> }>()
  let before: { readonly bytes: Uint8Array; readonly index: number } | undefined
  for (let at = 0; at < rows.length; at += 3) {
    const [bytes, index, n] = rows.slice(at, at + 3) as CborItem[]
    const origin = typeof index === 'number' ? origins[index] : undefined
    if (!(bytes instanceof Uint8Array) || origin === undefined || !isNumber(n)) throw bad('an element')
    if (n > (seen.get(origin) ?? 0)) throw bad('an add that was not seen')
    const order = before === undefined ? 1 : compareBytes(bytes, before.bytes)
    if (order < 0 || (order === 0 && (index as number) <= (before?.index ?? -1)))
      throw bad('the order of elements')
    before = { bytes, index: index as number }
    const key = bytesKey(bytes)
    // Refused unless it is the one form of a value, so equal values have one key.
    const element = elements.get(key) ?? {
      value: decodeCbor(bytes) as Value,
      adds: new Map<Origin, number>(),
    }
    element.adds.set(origin, n)
    elements.set(key, element)
  }
  return elements
}

function isBytes(item: CborItem, length: number): item is Uint8Array {
  return item instanceof Uint8Array && item.length === length
}

function isInteger(item: CborItem): item is number {
  return typeof item === 'number' && Number.isSafeInteger(item) && !Object.is(item, -0)
}

/** From 1. */
function isNumber(item: CborItem): item is number {
  return isInteger(item) && item >= 1
}

function bytesOf(key: string): Uint8Array {
  return Uint8Array.from(key, (char) => char.charCodeAt(0))
}

function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function bad(problem: string): BlazeError {
  return new BlazeError('BAD_VALUE', `the body of an envelope is not a record: ${problem}`)
}
