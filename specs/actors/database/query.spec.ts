/** Queries against a naive oracle, and the order of values. */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { compileQuery } from '../../../actors/database/query.ts'
import { conditionProblem, operators } from '../../../actors/database/query/condition.ts'
import type { Condition } from '../../../actors/database/query/condition.ts'
import type { RecordState } from '../../../actors/database/record/record.ts'
import { compareValues } from '../../../actors/database/record/value-order.ts'
import { Uuid } from '../../../runtime/index.ts'
import type { Value } from '../../../runtime/index.ts'
import { arbitraryValue } from '../../runtime/codec/arbitrary-value.ts'

const stamp = { ms: 1, counter: 0, writer: new Uint8Array(8) }

function recordOf(fields: Record<string, Value>): RecordState {
  const states = Object.entries(fields).map(([name, value]) => [name, { value, stamp }] as const)
  return { collection: 'c', id: 'the-id', home: null, life: 1, deleted: undefined, fields: new Map(states) }
}

function matches(fields: Record<string, Value>, ...conditions: Condition[]): boolean {
  return compileQuery({ filter: { and: conditions } })(recordOf(fields))
}

test('values of different types stand in the order of the design', () => {
  const row: Value[] = [
    null,
    false,
    true,
    Number.NaN,
    -Infinity,
    -(2n ** 60n),
    -1,
    0,
    0.5,
    1,
    2 ** 53,
    2n ** 53n + 1n,
    Infinity,
    '',
    'a',
    'ab',
    'b',
    new Uint8Array(0),
    new Uint8Array([1]),
    new Date(-1),
    new Date(1),
    new Uuid(new Uint8Array(16)),
    [],
    [1],
    [1, 0],
    [2],
    {},
    { a: 1 },
    { a: 1, b: 0 },
    { a: 2 },
    { b: 0 },
  ]
  for (const [i, a] of row.entries()) {
    for (const [j, b] of row.entries())
      assert.is(Math.sign(compareValues(a, b)), Math.sign(i - j), `${i} ${j}`)
  }
  assert.is(compareValues(0, -0), 0)
  assert.is(compareValues(5, 5n), 0)
})

test('the order of values is total', () => {
  fc.assert(
    fc.property(arbitraryValue, arbitraryValue, arbitraryValue, (a, b, c) => {
      const sign = (x: Value, y: Value): number => Math.sign(compareValues(x, y))
      assert.is(sign(a, a), 0)
      assert.is(sign(a, b) + sign(b, a), 0)
      if (sign(a, b) <= 0 && sign(b, c) <= 0) assert.ok(sign(a, c) <= 0)
    }),
    { numRuns: 2000 },
  )
})

test('conditions agree with a naive oracle', () => {
  // Few values, so that conditions hold often enough.
  const small: fc.Arbitrary<Value> = fc.constantFrom<Value>(null, true, 0, 1, 2, 'a', 'ab', 'b')
  const rank = (value: Value): number => [null, true, 0, 1, 2, 'a', 'ab', 'b'].indexOf(value as never)
  const oracle = (found: Value | undefined, op: string, value: Value): boolean => {
    if (found === undefined) return op === '!='
    const order = rank(found) - rank(value)
    const answers: Record<string, boolean> = {
      '=': order === 0,
      '!=': order !== 0,
      '<': order < 0,
      '<=': order <= 0,
      '>': order > 0,
      '>=': order >= 0,
      in: Array.isArray(value) && value.some((item) => rank(item) === rank(found)),
      prefix: typeof found === 'string' && typeof value === 'string' && found.indexOf(value) === 0,
      contains: typeof found === 'string' && typeof value === 'string' && found.split(value).length > 1,
    }
    return answers[op] as boolean
  }
  const condition = fc
    .tuple(fc.constantFrom('x', 'y'), fc.constantFrom(...operators), small, fc.array(small))
    .filter(([, op, value]) => op !== 'prefix' || typeof value === 'string')
    .map(([field, op, value, list]): Condition => ({ field, op, value: op === 'in' ? list : value }))
  const fields = fc.dictionary(fc.constantFrom('x', 'y'), small)

  fc.assert(
    fc.property(fields, fc.array(condition, { maxLength: 3 }), (record, conditions) => {
      const expected = conditions.every(({ field, op, value }) => oracle(record[field], op, value))
      assert.is(matches(record, ...conditions), expected)
    }),
    { numRuns: 5000 },
  )
})

test('paths lead through maps, and only through what they own', () => {
  const doc = { a: { b: { c: 5 } }, list: [1, 'x', { k: 1 }], title: 'hello world' }

  assert.ok(matches(doc, { field: 'a.b.c', op: '=', value: 5 }))
  assert.ok(matches(doc, { field: 'a.b', op: '=', value: { c: 5 } }))
  assert.ok(matches(doc, { field: 'id', op: '=', value: 'the-id' }))
  assert.ok(matches(doc, { field: 'list', op: 'contains', value: { k: 1 } }))
  assert.ok(matches(doc, { field: 'title', op: 'contains', value: 'lo wo' }))
  assert.not(matches(doc, { field: 'list.length', op: '=', value: 3 }))
  assert.not(matches(doc, { field: 'a.constructor', op: '>=', value: null }))
  assert.not(matches(doc, { field: 'a.__proto__', op: '>=', value: null }))
  assert.not(matches(doc, { field: 'id.length', op: '>=', value: null }))
})

test('a deleted record matches nothing', () => {
  const deleted: RecordState = { ...recordOf({}), deleted: stamp }
  assert.not(compileQuery({ filter: undefined })(deleted))
})

test('what is no condition is named', () => {
  assert.match(conditionProblem('', '=', 1) ?? '', 'field')
  assert.match(conditionProblem('a', '~', 1) ?? '', 'op')
  assert.match(conditionProblem('a', 'in', 1) ?? '', 'array')
  assert.match(conditionProblem('a', 'prefix', 1) ?? '', 'text')
  assert.is(conditionProblem('a', '=', 1), undefined)
})

test.run()
