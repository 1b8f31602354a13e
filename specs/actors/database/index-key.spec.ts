/** Index keys against the order of values that they stand for. */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  encodeIndexId,
  encodeIndexKey,
  isEmptyRange,
  keyRange,
} from '../../../actors/database/index/index-key.ts'
import type { KeyBound } from '../../../actors/database/index/index-key.ts'
import { compareValues } from '../../../actors/database/record/value-order.ts'
import { limits } from '../../../runtime/index.ts'
import type { Value } from '../../../runtime/index.ts'
import { arbitraryValue } from '../../runtime/codec/arbitrary-value.ts'

/** Values that are near to each other, and any. */
const near: fc.Arbitrary<Value> = fc.oneof(
  fc.integer({ min: -3, max: 3 }),
  fc.constantFrom<Value>(
    0.5,
    -0.5,
    2 ** 53,
    2 ** 53 - 1,
    2n ** 53n + 1n,
    -(2n ** 53n) - 1n,
    2n ** 63n - 1n,
    2 ** 63,
  ),
  fc.constantFrom<Value>(
    5e-324,
    1e-323,
    2 ** -1022,
    2 ** -1023,
    1.7976931348623157e308,
    2 ** 64,
    2 ** 65,
    127,
    128,
    129,
  ),
  fc.double(),
  fc.string({
    unit: fc.constantFrom(
      'a',
      'b',
      '\0',
      '\x01',
      '\x7f',
      '\x80',
      '\u07ff',
      '\u0800',
      '\ud83d\ude00',
      '\uffff',
    ),
    maxLength: 4,
  }),
  fc.uint8Array({ max: 2, maxLength: 3 }),
  fc.array(fc.constantFrom<Value>(null, 0, '', '\0', 'a'), { maxLength: 3 }),
)
const anyValue = fc.oneof(near, arbitraryValue)
const field = fc.option(anyValue, { nil: undefined, freq: 8 })
const fields = fc.array(field, { minLength: 2, maxLength: 2 })
const id = fc.string({
  unit: fc.constantFrom('a', '\0', '\x01', '\xff', 'é', '\ud83d\ude00', '\uffff'),
  minLength: 1,
  maxLength: 3,
})

function compareFields(a: Value | undefined, b: Value | undefined): number {
  if (a === undefined || b === undefined) return Number(a !== undefined) - Number(b !== undefined)
  return Math.sign(compareValues(a, b))
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

test('keys that were not cut sort as the lists of values do, then by id', () => {
  const list = fc.record({ fields, id })
  fc.assert(
    fc.property(list, list, (a, b) => {
      const [left, right] = [encodeIndexKey(a.fields), encodeIndexKey(b.fields)]
      fc.pre(!left.cut && !right.cut)
      const wanted =
        compareFields(a.fields[0], b.fields[0]) ||
        compareFields(a.fields[1], b.fields[1]) ||
        compareTexts(a.id, b.id)
      const got = compareTexts(left.key + encodeIndexId(a.id), right.key + encodeIndexId(b.id))
      assert.is(got, wanted)
    }),
    { numRuns: 5_000 },
  )
})

test('cut keys never sort against the order of the values', () => {
  const long = fc.oneof(
    fc.string({ unit: fc.constantFrom('a', 'b', 'é', '\0'), minLength: 60, maxLength: 300 }),
    fc.uint8Array({ minLength: 120, maxLength: 300, max: 1 }),
    fc.array(near, { minLength: 30, maxLength: 90 }),
  )
  const list = fc.tuple(fc.oneof(near, long), fc.oneof(near, long))
  fc.assert(
    fc.property(list, list, (a, b) => {
      const [left, right] = [encodeIndexKey(a), encodeIndexKey(b)]
      assert.ok(left.key.length <= limits.indexKeyBytesMax)
      const wanted = compareFields(a[0], b[0]) || compareFields(a[1], b[1])
      const got = compareTexts(left.key, right.key)
      assert.ok(got === wanted || (got === 0 && left.cut && right.cut), `${got} for ${wanted}`)
    }),
    { numRuns: 5_000 },
  )
})

test('a key is one char per byte', () => {
  fc.assert(
    fc.property(fields, id, (values, text) => {
      // oxlint-disable-next-line no-control-regex
      assert.match(encodeIndexKey(values).key + encodeIndexId(text), /^[\x00-\xff]*$/)
    }),
  )
})

test('a list below the limit is whole, and one that reaches it is cut', () => {
  const fits = 'x'.repeat(limits.indexKeyBytesMax - 3)

  assert.equal(encodeIndexKey([fits]).cut, false)
  assert.is(encodeIndexKey([fits]).key.length, limits.indexKeyBytesMax - 1)
  assert.equal(encodeIndexKey([`${fits}x`]).cut, true)
  assert.is(encodeIndexKey([`${fits}x`]).key.length, limits.indexKeyBytesMax)
})

const bound: fc.Arbitrary<KeyBound> = fc.oneof(
  fc.record({ op: fc.constantFrom('<', '<=', '>', '>='), value: anyValue }),
  fc.record({
    op: fc.constant('prefix'),
    value: fc.oneof(
      fc.string({ unit: fc.constantFrom('a', '\0', '\ud83d', '\uffff'), maxLength: 3 }),
      fc.string(),
    ),
  }),
)

function holds(value: Value | undefined, { op, value: other }: KeyBound): boolean {
  if (value === undefined) return false
  if (op === 'prefix') return typeof value === 'string' && value.startsWith(other as string)
  const order = compareValues(value, other)
  return op === '<' ? order < 0 : op === '<=' ? order <= 0 : op === '>' ? order > 0 : order >= 0
}

test('a range holds the keys of exactly the values that its bounds ask for', () => {
  fc.assert(
    fc.property(
      fields,
      fc.tuple(anyValue, fc.boolean()),
      fc.array(bound, { maxLength: 2 }),
      id,
      (values, [other, same], bounds, text) => {
        const first = same && values[0] !== undefined ? values[0] : other
        const wanted = compareFields(values[0], first) === 0 && bounds.every((each) => holds(values[1], each))
        const { gte, lt } = keyRange([first], bounds)
        const key = encodeIndexKey(values)
        const full = key.key + encodeIndexId(text)
        const inside = full >= gte && (lt === undefined || full < lt)
        const anyCut =
          key.cut ||
          encodeIndexKey([first]).cut ||
          bounds.some((each) => encodeIndexKey([first, each.value]).cut)
        assert.ok(inside === wanted || (inside && anyCut), `${inside} for ${wanted}`)
      },
    ),
    { numRuns: 20_000 },
  )
})

test('a range over the first field needs no equal ones', () => {
  fc.assert(
    fc.property(field, fc.array(bound, { maxLength: 3 }), id, (value, bounds, text) => {
      const wanted = bounds.every((each) => holds(value, each))
      const range = keyRange([], bounds)
      const key = encodeIndexKey([value])
      const full = key.key + encodeIndexId(text)
      const inside = full >= range.gte && (range.lt === undefined || full < range.lt)
      const anyCut = key.cut || bounds.some((each) => encodeIndexKey([each.value]).cut)
      assert.ok(inside === wanted || (inside && anyCut), `${inside} for ${wanted}`)
      if (isEmptyRange(range)) assert.not.ok(inside)
    }),
    { numRuns: 20_000 },
  )
})

test.run()
