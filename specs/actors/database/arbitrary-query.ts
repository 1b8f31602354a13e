/** Arbitraries for queries and the records they are asked of: few values and few fields, so that much matches and much is equal. */
import fc from 'fast-check'
import type {
  Condition,
  Filter,
  IndexDefinition,
  Order,
  Query,
  RecordState,
} from '../../../actors/database/index.ts'
import { operators } from '../../../actors/database/query/condition.ts'
import type { Value } from '../../../runtime/index.ts'
import { goneOf, indexOn, recordOf } from './memory-view.ts'

export type QueryShape = Pick<Query, 'filter' | 'order' | 'limit' | 'offset'>

const LONG = 'x'.repeat(300)
/** Few, so that many are equal; of all types, some too long for a key. */
const small: fc.Arbitrary<Value> = fc.constantFrom<Value>(
  ...[null, true, -1, 0, 1, 2, 3, 1.5, 2n ** 60n, 'a', 'ab', 'b', 'b\0', '\ud83d\ude00', '\uffff'],
  ...[new Date(5), new Uint8Array([1]), [1], { k: 1 }],
)
const rare: fc.Arbitrary<Value> = fc.constantFrom<Value>(LONG, `${LONG}y`, [LONG])
const value = fc.oneof({ weight: 40, arbitrary: small }, { weight: 1, arbitrary: rare })
const FIELDS = ['a', 'b', 'm.c']
const field = fc.constantFrom(...FIELDS, 'id')

export const fields: fc.Arbitrary<Record<string, Value>> = fc
  .tuple(
    fc.option(value, { freq: 6, nil: undefined }),
    fc.option(value, { freq: 6, nil: undefined }),
    fc.option(value, { nil: undefined }),
  )
  .map(([a, b, c]) => ({
    ...(a === undefined ? {} : { a }),
    ...(b === undefined ? {} : { b }),
    ...(c === undefined ? {} : { m: { c } }),
  }))
export const id: fc.Arbitrary<string> = fc.oneof(
  fc.integer({ min: 0, max: 60 }).map((n) => `r${n}`),
  fc.constantFrom('é', '\ud83d\ude00', '\uffff', 'a\0', 'a'),
)
/** Some of them deleted. */
export const record: fc.Arbitrary<RecordState> = fc
  .tuple(id, fields, fc.integer({ min: 0, max: 9 }))
  .map(([name, values, dead]) => (dead === 0 ? goneOf(name) : recordOf(name, values)))

const condition: fc.Arbitrary<Condition> = fc
  .tuple(
    field,
    fc.constantFrom(...operators),
    fc.oneof(value, id),
    fc.array(fc.oneof(value, id), { maxLength: 4 }),
  )
  .filter(([, op, one]) => op !== 'prefix' || typeof one === 'string')
  .map(([path, op, one, list]) => ({ field: path, op, value: op === 'in' ? list : one }))
const filter: fc.Arbitrary<Filter> = fc.letrec<{ filter: Filter }>((tie) => ({
  filter: fc.oneof(
    { maxDepth: 2, withCrossShrink: true },
    condition,
    fc.array(tie('filter'), { minLength: 1, maxLength: 3 }).map((and) => ({ and })),
    fc.array(tie('filter'), { minLength: 1, maxLength: 2 }).map((or) => ({ or })),
    tie('filter').map((not) => ({ not })),
  ),
})).filter
const direction = fc.constantFrom<'asc' | 'desc'>('asc', 'desc')
const order: fc.Arbitrary<Order[]> = fc.array(fc.record({ field, direction }), { maxLength: 3 })
export const index: fc.Arbitrary<IndexDefinition> = fc
  .uniqueArray(fc.constantFrom(...FIELDS), { minLength: 1, maxLength: 3 })
  .map((all) => indexOn(...all))
export const shape: fc.Arbitrary<QueryShape> = fc.record({
  filter: fc.option(filter, { nil: undefined, freq: 5 }),
  order,
  limit: fc.option(fc.integer({ min: 0, max: 8 }), { nil: undefined }),
  offset: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 5 })),
})
