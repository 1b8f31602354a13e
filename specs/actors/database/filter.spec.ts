/** Filters as data: what they match, what is refused and where, and that nothing of the caller stays in them. */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { compileFilter, parseFilter } from '../../../actors/database/index.ts'
import type { Condition, Filter, RecordState } from '../../../actors/database/index.ts'
import { compileQuery } from '../../../actors/database/query.ts'
import { operators } from '../../../actors/database/query/condition.ts'
import { limits, Uuid } from '../../../runtime/index.ts'
import type { Value } from '../../../runtime/index.ts'

const stamp = { ms: 1, counter: 0, writer: new Uint8Array(8) }

function recordOf(fields: Record<string, Value>): RecordState {
  const states = Object.entries(fields).map(([name, value]) => [name, { value, stamp }] as const)
  return { collection: 'c', id: 'the-id', home: null, life: 1, deleted: undefined, fields: new Map(states) }
}

function holds(filter: unknown, fields: Record<string, Value>): boolean {
  return compileFilter(parseFilter(filter, 'filter'))(recordOf(fields))
}

function refused(input: unknown): string {
  try {
    parseFilter(input, 'filter.bugs')
  } catch (error) {
    assert.ok(error instanceof TypeError, String(error))
    return error.message
  }
  return 'nothing was refused'
}

const small: fc.Arbitrary<Value> = fc.constantFrom<Value>(null, true, 0, 1, 2, 'a', 'ab', 'b')
const condition: fc.Arbitrary<Condition> = fc
  .tuple(fc.constantFrom('x', 'y', 'm.x', 'id'), fc.constantFrom(...operators), small, fc.array(small))
  .filter(([, op, value]) => op !== 'prefix' || typeof value === 'string')
  .map(([field, op, value, list]) => ({ field, op, value: op === 'in' ? list : value }))
const fields: fc.Arbitrary<Record<string, Value>> = fc
  .tuple(fc.dictionary(fc.constantFrom('x', 'y'), small), fc.dictionary(fc.constantFrom('x'), small))
  .map(([top, inner]) => ({ ...top, m: inner }))
const filter: fc.Arbitrary<Filter> = fc.letrec<{ filter: Filter }>((tie) => ({
  filter: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    condition,
    fc.array(tie('filter'), { minLength: 1, maxLength: 3 }).map((and) => ({ and })),
    fc.array(tie('filter'), { minLength: 1, maxLength: 3 }).map((or) => ({ or })),
    tie('filter').map((not) => ({ not })),
  ),
})).filter

test('a condition of a filter matches as the same condition of a query', () => {
  fc.assert(
    fc.property(condition, fields, (one, record) => {
      const query = compileQuery({ filter: one })
      assert.is(holds(one, record), query(recordOf(record)))
    }),
    { numRuns: 3000 },
  )
})

test('and, or and not combine as in logic', () => {
  const naive = (one: Filter, record: RecordState): boolean => {
    if ('and' in one) return !one.and.some((part) => !naive(part, record))
    if ('or' in one) return one.or.some((part) => naive(part, record))
    if ('not' in one) return !naive(one.not, record)
    return compileQuery({ filter: one })(record)
  }

  fc.assert(
    fc.property(filter, fields, (one, record) => {
      assert.is(holds(one, record), naive(one, recordOf(record)))
    }),
    { numRuns: 3000 },
  )
})

test('a parsed filter parses again to the same', () => {
  fc.assert(fc.property(filter, (one) => assert.equal(parseFilter(parseFilter(one, 'a'), 'b'), one)))
})

test('an absent field matches only != and its negations', () => {
  assert.ok(holds({ field: 'x', op: '!=', value: 1 }, {}))
  assert.ok(holds({ not: { field: 'x', op: '=', value: 1 } }, {}))
  assert.not(holds({ field: 'x', op: '<', value: 1 }, {}))
})

test('a refusal names the place', () => {
  const good = { field: 'a', op: '=', value: 1 }

  assert.is(
    refused({ and: [good, { field: 'a', op: '~', value: 1 }] }),
    `filter.bugs.and[1].op: expected one of ${operators.join(' ')}`,
  )
  assert.match(
    refused({ or: [{ not: { field: '', op: '=', value: 1 } }] }),
    /^filter\.bugs\.or\[0\]\.not\.field: /,
  )
  assert.match(refused({ field: 'a', op: 'in', value: 1 }), /^filter\.bugs\.value: /)
  assert.match(refused({ field: 'a', op: '=', value: { b: [undefined] } }), /^filter\.bugs\.value\.b\[0\]: /)
  assert.match(refused({ field: 'a', op: '=', value: () => 1 }), /^filter\.bugs\.value: function is no value/)
  assert.match(refused({ field: 'a\ud800', op: '=', value: 1 }), /^filter\.bugs\.field: /)
  assert.match(refused({ and: {} }), /^filter\.bugs\.and: expected a list/)
  assert.match(refused({ and: [] }), /^filter\.bugs\.and: expected at least one/)
  assert.match(refused({ or: [] }), /^filter\.bugs\.or: expected at least one/)
  assert.match(
    refused({ and: Object.assign(new Array(3), { 0: good, 2: good }) }),
    /^filter\.bugs\.and\[1\]: expected \{ field/,
  )
})

test('what is no filter, and what is more than one, is refused', () => {
  const good = { field: 'a', op: '=', value: 1 }

  for (const input of [
    undefined,
    null,
    'a = 1',
    [good],
    new Date(),
    {},
    { ...good, colour: 1 },
    { field: 'a', op: '=' },
    { field: 'a', value: 1 },
    { and: [good], or: [good] },
    { ...good, and: [good] },
    { nor: [good] },
    { not: [good] },
    Object.create({ and: [good] }) as unknown,
  ]) {
    assert.match(refused(input), /^filter\.bugs(\.not)?: expected \{ field/, String(input))
  }
})

test('depth and number of conditions are bounded', () => {
  const good = { field: 'a', op: '=', value: 1 }
  const nested = (levels: number): unknown =>
    Array.from({ length: levels }).reduce((inner: unknown) => ({ not: inner }), good)
  const wide = (count: number): unknown => ({ and: Array.from({ length: count }, () => good) })

  parseFilter(nested(limits.filterDepthMax - 1), 'filter')
  parseFilter(wide(limits.queryConditionsMax), 'filter')
  assert.match(refused(nested(limits.filterDepthMax)), /deeper than 16/)
  assert.match(refused(nested(100_000)), /deeper than 16/)
  assert.match(refused(wide(limits.queryConditionsMax + 1)), /more than 64 conditions/)
  assert.match(refused({ and: new Array(2 ** 31) }), /and\[0\]: expected/)
  const cyclic: { and: unknown[] } = { and: [] }
  cyclic.and.push(cyclic)
  assert.match(refused(cyclic), /deeper than 16/)
})

test('the filter keeps nothing of its caller and does not change', () => {
  const bytes = Uint8Array.of(1)
  const tags = ['open']
  const input = {
    and: [
      { field: 'state', op: 'in', value: tags },
      { field: 'key', op: '=', value: bytes },
    ],
  }
  const parsed = parseFilter(input, 'filter')
  const compiled = compileFilter(parsed)
  const record = recordOf({ state: 'open', key: Uint8Array.of(1) })

  tags.push('closed')
  bytes[0] = 2
  input.and.pop()

  assert.equal(parsed, {
    and: [
      { field: 'state', op: 'in', value: ['open'] },
      { field: 'key', op: '=', value: Uint8Array.of(1) },
    ],
  })
  assert.ok(compiled(record))
  assert.throws(() => (parsed as unknown as { and: unknown[] }).and.push(1), TypeError)
  const [, second] = (parsed as unknown as { and: { value: Uint8Array }[] }).and
  if (second !== undefined) second.value[0] = 9
  assert.ok(compiled(record), 'what was compiled does not change with the bytes of the parsed filter')
})

test('every type of value may stand in a filter', () => {
  const values: Value[] = [
    null,
    false,
    1,
    2n ** 60n,
    'a',
    Uint8Array.of(1),
    new Date(5),
    new Uuid(new Uint8Array(16)),
    [1],
    { a: 1 },
  ]

  for (const [at, value] of values.entries()) {
    assert.ok(holds({ field: 'x', op: '=', value }, { x: value }), `value ${at}`)
  }
})

test.run()
