/**
 * The one order over all values: null < boolean < number < string < bytes < date < UUID < array < map.
 * Invariant: a total order; numbers and bigints compare by size, NaN comes before all numbers, text by code unit.
 */
import { assert, compareBytes, Uuid } from '../../../runtime/index.ts'
import type { Value } from '../../../runtime/index.ts'

/** Negative, zero or positive. 0 and −0 are equal here. */
export function compareValues(a: Value, b: Value): number {
  const rank = rankOf(a)
  const difference = rank - rankOf(b)
  if (difference !== 0) return difference
  if (typeof a === 'number' || typeof a === 'bigint') return compareNumbers(a, b as number | bigint)
  if (typeof a === 'string') return a < (b as string) ? -1 : a > (b as string) ? 1 : 0
  if (typeof a === 'boolean') return Number(a) - Number(b)
  if (a === null) return 0
  if (a instanceof Uint8Array) return compareBytes(a, b as Uint8Array)
  if (a instanceof Date) return a.getTime() - (b as Date).getTime()
  if (a instanceof Uuid) return a.compare(b as Uuid)
  if (Array.isArray(a)) return compareLists(a, b as Value[])
  return compareMaps(a, b as { [name: string]: Value })
}

function rankOf(value: Value): number {
  switch (typeof value) {
    case 'boolean':
      return 1
    case 'number':
    case 'bigint':
      return 2
    case 'string':
      return 3
    case 'object':
      if (value === null) return 0
      if (value instanceof Uint8Array) return 4
      if (value instanceof Date) return 5
      if (value instanceof Uuid) return 6
      return Array.isArray(value) ? 7 : 8
    default:
      assert(false, 'a value has one of the types above')
  }
}

function compareNumbers(a: number | bigint, b: number | bigint): number {
  const [aIsNan, bIsNan] = [Number.isNaN(a), Number.isNaN(b)]
  if (aIsNan || bIsNan) return Number(bIsNan) - Number(aIsNan)
  // The operators compare a bigint with a number exactly.
  return a < b ? -1 : a > b ? 1 : 0
}

function compareLists(a: readonly Value[], b: readonly Value[]): number {
  const length = Math.min(a.length, b.length)
  for (let at = 0; at < length; at += 1) {
    const order = compareValues(a[at] as Value, b[at] as Value)
    if (order !== 0) return order
  }
  return a.length - b.length
}

/** As lists of (name, value) in order of names. */
function compareMaps(a: { [name: string]: Value }, b: { [name: string]: Value }): number {
  const flatten = (map: { [name: string]: Value }): Value[] =>
    Object.keys(map)
      .sort()
      .flatMap((name): Value[] => [name, map[name] as Value])
  return compareLists(flatten(a), flatten(b))
}
