/** Names and objects that break careless code: returned as they were given, or refused, and never anything in between. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { DocInput } from '../../../actors/database/index.ts'
import { checkReturned, openValueWorld } from './value-world.ts'

/** Own properties of any name. */
function own(entries: readonly (readonly [string, unknown])[]): DocInput {
  const out = {}
  for (const [name, value] of entries) {
    Object.defineProperty(out, name, { value, configurable: true, enumerable: true, writable: true })
  }
  return out
}

const NAMES = [
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'valueOf',
  'length',
  'then',
  '0',
  '-1',
  'a.b',
  ' ',
  '\u0000',
]

test('names of fields and of maps are names like others', async () => {
  const entries = NAMES.map((name, at) => [name, at] as const)
  await checkReturned({
    fields: own(entries),
    'names of a map': own([['map', own([...entries, ['', 'empty']])]]),
    'names of maps in an array': own([
      ['list', [own(entries), own([['__proto__', own([['__proto__', 1]])]])]],
    ]),
  })
  assert.is(({} as Record<string, unknown>)['0'], undefined)
})

test('what is read is the own copy of the caller, with the prototype of any object', async () => {
  const { db, settle } = await openValueWorld()
  const things = db.collection('things')
  const bare = Object.assign(Object.create(null) as object, { a: 1 })
  await settle(things.insert({ id: 'x', bare } as DocInput))

  const first = (await settle(things.get('x'))) as unknown as { bare: { a: number } }
  first.bare.a = 2
  const second = (await settle(things.get('x'))) as unknown as { bare: { a: number } }

  assert.is(second.bare.a, 1)
  assert.is(Object.getPrototypeOf(second.bare), Object.prototype)
})

test('bytes are bytes, whatever view they come in', async () => {
  const { db, settle, open } = await openValueWorld()
  const things = db.collection('things')
  const shared = new Uint8Array(new SharedArrayBuffer(8), 2, 3)
  shared.set([1, 2, 3])
  const view = Uint8Array.of(9, 1, 2, 3, 9).subarray(1, 4)

  const written = things.insert({ id: 'x', shared, view, buffer: Buffer.from([1, 2, 3]) })
  shared.fill(7)
  view.fill(7)
  await settle(written)

  const expected = {
    id: 'x',
    shared: Uint8Array.of(1, 2, 3),
    view: Uint8Array.of(1, 2, 3),
    buffer: Uint8Array.of(1, 2, 3),
  }
  assert.equal(await settle(things.get('x')), expected)
  await settle(db.close())
  const doc = await settle((await open()).collection('things').get('x'))
  assert.equal(doc, expected)
  assert.is(Object.getPrototypeOf(doc?.['buffer']), Uint8Array.prototype)
  assert.ok((doc as unknown as { shared: Uint8Array }).shared.buffer instanceof ArrayBuffer)
})

test('a getter is asked once, and what it gives is judged like a value', async () => {
  const { db, settle, code } = await openValueWorld()
  const things = db.collection('things')
  let asked = 0
  const doc = {
    id: 'x',
    get once(): number {
      asked += 1
      return asked
    },
  }

  await settle(things.insert(doc))

  assert.equal(await settle(things.get('x')), { id: 'x', once: 1 })
  assert.is(asked, 1)
  const bad = {
    get f(): unknown {
      return () => 1
    },
  }
  assert.is(await code(() => things.put('y', bad as DocInput)), 'BAD_VALUE')
  const failing = {
    get f(): number {
      throw new RangeError('of the application')
    },
  }
  try {
    await settle(things.put('y', failing))
    assert.unreachable()
  } catch (error) {
    assert.instance(error, RangeError)
  }
})

class Point {
  x = 1
}
class Rows extends Array<number> {}
const cycle: Record<string, unknown> = { a: 1 }
cycle['self'] = cycle
const ring: unknown[] = []
ring.push([ring])
/** Forty maps that are two to the fortieth when each is copied where it stands. */
let web: unknown = 'x'
for (let at = 0; at < 40; at += 1) web = { left: web, right: web }

const detached = new Uint8Array(4)
structuredClone(detached.buffer, { transfer: [detached.buffer] })

test('what is no value is refused: it is neither changed to one nor left out', async () => {
  const { db, settle, code } = await openValueWorld()
  const things = db.collection('things')
  await settle(things.insert({ id: 'there' }))
  const refused: Record<string, unknown> = {
    'a function': () => 1,
    'a symbol': Symbol('s'),
    'an object with a class': new Point(),
    'an array with a class': Rows.from([1]),
    'a map': new Map([['a', 1]]),
    'a set': new Set([1]),
    'a regular expression': /x/,
    'an error': new Error('x'),
    'a promise': Promise.resolve(1),
    'a boxed text': Object('x'),
    'a boxed number': Object(1),
    'an invalid date': new Date(Number.NaN),
    'a buffer without a view': new ArrayBuffer(4),
    'a view of other numbers': new Float64Array(2),
    'a data view': new DataView(new ArrayBuffer(4)),
    'clamped bytes': new Uint8ClampedArray(2),
    'undefined in an array': [1, undefined],
    'undefined in a map': { a: undefined },
    // oxlint-disable-next-line no-sparse-arrays -- it is the subject
    'a hole': [1, , 3],
    'a huge array of holes': new Array(2 ** 32 - 1),
    'a match, an array with more than items': /x/.exec('x'),
    'a symbol as a name': { [Symbol('s')]: 1 },
    'a symbol as a name of an array': Object.assign([1], { [Symbol('s')]: 1 }),
    'a cycle of maps': cycle,
    'a cycle of arrays': ring,
    'an object that inherits': Object.create({ inherited: 1 }),
  }

  for (const [what, value] of Object.entries(refused)) {
    for (const place of [value, [value], { a: [value] }]) {
      assert.is(await code(() => things.insert({ id: 'new', f: place } as DocInput)), 'BAD_VALUE', what)
    }
    assert.is(
      await code(() => things.update('there', { f: value } as DocInput)),
      'BAD_VALUE',
      `update: ${what}`,
    )
    assert.is(
      await code(() =>
        things
          .query()
          .where('f', '=', value as string)
          .all(),
      ),
      'BAD_VALUE',
      `where: ${what}`,
    )
  }
  assert.is(await code(() => things.put('new', { f: web } as DocInput)), 'TOO_LARGE')
  assert.is(
    await code(() =>
      things
        .query()
        .where('f', '=', web as string)
        .all(),
    ),
    'TOO_LARGE',
  )
  assert.is(await code(() => things.put('new', { f: detached })), 'TypeError')
  assert.equal(await settle(things.query().all()), [{ id: 'there' }])
})

test('what is no document is refused', async () => {
  const { db, settle, code } = await openValueWorld()
  const things = db.collection('things')
  const docs = [
    null,
    undefined,
    1,
    'x',
    [],
    [1],
    new Date(),
    new Map(),
    new Point(),
    () => 1,
    new Proxy(new Point(), {}),
  ]

  for (const doc of docs) {
    assert.is(await code(() => things.insert(doc as unknown as DocInput)), 'TypeError')
    assert.is(await code(() => things.put('x', doc as unknown as DocInput)), 'TypeError')
  }
  for (const doc of [
    own([['', 1]]),
    own([['\uD800', 1]]),
    { [Symbol('s')]: 1 },
    { ['n'.repeat(64_000)]: 1 },
  ]) {
    assert.is(await code(() => things.insert(doc as DocInput)), 'TypeError')
  }
  // In source code this sets the prototype: the object is not plain, and there is no such field.
  assert.is(await code(() => things.insert({ __proto__: { a: 1 } } as unknown as DocInput)), 'TypeError')
  assert.equal(await settle(things.query().all()), [])
})

test.run()
