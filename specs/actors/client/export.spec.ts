/** Records out as JSON lines and in again: what is kept, what is refused, and where. */
// time limit: 120 s
import { PassThrough, Readable, Writable } from 'node:stream'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { counter, increment, set } from '../../../actors/client/index.ts'
import type { BlazeDBClient } from '../../../actors/client/index.ts'
import { limits, setOwn, Uuid } from '../../../runtime/index.ts'
import type { Value } from '../../../runtime/index.ts'
import { createClientWorld } from './simulated-client.ts'
import type { ClientWorld } from './simulated-client.ts'
import { faultOf } from '../../fixtures/code-of.ts'

const FILE = '/exports/all.jsonl'

function put(world: ClientWorld, text: string | Uint8Array): void {
  world.files.contents.set(FILE, typeof text === 'string' ? Buffer.from(text) : text)
}

async function count(world: ClientWorld, db: BlazeDBClient, collection: string): Promise<number> {
  return world.settle(db.collection(collection).query().count())
}

async function sorted(world: ClientWorld, db: BlazeDBClient, collection: string): Promise<unknown[]> {
  const found = await world.settle(db.collection(collection).query().all())
  return found.toSorted((a, b) => (a.id < b.id ? -1 : 1))
}

const everything: { [field: string]: Value } = {
  nothing: null,
  truth: true,
  zero: -0,
  nan: NaN,
  big: -(2n ** 62n),
  bigAsDouble: 2 ** 60,
  bigAsNegative: -(2 ** 53),
  huge: 1.7976931348623157e308,
  text: 'line\u2028\n"quoted" é 😀',
  bytes: new Uint8Array([0, 255]),
  date: new Date(123),
  uuid: Uuid.parse('01890a5d-ac96-774b-bcce-b302099a8057'),
  list: [1, [2, { $bytes: 'a map' }]],
  $field: 'dollar',
}
setOwn(everything, '__proto__', 'a name like others')

test('what is exported and imported elsewhere is the same, of every type', async () => {
  const world = createClientWorld()
  const db = await world.open()
  await world.settle(db.collection('kinds').insert({ id: 'all', ...everything }))
  await world.settle(db.collection('other').insertMany(Array.from({ length: 600 }, (_, n) => ({ n }))))
  await world.settle(db.collection('other').insert({ id: 'gone' }))
  await world.settle(db.collection('other').delete('gone'))

  const report = await world.settle(db.export(FILE))
  const copy = await world.open('/copy')
  const imported = await world.settle(copy.import(FILE))

  assert.is(report.records, 601)
  assert.is(report.bytes, world.files.contents.get(FILE)?.length)
  assert.equal(imported, { lines: 601, records: 601, bytes: report.bytes })
  for (const name of ['kinds', 'other']) {
    assert.equal(await sorted(world, copy, name), await sorted(world, db, name))
  }
})

test('an export shows one moment, whatever is written meanwhile, and only the collections that were asked for', async () => {
  const world = createClientWorld()
  const db = await world.open()
  const records = db.collection('records')
  await world.settle(records.insertMany(Array.from({ length: 1_000 }, (_, n) => ({ id: `r${n}`, n: 0 }))))
  await world.settle(db.collection('other').insert({ id: 'x' }))
  const writes: Promise<void>[] = []

  await world.settle(
    db.export(FILE, {
      collections: ['records'],
      onProgress: () => writes.push(records.put('r500', { n: 1 }), records.put('r1', { n: 1 })),
    }),
  )
  await world.settle(Promise.all(writes))

  const lines = Buffer.from(world.files.contents.get(FILE) ?? [])
    .toString()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { collection: string; fields: { n: number } })
  assert.is(lines.length, 1_000)
  assert.ok(lines.every(({ collection, fields }) => collection === 'records' && fields.n === 0))
})

test('put imports a file again without a change, insert refuses what is there and names its line', async () => {
  const world = createClientWorld()
  const db = await world.open()
  await world.settle(
    db.collection('a').insertMany(Array.from({ length: 300 }, (_, n) => ({ id: `r${n}`, n }))),
  )
  await world.settle(db.export(FILE))
  const { lastArrival } = db.status()

  assert.is((await world.settle(db.import(FILE, { mode: 'put' }))).records, 300)
  assert.is(db.status().lastArrival, lastArrival, 'nothing was written')
  const error = await faultOf(world.settle(db.import(FILE)))
  assert.is(error.code, 'RECORD_EXISTS')
  assert.is(error.details['line'], 1)
  assert.is(error.details['records'], 0)
})

test('a write that is refused names its line and how many are written; up to three chunks after it may be among them', async () => {
  const world = createClientWorld()
  const db = await world.open()
  const notes = db.collection('notes')
  await world.settle(notes.insert({ id: 'n300' }))
  put(world, Array.from({ length: 2_560 }, (_, n) => `{"id":"n${n}","n":${n}}`).join('\n'))

  const error = await faultOf(world.settle(db.import(FILE, { collection: 'notes' })))

  assert.is(error.code, 'RECORD_EXISTS')
  assert.is(error.details['line'], 301)
  const written = (await world.settle(notes.query().all()))
    .filter(({ n }) => n !== undefined)
    .map(({ n }) => Number(n))
  assert.is(error.details['records'], written.length)
  const chunks = new Set(written.map((n) => Math.floor(n / 256)))
  assert.is(written.length, chunks.size * 256, 'each chunk is whole, or not there')
  assert.not.ok(chunks.has(1))
  assert.ok(chunks.has(0) && [...chunks].every((chunk) => chunk <= 1 + 3), [...chunks].join())
})

test('plain objects go into the collection of the call, with the ids they have or new ones', async () => {
  const world = createClientWorld()
  const db = await world.open()
  put(world, '\ufeff{"id":"a","n":1,"tags":["x"]}\r\n\r\n  {"n":2,"$date":"stays a map"}\r\n{"n":3}')

  const report = await world.settle(db.import(FILE, { collection: 'plain' }))

  assert.is(report.records, 3)
  assert.is(report.lines, 4)
  const plain = db.collection('plain')
  assert.equal(await world.settle(plain.get('a')), { id: 'a', n: 1, tags: ['x'] })
  const [two] = await world.settle(plain.query().where('n', '=', 2).all())
  assert.is(two?.['$date'], 'stays a map')
  assert.match(two?.id ?? '', /^[0-9a-f]{8}-[0-9a-f]{4}-7/)
})

test('a bad line is IMPORT_INVALID with its number; all lines before it are written, and none after it', async () => {
  const world = createClientWorld()
  const good = (n: number): string => `{"id":"g${n}","n":${n}}\n`
  const rows: [string | Uint8Array, RegExp][] = [
    ['{"n":1', /no JSON/],
    ['[1]', /expected an object/],
    ['{"n":12345678901234567890}', /12345678901234567890 would not be kept exactly/],
    ['{"n":[0.5,-9007199254740993]}', /-9007199254740993/],
    ['{"n":1e999}', /1e999/],
    ['{"text":"\\ud800"}', /surrogate/],
    [`{"text":"${'x'.repeat(70_000)}"}`, /too large/],
    ['{"id":7}', /id: expected text/],
    ['{"id":""}', /id/],
    ['{"collection":"a","id":"b","fields":{"x":{"$bytes":"?"}}}', /bytes/],
    ['{"collection":"~chunk","id":"b","fields":{}}', /reserved/],
    ['{"collection":"a","id":"b","fields":{"id":1}}', /id is no field/],
    [`${'['.repeat(200)}${']'.repeat(200)}`, /expected an object/],
    [`{"deep":${'['.repeat(200)}${']'.repeat(200)}}`, /deep/],
    [Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d), /UTF-8/],
    [Uint8Array.of(0xff, 0xfe, 0x7b, 0x00), /UTF-8/],
    ['"x'.padEnd(limits.importLineBytesMax + 1, 'x'), /longer/],
  ]
  for (const [at, [bad, message]] of rows.entries()) {
    const db = await world.open(`/db${at}`)
    const bytes = [Buffer.from(Array.from({ length: 300 }, (_, n) => good(n)).join('')), Buffer.from(bad)]
    put(world, Buffer.concat([...bytes, Buffer.from('\n'), Buffer.from(good(999))]))

    const error = await faultOf(world.settle(db.import(FILE, { collection: 'plain' })))

    assert.is(error.code, 'IMPORT_INVALID', `${error.message}`)
    assert.is(error.details['line'], 301, error.message)
    assert.is(error.details['records'], 300, error.message)
    assert.match(error.message, message)
    assert.is(await count(world, db, 'plain'), 300, error.message)
    await world.settle(db.close())
  }
})

test('numbers inside of texts, and long ones that are exact, are no fault', async () => {
  const world = createClientWorld()
  const db = await world.open()
  put(
    world,
    '{"id":"a","t":"12345678901234567890 \\" 1e999","n":9007199254740991,"x":1e21,"y":0.1234567890123456789}',
  )

  await world.settle(db.import(FILE, { collection: 'plain' }))

  assert.equal(await world.settle(db.collection('plain').get('a')), {
    id: 'a',
    t: '12345678901234567890 " 1e999',
    n: 9_007_199_254_740_991,
    x: 1e21,
    y: 0.123_456_789_012_345_68,
  })
})

test('a plain object without a collection is refused, and so are bad options', async () => {
  const world = createClientWorld()
  const db = await world.open()
  put(world, '{"n":1}\n')

  const error = await faultOf(world.settle(db.import(FILE)))
  assert.is(error.code, 'IMPORT_INVALID')
  assert.match(error.message, /line 1: .*collection/)
  assert.is((await faultOf(world.settle(db.import('/none')))).code, 'NOT_FOUND')
  for (const options of [{ mode: 'update' }, { collection: '~x' }, { onProgress: 1 }, { timeoutMs: -1 }]) {
    assert.is(await world.code(() => db.import(FILE, options as never)), 'TypeError', JSON.stringify(options))
  }
  for (const options of [{ collections: 'a' }, { collections: ['~x'] }, { signal: 1 }]) {
    assert.is(await world.code(() => db.export(FILE, options as never)), 'TypeError', JSON.stringify(options))
  }
})

test('counters and sets are exported as what they show, and come back as plain fields', async () => {
  const world = createClientWorld()
  const db = await world.open()
  await world.settle(db.collection('a').insert({ id: 'x', n: counter(3), tags: set(['b', 'a']) }))
  await world.settle(db.collection('a').update('x', { n: increment(4) }))

  await world.settle(db.export(FILE))
  const copy = await world.open('/copy')
  await world.settle(copy.import(FILE))

  assert.equal(await world.settle(copy.collection('a').get('x')), { id: 'x', n: 7, tags: ['a', 'b'] })
})

test('an id that comes twice in a file is refused by insert, and by put the last one counts', async () => {
  const world = createClientWorld()
  const db = await world.open()
  put(world, '{"id":"a","n":1}\n{"id":"b","n":1}\n{"id":"a","n":2}\n')

  const error = await faultOf(world.settle(db.import(FILE, { collection: 'one' })))
  await world.settle(db.import(FILE, { collection: 'two', mode: 'put' }))

  assert.is(error.code, 'RECORD_EXISTS')
  assert.is(error.details['line'], 3)
  assert.is((await world.settle(db.collection('two').get('a')))?.['n'], 2)
})

test('streams are written and read piece by piece, at their own pace, and stay open', async () => {
  const world = createClientWorld()
  const db = await world.open()
  await world.settle(
    db.collection('a').insertMany(Array.from({ length: 2_000 }, (_, n) => ({ id: `r${n}`, n }))),
  )
  const written: Buffer[] = []
  const slow = new Writable({
    highWaterMark: 1,
    write(chunk: Buffer, _, done) {
      written.push(chunk)
      world.world.env.after(5, () => done())
    },
  })

  const report = await world.settle(db.export(slow))

  assert.not.ok(slow.writableEnded)
  const text = Buffer.concat(written).toString()
  assert.is(report.bytes, Buffer.byteLength(text))
  const copy = await world.open('/copy')
  const pieces = Array.from({ length: Math.ceil(text.length / 777) }, (_, n) =>
    text.slice(n * 777, (n + 1) * 777),
  )
  assert.is((await world.settle(copy.import(Readable.from(pieces)))).records, 2_000)
  assert.is(await count(world, copy, 'a'), 2_000)
})

test('a stream that fails ends the export with its error', async () => {
  const world = createClientWorld()
  const db = await world.open()
  await world.settle(db.collection('a').insert({ id: 'x' }))
  const broken = new PassThrough()
  broken.destroy()
  let error: unknown

  await world.settle(db.export(broken)).catch((cause: unknown) => {
    error = cause
  })

  assert.match(String(error), /destroyed/)
})

test('a stream that gives or takes nothing is waited for until the deadline or signal of the call', async () => {
  const world = createClientWorld()
  const db = await world.open()
  await world.settle(db.collection('a').insert({ id: 'x' }))
  const silent = new Readable({ read: () => undefined })
  const stuck = new Writable({ highWaterMark: 1, write: () => undefined })
  const stop = new AbortController()

  assert.is(await world.code(() => db.import(silent, { timeoutMs: 500 })), 'TIMEOUT')
  assert.is(await world.code(() => db.export(stuck, { timeoutMs: 500 })), 'TIMEOUT')
  const work = db.export(stuck, { signal: stop.signal })
  stop.abort()
  assert.is(await world.code(() => work), 'ABORTED')
})

test('text that comes in pieces keeps characters that were cut in two, and a lone surrogate is refused', async () => {
  const world = createClientWorld()
  const db = await world.open()
  const into = { collection: 'a' }

  await world.settle(db.import(Readable.from(['{"id":"x","t":"\ud83d', '\ude00"}\n']), into))
  const lone = await faultOf(world.settle(db.import(Readable.from(['{"t":"\ud83d', 'x"}\n']), into)))
  const last = await faultOf(world.settle(db.import(Readable.from(['{"t":1}\n', '\ud83d']), into)))

  assert.equal(await world.settle(db.collection('a').get('x')), { id: 'x', t: '😀' })
  assert.is(lone.code, 'IMPORT_INVALID')
  assert.match(lone.message, /line 1: .*UTF-8/)
  assert.match(last.message, /line 2: .*UTF-8/)
})

test('a signal or a full disk ends an export without a file, and an import after whole chunks', async () => {
  const world = createClientWorld()
  const db = await world.open()
  await world.settle(
    db.collection('a').insertMany(Array.from({ length: 5_000 }, (_, n) => ({ id: `r${n}`, n }))),
  )
  await world.settle(db.export(FILE))
  const stop = new AbortController()
  const stopping = { signal: stop.signal, onProgress: () => stop.abort() }
  world.files.freeBytes = 100_000
  assert.is(await world.code(() => db.export('/full')), 'DISK_FULL')
  world.files.freeBytes = Infinity
  assert.is(await world.code(() => db.export('/stopped', stopping)), 'ABORTED')
  assert.equal([...world.files.contents.keys()], [FILE])

  const copy = await world.open('/copy')
  const again = new AbortController()
  const pieces = world.files.contents.get(FILE) as Uint8Array
  const half = pieces.subarray(0, pieces.length / 2)
  const work = copy.import(Readable.from([half, pieces.subarray(half.length)]), {
    signal: again.signal,
    onProgress: () => again.abort(),
  })
  assert.is(await world.code(() => work), 'ABORTED')
  const there = await count(world, copy, 'a')
  assert.ok(there > 0 && there < 5_000 && there % 256 === 0, `${there} records`)
  assert.is((await world.settle(copy.import(FILE, { mode: 'put' }))).records, 5_000)
  assert.is(await count(world, copy, 'a'), 5_000)
})

test.run()
