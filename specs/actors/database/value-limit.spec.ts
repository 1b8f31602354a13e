/** Values at their limits come back exactly through everything that reads; one step further they are refused with a code. */
// time limit: 120 s
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { DocInput } from '../../../actors/database/index.ts'
import { encodeCbor, limits, Uuid } from '../../../runtime/index.ts'
import type { Value } from '../../../runtime/index.ts'
import { checkReturned, openValueWorld } from './value-world.ts'

function nested(containers: number, wrap: (inner: Value) => Value): Value {
  let value: Value = 'core'
  for (let at = 0; at < containers; at += 1) value = wrap(value)
  return value
}

/** A document of one text field whose record takes so many bytes in CBOR. */
function sized(bytes: number, o: { id: string; collection: string }): DocInput {
  const overhead = encodeCbor([
    o.collection,
    o.id,
    null,
    [[2 ** 40, 0, new Uint8Array(8)]],
    ['f', 0, 'x'.repeat(60_000)],
  ])
  return { id: o.id, f: 'x'.repeat(bytes - (overhead.length - 60_000)) }
}

test('values at the limits of each type come back exactly', async () => {
  await checkReturned({
    'null and booleans': { a: null, b: true, c: false },
    'no field at all': {},
    integers: {
      a: 0,
      b: -1,
      c: Number.MAX_SAFE_INTEGER,
      d: Number.MIN_SAFE_INTEGER,
      e: 2 ** 32,
      f: -(2 ** 32),
    },
    bigints: { a: 2n ** 63n - 1n, b: -(2n ** 63n), c: 2n ** 53n, d: -(2n ** 53n) },
    doubles: {
      a: 0.1,
      b: 5e-324,
      c: Number.MAX_VALUE,
      d: -Number.MAX_VALUE,
      e: 2 ** 53,
      f: 2 ** 63,
      g: 65_504.5,
    },
    'minus zero': { a: -0, b: [-0], c: { z: -0 } },
    'NaN and the infinities': { a: Number.NaN, b: Infinity, c: -Infinity, d: [Number.NaN] },
    texts: { a: '', b: '\u0000', c: '\uFEFFmark', d: '😀', e: 'e\u0301', f: 'é', g: '\uFFFF', h: 'a\r\nb' },
    bytes: { a: new Uint8Array(0), b: new Uint8Array(256).map((_byte, at) => at) },
    dates: {
      a: new Date(2 ** 51),
      b: new Date(-(2 ** 51)),
      c: new Date(0),
      d: new Date(-1),
      e: new Date(1),
      f: new Date(2 ** 51 - 1),
      g: new Date(1 - 2 ** 51),
    },
    UUIDs: { a: new Uuid(new Uint8Array(16)), b: new Uuid(new Uint8Array(16).fill(255)) },
    'empty containers': { a: [], b: {}, c: [[], {}, [[]]] },
    'arrays as deep as they may be': { a: nested(limits.valueDepthMax, (inner) => [inner]) },
    'maps as deep as they may be': { a: nested(limits.valueDepthMax, (inner) => ({ k: inner })) },
    'a date, a UUID and bytes at the bottom': {
      a: nested(limits.valueDepthMax - 1, (inner) => [
        inner,
        new Date(5),
        new Uuid(new Uint8Array(16)),
        new Uint8Array(1),
      ]),
    },
    'many fields': Object.fromEntries(Array.from({ length: 3000 }, (_field, at) => [`field ${at}`, at])),
    'many items': { a: Array.from({ length: 60_000 }, (_item, at) => at % 20) },
    'a long field name': { ['n'.repeat(60_000)]: 1 },
  })
})

test('one step beyond each limit a value is refused, and nothing is written', async () => {
  const { db, code, settle } = await openValueWorld()
  const things = db.collection('things')
  await settle(things.insert({ id: 'there', kept: 1 }))
  const refused: Record<string, readonly [string, unknown]> = {
    'a bigint above 64 bits': ['BAD_VALUE', 2n ** 63n],
    'a bigint below 64 bits': ['BAD_VALUE', -(2n ** 63n) - 1n],
    'a date too late': ['BAD_VALUE', new Date(2 ** 51 + 1)],
    'a date too early': ['BAD_VALUE', new Date(-(2 ** 51) - 1)],
    'a lone high surrogate': ['BAD_VALUE', 'a\uD800'],
    'a lone low surrogate': ['BAD_VALUE', '\uDC00a'],
    'surrogates in the wrong order': ['BAD_VALUE', '\uDC00\uD800'],
    'a lone surrogate in a name of a map': ['BAD_VALUE', { '\uD800': 1 }],
    'arrays one too deep': ['BAD_VALUE', nested(limits.valueDepthMax + 1, (inner) => [inner])],
    'maps one too deep': ['BAD_VALUE', nested(limits.valueDepthMax + 1, (inner) => ({ k: inner }))],
    'too many items': ['TOO_LARGE', Array.from({ length: 65_000 }, () => 1)],
    'a text beyond any record': ['TOO_LARGE', 'x'.repeat(1_000_000)],
    'a short text of long characters': ['TOO_LARGE', '😀'.repeat(20_000)],
    'bytes in an array beyond any record': ['TOO_LARGE', [new Uint8Array(64_000)]],
  }

  for (const [what, [expected, value]] of Object.entries(refused)) {
    const doc = { id: 'new', f: value } as DocInput
    assert.is(await code(() => things.insert(doc)), expected, `insert: ${what}`)
    assert.is(await code(() => things.insertMany([{ id: 'first' }, doc])), expected, `insertMany: ${what}`)
    assert.is(await code(() => things.put('new', { f: value } as DocInput)), expected, `put: ${what}`)
    assert.is(await code(() => things.update('there', { f: value } as DocInput)), expected, `update: ${what}`)
  }
  assert.equal(await settle(things.query().all()), [{ id: 'there', kept: 1 }])
})

test('a record of exactly the largest size is kept; one byte more is refused', async () => {
  const { db, code, settle, open } = await openValueWorld()
  const name = { id: 'x', collection: 'c' }
  const [fits, exceeds] = [sized(limits.recordCborBytesMax, name), sized(limits.recordCborBytesMax + 1, name)]
  const collection = db.collection('c')

  assert.is(await code(() => collection.insert(exceeds)), 'TOO_LARGE')
  await settle(collection.insert(fits))
  assert.is(await code(() => collection.update('x', { f: exceeds['f'] })), 'TOO_LARGE')

  assert.equal(await settle(collection.get('x')), fits)
  await settle(db.close())
  const again = await open()
  assert.equal(await settle(again.collection('c').get('x')), fits)
  assert.equal(await settle(again.collection('c').query().all()), [fits])
})

test('ids and names are taken up to their limits, by bytes', async () => {
  const { db, code, settle, open } = await openValueWorld()
  const ids = [
    'i'.repeat(255),
    'é'.repeat(127) + 'x',
    '😀'.repeat(63) + 'xyz',
    '__proto__',
    'constructor',
    '\u0000',
    ' ',
  ]
  const names = ['n'.repeat(128), 'é'.repeat(64), '__proto__', 'constructor', 'toString', '.', 'a/b']
  const wrongIds = ['', 'i'.repeat(256), 'é'.repeat(128), '😀'.repeat(64), '\uD800', 'a\uDFFF']
  const wrongNames = ['', 'n'.repeat(129), 'é'.repeat(64) + 'x', '\uD800', '~chunk', '~']

  for (const name of names) {
    for (const id of ids) await settle(db.collection(name).insert({ id, name, own: id }))
  }
  for (const id of wrongIds) {
    assert.is(await code(() => db.collection('c').insert({ id })), 'TypeError')
    assert.is(await code(() => db.collection('c').get(id)), 'TypeError')
    assert.is(await code(() => db.collection('c').put(id, {})), 'TypeError')
    assert.is(await code(() => db.collection('c').delete(id)), 'TypeError')
  }
  for (const name of wrongNames) assert.is(await code(() => db.collection(name)), 'TypeError', name)
  for (const id of [5, null, {}, new Date()]) {
    assert.is(await code(() => db.collection('c').insert({ id } as DocInput)), 'TypeError')
  }

  await settle(db.close())
  const again = await open()
  for (const name of names) {
    const found = await settle(again.collection(name).query().all())
    assert.equal(found.map(({ id }) => id).sort(), [...ids].sort(), name)
    for (const id of ids) assert.equal(await settle(again.collection(name).get(id)), { id, name, own: id })
  }
})

test.run()
