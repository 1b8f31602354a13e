/** Arbitraries for record states: few stamps and few fields, so that versions collide. */
import fc from 'fast-check'
import { elementKey } from '../../../actors/database/record/merge.ts'
import type { Merge } from '../../../actors/database/record/merge.ts'
import { mergedField } from '../../../actors/database/record/record.ts'
import type { FieldState, RecordState, Stamp } from '../../../actors/database/record/record.ts'
import { arbitraryValue } from '../../runtime/codec/arbitrary-value.ts'

const arbitraryStamp: fc.Arbitrary<Stamp> = fc.record({
  ms: fc.integer({ min: 1, max: 3 }),
  counter: fc.integer({ min: 0, max: 1 }),
  writer: fc.constantFrom(1, 2).map((byte) => new Uint8Array(8).fill(byte)),
})

const plainField: fc.Arbitrary<FieldState> = fc.record({
  value: fc.option(fc.oneof(fc.integer({ min: 0, max: 2 }), arbitraryValue), { nil: undefined }),
  stamp: arbitraryStamp,
})

const arbitraryOrigin = fc.constantFrom('1-------a-------', '1-------b-------', '2-------a-------')
const arbitraryNumber = fc.integer({ min: 1, max: 3 })

const arbitraryCounter: fc.Arbitrary<Merge> = fc
  .uniqueArray(fc.tuple(arbitraryOrigin, arbitraryNumber, fc.integer({ min: -2, max: 2 })), {
    minLength: 1,
    selector: ([origin]) => origin,
  })
  .map((rows) => ({
    kind: 'counter',
    entries: new Map(rows.map(([origin, n, sum]) => [origin, { n, sum }])),
  }))

/** Numbers of adds that were seen, and up to which of them the element still has its own. */
const arbitrarySet: fc.Arbitrary<Merge> = fc
  .record({
    seen: fc.uniqueArray(fc.tuple(arbitraryOrigin, arbitraryNumber), { selector: ([origin]) => origin }),
    elements: fc.uniqueArray(
      fc.tuple(fc.oneof(fc.constantFrom('x', 'y', -0), arbitraryValue), arbitraryNumber),
      {
        selector: ([value]) => elementKey(value),
        maxLength: 3,
      },
    ),
  })
  .map(({ seen, elements }) => ({
    kind: 'set',
    seen: new Map(seen),
    elements: new Map(
      elements.flatMap(([value, n]) => {
        const adds = new Map(seen.filter(([, last]) => n <= last).map(([origin]) => [origin, n]))
        return adds.size === 0 ? [] : [[elementKey(value), { value, adds }]]
      }),
    ),
  }))

const arbitraryExtreme: fc.Arbitrary<Merge> = fc.record({
  kind: fc.constantFrom('max', 'min'),
  value: fc.oneof(
    fc.constantFrom(0, -0, 1, 2n ** 60n, 'x', ''),
    fc.date({ min: new Date(0), max: new Date(9), noInvalidDate: true }),
  ),
})

const field: fc.Arbitrary<FieldState> = fc.oneof(
  plainField,
  fc
    .tuple(fc.oneof(arbitraryCounter, arbitrarySet, arbitraryExtreme), arbitraryStamp)
    .map(([merge, stamp]) => mergedField(merge, stamp)),
)

/** Versions of one record. */
export const arbitraryRecord: fc.Arbitrary<RecordState> = fc
  .record({
    home: fc.option(
      fc.constantFrom(1, 2).map((byte) => new Uint8Array(16).fill(byte)),
      { nil: null },
    ),
    life: fc.integer({ min: 1, max: 2 }),
    deleted: fc.option(arbitraryStamp, { nil: undefined, freq: 4 }),
    fields: fc.dictionary(fc.constantFrom('a', 'b', 'c', '__proto__', 'é'), field).map(mapOf),
  })
  .map(({ home, life, deleted, fields }) => ({
    collection: 'things',
    id: 'one',
    home,
    life,
    deleted,
    fields: deleted === undefined ? fields : new Map<string, FieldState>(),
  }))

function mapOf(fields: Record<string, FieldState>): Map<string, FieldState> {
  return new Map(Object.entries(fields))
}
