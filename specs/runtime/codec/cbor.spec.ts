/** CBOR of record bodies: an exact round trip for every value, and nothing outside the allow-list. */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  cloneValue,
  copyValue,
  decodeCbor,
  encodeCbor,
  equalValue,
  fromHex,
  limits,
  toHex,
} from '../../../runtime/index.ts'
import type { CborItem, Value } from '../../../runtime/index.ts'
import { Uuid } from '../../../runtime/index.ts'
import { codeOf } from '../../fixtures/code-of.ts'
import { arbitraryValue } from './arbitrary-value.ts'

test('every value survives encoding and decoding exactly', () => {
  fc.assert(
    fc.property(arbitraryValue, (value) => {
      const back = decodeCbor(encodeCbor(value)) as Value

      return equalValue(back, value) && toHex(encodeCbor(back)) === toHex(encodeCbor(value))
    }),
    { numRuns: 2000 },
  )
})

test('a copy equals its original and shares nothing with it', () => {
  const original = { list: [new Uint8Array([1]), new Date(5)], deep: { a: 1 } }

  const copied = copyValue(original, 'field') as typeof original
  const cloned = cloneValue(copied) as typeof original
  original.deep.a = 2
  copied.list.length = 0

  assert.is(copied.deep.a, 1)
  assert.is(cloned.list.length, 2)
})

test('negative zero, NaN, infinities and a byte order mark keep their identity', () => {
  assert.ok(Object.is(decodeCbor(encodeCbor(-0)), -0))
  assert.ok(Object.is(decodeCbor(encodeCbor(0)), 0))
  assert.ok(Number.isNaN(decodeCbor(encodeCbor(Number.NaN))))
  assert.is(decodeCbor(encodeCbor(-Infinity)), -Infinity)
  assert.is(decodeCbor(encodeCbor('\uFEFFx')), '\uFEFFx')
})

test('the bytes are those of RFC 8949', () => {
  const rows: [CborItem, string][] = [
    [0, '00'],
    [1_000_000, '1a000f4240'],
    [-1, '20'],
    [18446744073709551n, '1b004189374bc6a7ef'],
    [1.5, 'f93e00'],
    [null, 'f6'],
    ['ü', '62c3bc'],
    [[1, [2, 3]], '8201820203'],
    [{ a: 1, b: [2, 3] }, 'a26161016162820203'],
    [new Date(1363896240000), 'c11a514b67b0'],
    [new Date(1363896240500), 'c1fb41d452d9ec200000'],
    [Uuid.parse('00000000-0000-0000-0000-0000000000ff'), 'd82550000000000000000000000000000000ff'],
  ]
  for (const [item, hex] of rows) assert.is(toHex(encodeCbor(item)), hex)
})

test('names that prototypes use are data', () => {
  const evil = JSON.parse('{"__proto__": {"admin": true}, "constructor": 1}') as Value

  const back = decodeCbor(encodeCbor(copyValue(evil, 'field'))) as Record<string, Value>

  assert.ok(Object.hasOwn(back, '__proto__'))
  assert.is(Object.getPrototypeOf(back), Object.prototype)
  assert.is((back as { admin?: unknown }).admin, undefined)
  assert.is(back['constructor'], 1)
})

test('bytes outside the allow-list are refused', () => {
  const rows = {
    nothing: '',
    'trailing bytes': '0000',
    'another tag': 'c000',
    'a big tag': 'db100000000000000000',
    bignum: 'c249010000000000000000',
    undefined: 'f7',
    'another simple value': 'f0',
    break: 'ff',
    'indefinite array': '9fff',
    'indefinite text': '7f6161ff',
    'overlong integer': '1800',
    'overlong text length': '780161',
    'overlong array length': '980101',
    'duplicate key': 'a2616101616102',
    'number as key': 'a10101',
    'ill-formed text': '61ff',
    'surrogate in text': '63eda080',
    'ill-formed long text': `7821${'61'.repeat(32)}ff`,
    'text too short': '6261',
    'text length missing': '79',
    'array shorter than its count': '8201',
    'huge array count': '9affffffff',
    'huge map count': 'bb00ffffffffffffff',
    'huge text': '7affffffff',
    'huge bytes': '5affffffff',
    'date of text': 'c16161',
    'date of NaN': 'c1f97e00',
    'UUID of 15 bytes': `d8254f${'00'.repeat(15)}`,
    'integer past 63 bits': '1bffffffffffffffff',
    'negative past 63 bits': '3bffffffffffffffff',
    'double cut off': 'fb0000',
  }
  for (const [name, hex] of Object.entries(rows)) {
    assert.is(
      codeOf(() => decodeCbor(fromHex(hex))),
      'BAD_VALUE',
      name,
    )
  }
})

test('nesting is bounded when encoding and when decoding', () => {
  const nest = (depth: number): Value => {
    let value: Value = 1
    for (let at = 0; at < depth; at += 1) value = [value]
    return value
  }
  const max = limits.cborDepthMax

  assert.equal(decodeCbor(encodeCbor(nest(max))), nest(max))
  assert.is(
    codeOf(() => encodeCbor(nest(max + 1))),
    'BAD_VALUE',
  )
  assert.is(
    codeOf(() => decodeCbor(fromHex(`${'81'.repeat(max)}01`))),
    'ok',
  )
  assert.is(
    codeOf(() => decodeCbor(fromHex(`${'81'.repeat(max + 1)}01`))),
    'BAD_VALUE',
  )
  assert.is(
    codeOf(() => decodeCbor(fromHex(`${'c1'.repeat(100_000)}01`))),
    'BAD_VALUE',
  )
  assert.is(
    codeOf(() => copyValue(nest(limits.valueDepthMax), 'field')),
    'ok',
  )
  assert.is(
    codeOf(() => copyValue(nest(limits.valueDepthMax + 1), 'field')),
    'BAD_VALUE',
  )
})

test('hostile values are refused before anything is stored', () => {
  const cyclic: Record<string, unknown> = {}
  cyclic['self'] = cyclic
  const rows: unknown[] = [
    undefined,
    () => 1,
    Symbol('s'),
    '\uD800',
    { '\uDC00': 1 },
    [undefined],
    // eslint-disable-next-line no-sparse-arrays
    [1, , 2],
    new Map(),
    new Float64Array(1),
    new Date(Number.NaN),
    new Date(8.64e15),
    2n ** 63n,
    -(2n ** 63n) - 1n,
    Object.create({ inherited: 1 }),
    cyclic,
  ]
  for (const row of rows)
    assert.is(
      codeOf(() => copyValue(row, 'field')),
      'BAD_VALUE',
      String(row),
    )
})

test('undefined is let through at the depth asked for and nowhere else', () => {
  const options = { undefinedAtDepth: 2 }
  const bytes = encodeCbor(['a', ['x', undefined]], options)

  assert.equal(decodeCbor(bytes, options), ['a', ['x', undefined]])
  assert.is(
    codeOf(() => decodeCbor(bytes)),
    'BAD_VALUE',
  )
  assert.is(
    codeOf(() => encodeCbor([undefined], options)),
    'BAD_VALUE',
  )
  assert.is(
    codeOf(() => encodeCbor([[[undefined]]], options)),
    'BAD_VALUE',
  )
  assert.is(
    codeOf(() => decodeCbor(fromHex('81f7'), options)),
    'BAD_VALUE',
  )
})

test('what was decoded shares nothing with the bytes, whatever kind of view they came in', () => {
  for (const length of [3, 300]) {
    const bytes = Buffer.from(encodeCbor([new Uint8Array(length).fill(7), 'x'.repeat(length)]))

    const [copied, text] = decodeCbor(bytes) as [Uint8Array, string]
    bytes.fill(0)

    assert.is(copied.constructor, Uint8Array)
    assert.is(copied.buffer.byteLength, length)
    assert.ok(copied.every((byte) => byte === 7))
    assert.is(text, 'x'.repeat(length))
  }
})

test('encoding inside a getter of an item that is being encoded, and after a refusal, harms nothing', () => {
  const inner = { a: 'inner', b: [1, 2, 3] }
  const item = {
    a: 'x'.repeat(100),
    get b(): string {
      return toHex(encodeCbor(inner))
    },
  }

  assert.is(
    codeOf(() => encodeCbor(['y'.repeat(50), 2n ** 64n])),
    'BAD_VALUE',
  )
  assert.is(toHex(encodeCbor(item)), toHex(encodeCbor({ a: 'x'.repeat(100), b: toHex(encodeCbor(inner)) })))
})

test('an item larger than the buffer of the encoder keeps its bytes, and so do the next ones', () => {
  const large = Array.from({ length: 3000 }, (_, n) => [
    `text ${n}`.repeat(10),
    n * 1e10,
    new Uint8Array(50).fill(n),
  ])

  for (const item of [large, 'small', large.slice(0, 40), 5] as Value[]) {
    assert.equal(decodeCbor(encodeCbor(item)), item)
  }
})

test('random bytes decode or are refused, never anything else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      const answer = codeOf(() => decodeCbor(bytes))
      return answer === 'ok' || answer === 'BAD_VALUE'
    }),
    { numRuns: 5000 },
  )
})

test('a UUID of version 7 carries its time and sorts by it', () => {
  const chance = new Uint8Array(10).fill(0xff)
  const early = Uuid.v7(1_700_000_000_000, chance)
  const late = Uuid.v7(1_700_000_000_001, new Uint8Array(10))

  assert.is(early.toString(), '018bcfe5-6800-7fff-bfff-ffffffffffff')
  assert.ok(early.compare(late) < 0)
  assert.ok(Uuid.parse(early.toString()).equals(early))
  assert.throws(
    () => Uuid.parse('no'),
    (error: unknown) => error instanceof TypeError,
  )
})

test.run()
