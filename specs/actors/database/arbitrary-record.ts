/** Arbitraries for record states: few stamps and few fields, so that versions collide. */
import fc from 'fast-check'
import type { FieldState, RecordState, Stamp } from '../../../actors/database/record/record.ts'
import { arbitraryValue } from '../../runtime/codec/arbitrary-value.ts'

const arbitraryStamp: fc.Arbitrary<Stamp> = fc.record({
  ms: fc.integer({ min: 1, max: 3 }),
  counter: fc.integer({ min: 0, max: 1 }),
  writer: fc.constantFrom(1, 2).map((byte) => new Uint8Array(8).fill(byte)),
})

const field: fc.Arbitrary<FieldState> = fc.record({
  value: fc.option(fc.oneof(fc.integer({ min: 0, max: 2 }), arbitraryValue), { nil: undefined }),
  stamp: arbitraryStamp,
})

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
