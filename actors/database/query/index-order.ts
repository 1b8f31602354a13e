/**
 * How far the entries of an index follow the order of a query, and where a walk begins that goes on after a place.
 * Invariant: nothing after the place is left out; fields in which all matches agree are no hindrance.
 */
import type { Value } from '../../../runtime/index.ts'
import { encodeIndexId, encodeIndexKey, KEY_END } from '../index/index-key.ts'
import type { KeyRange } from '../index/index-key.ts'
import type { Order, Place } from '../query.ts'
import { compareValues } from '../record/value-order.ts'
import type { IndexDefinition } from '../view/record-view.ts'

export interface IndexOrder {
  /** How many first fields of the order the entries follow. */
  readonly ordered: number
  readonly reverse: boolean
  /** What the first fields of the index hold: one value in all matches, or what stands at that position of the order. */
  readonly fields: readonly (FixedField | { readonly at: number })[]
  /** Fields of the order that have one value in all matches, too. */
  readonly fixed: readonly (FixedField & { readonly at: number })[]
  /** After all fields of the index, the order goes on with the id. */
  readonly endsWithId: boolean
}

interface FixedField {
  readonly value: Value
}

/** `constant` is the value that a field has in all matches, if it has one. */
export function orderAlong(
  index: IndexDefinition,
  order: readonly Order[],
  constant: (field: string) => Value | undefined,
): IndexOrder {
  const fields: (FixedField | { at: number })[] = []
  const fixed: (FixedField & { at: number })[] = []
  const passFixed = (): void => {
    for (;;) {
      const field = index.fields[fields.length]
      const value = field === undefined ? undefined : constant(field)
      if (value === undefined) return
      fields.push({ value })
    }
  }
  let reverse: boolean | undefined
  let endsWithId = false
  let ordered = 0
  let walked = false
  passFixed()
  for (const [at, { field, direction }] of order.entries()) {
    const value = constant(field)
    if (value !== undefined) {
      fixed.push({ at, value })
      ordered = at + 1
      continue
    }
    const desc = direction === 'desc'
    if (reverse !== undefined && reverse !== desc) break
    endsWithId = fields.length === index.fields.length && field === 'id'
    if (!endsWithId && index.fields[fields.length] !== field) break
    reverse = desc
    walked = true
    ordered = at + 1
    if (endsWithId) break
    fields.push({ at })
    passFixed()
  }
  // Agreeing in constants alone is no merit of the index.
  return { ordered: walked ? ordered : 0, reverse: reverse === true, fields, fixed, endsWithId }
}

/** What of the range is left after the place. */
export function beginAfter(place: Place | undefined, range: KeyRange, along: IndexOrder): KeyRange {
  if (place === undefined || along.ordered === 0) return range
  // A place of records that had another value there says nothing about those that match now.
  if (along.fixed.some(({ at, value }) => !isSame(place.values[at], value))) return range
  const values = along.fields.map((field) => ('at' in field ? place.values[field.at] : field.value))
  const { key, cut } = encodeIndexKey(values)
  if (cut) return range
  const from = along.endsWithId ? key + encodeIndexId(place.id) : key
  if (!along.reverse) return from > range.gte ? { gte: from, lt: range.lt } : range
  const before = along.endsWithId ? from : from + KEY_END
  return range.lt === undefined || before < range.lt ? { gte: range.gte, lt: before } : range
}

function isSame(a: Value | undefined, b: Value): boolean {
  return a !== undefined && compareValues(a, b) === 0
}
