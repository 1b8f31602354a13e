/** Byte values of over 48 KiB, as an application meets them: they come back as they were written, or say that they are not all here. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { partsOf } from '../../../actors/client/client.ts'
import { openIn, restoreIn } from '../../../actors/client/index.ts'
import { CHUNK_COLLECTION } from '../../../actors/database/chunk/chunk-name.ts'
import { counter, increment, PartialBytes } from '../../../actors/index.ts'
import type { Collection, Doc, LiveDelta } from '../../../actors/index.ts'
import { BlazeError, limits } from '../../../runtime/index.ts'
import { bytesOf, chunk, chunks, noise, numberOf, opened, same } from './large-value-world.ts'
import { createClientWorld, KEY } from './simulated-client.ts'

test('values around each limit come back as they were written, after reopening too', async () => {
  const { notes, db, open, settle } = await opened()
  const sizes = [0, 1, chunk - 1, chunk, chunk + 1, 2 * chunk - 1, 2 * chunk, 2 * chunk + 1, 40 * chunk + 7]

  for (const [n, size] of sizes.entries())
    await settle(notes.insert({ id: `${n}`, size, data: noise(size, n + 1) }))
  const before = await settle(notes.query().orderBy('size').all())
  const { records } = db.status()
  await settle(db.close())
  const again = await open()

  for (const [n, size] of sizes.entries()) {
    same(bytesOf(before[n]), noise(size, n + 1), `${size} bytes in a query`)
    assert.equal(await settle(again.collection('notes').get(`${n}`)), {
      id: `${n}`,
      size,
      data: noise(size, n + 1),
    })
  }
  assert.is(records, sizes.length)
})

test('a value that is written again as it is makes no envelope, and a changed one new chunks', async () => {
  const world = await opened()
  const { notes, db, settle } = world
  const data = noise(3 * chunk)
  await settle(notes.insert({ id: 'a', data }))
  const [first, arrival] = [await chunks(world, db), db.status().lastArrival]

  await settle(notes.put('a', { data: data.slice() }))
  await settle(notes.update('a', { data: data.slice() }))
  assert.is(db.status().lastArrival, arrival)
  await settle(notes.update('a', { data: noise(3 * chunk, 9) }))

  assert.is(first.length, 3)
  assert.is((await chunks(world, db)).length, 6)
  same(bytesOf(await settle(notes.get('a'))), noise(3 * chunk, 9))
})

test('a field changes between large, small, other values and nothing, and a field beside it stays', async () => {
  const { notes, settle } = await opened()
  await settle(notes.insert({ id: 'a', data: noise(2 * chunk), text: 'beside' }))

  await settle(notes.update('a', { data: 'text' }))
  assert.equal(await settle(notes.get('a')), { id: 'a', data: 'text', text: 'beside' })
  await settle(notes.update('a', { data: noise(2 * chunk, 2) }))
  same(bytesOf(await settle(notes.get('a'))), noise(2 * chunk, 2))
  await settle(notes.update('a', { data: undefined }))
  assert.equal(await settle(notes.get('a')), { id: 'a', text: 'beside' })
  await settle(notes.put('a', { data: noise(2 * chunk, 3) }))
  await settle(notes.put('a', { text: 'alone' }))
  assert.equal(await settle(notes.get('a')), { id: 'a', text: 'alone' })
})

test('calls for a record keep their order though one of them takes its time, and other records do not wait', async () => {
  const { db, notes, settle } = await opened()
  const order: string[] = []
  const told = (name: string) => () => order.push(name)
  const big = noise(60 * chunk)

  const calls = [
    notes.insert({ id: 'a', data: big, n: 1 }).then(told('insert')),
    notes.update('a', { n: 2 }).then(told('update')),
    notes.put('c', { data: big }).then(told('put')),
    notes.put('c', { n: 3 }).then(told('put again')),
    notes.insert({ id: 'b', n: 1 }).then(told('other')),
    notes.get('a').then((doc) => {
      order.push(`get ${numberOf(doc)} ${bytesOf(doc).length}`)
    }),
    db.flush().then(told('flush')),
  ]
  const count = notes.query().count()
  await settle(Promise.all(calls))

  assert.is(order[0], 'other', order.join())
  const of = (...names: string[]): string[] => order.filter((name) => names.includes(name.slice(0, 6).trim()))
  assert.equal(of('insert', 'update', 'get 2'), ['insert', 'update', `get 2 ${big.length}`])
  assert.equal(of('put', 'put ag'), ['put', 'put again'])
  assert.is(order.at(-1)?.slice(0, 3) === 'get' ? order.at(-2) : order.at(-1), 'flush')
  assert.is(await settle(count), 3)
  assert.equal(await settle(notes.get('c')), { id: 'c', n: 3 })
})

test('of two large values of one record the one that was called last stays, however long each takes', async () => {
  const { notes, settle } = await opened()
  const sizes = [60, 40, 20, 2]

  await settle(Promise.all(sizes.map((size) => notes.put('a', { data: noise(size * chunk, size) }))))
  const ends = [
    notes.put('b', { data: noise(40 * chunk) }),
    notes.put('b', { data: noise(20 * chunk) }),
    notes.put('b', { n: 1 }),
  ]
  await settle(Promise.all(ends))

  same(bytesOf(await settle(notes.get('a'))), noise(2 * chunk, 2))
  assert.equal(await settle(notes.get('b')), { id: 'b', n: 1 })
})

test('with relaxed durability large values may be more than what waits for the disk', async () => {
  const { world, settle } = createClientWorld(1)
  const db = await settle(openIn(world, { name: 'db', at: '/db', key: KEY, durability: 'relaxed' }))
  const data = new Uint8Array(limits.stagedBytesMax / 2).fill(7)

  await settle(Promise.all(['a', 'b', 'c'].map((id) => db.collection('notes').insert({ id, data }))))

  same(bytesOf(await settle(db.collection('notes').get('c'))), data)
})

test('an operation does not take a large value for an absent field', async () => {
  const { notes, settle, code } = await opened()
  await settle(notes.insert({ id: 'a', data: noise(2 * chunk) }))

  assert.is(await code(() => notes.update('a', { data: increment(1) })), 'BAD_VALUE')
  await settle(notes.update('a', { data: counter(3) }))

  assert.equal(await settle(notes.get('a')), { id: 'a', data: 3 })
})

test('a transaction writes and reads large values, and one that is given up leaves none', async () => {
  const { db, notes, settle, code } = await opened()
  const data = noise(2 * chunk + 5)

  const inside = await settle(
    db.transaction(async (tx) => {
      const own = tx.collection('notes')
      await own.insert({ id: 'a', data })
      return bytesOf(await own.get('a'))
    }),
  )
  const failed = await code(() =>
    db.transaction(async (tx) => {
      await tx.collection('notes').insert({ id: 'b', data })
      throw new BlazeError('CONFLICT', 'not this time')
    }),
  )

  assert.equal(inside, data)
  assert.is(failed, 'CONFLICT')
  same(bytesOf(await settle(notes.get('a'))), data)
  assert.is(await settle(notes.get('b')), undefined)
})

test('live queries, watched records, pages and projections bring the bytes', async () => {
  const { notes, settle, simulation } = await opened()
  const deltas: LiveDelta[] = []
  const watched: (Doc | undefined)[] = []
  const live = notes.query().live((delta) => deltas.push(delta))
  const watch = notes.watch('a', (doc) => watched.push(doc))
  await simulation.pass(10)

  await settle(notes.insert({ id: 'a', data: noise(2 * chunk) }))
  await simulation.pass(10)
  await settle(notes.update('a', { data: noise(2 * chunk, 2) }))
  await simulation.pass(10)
  live.close()
  watch.close()

  assert.equal(
    deltas.flatMap(({ added, changed }) => [...added, ...changed]).map((doc) => bytesOf(doc)),
    [noise(2 * chunk), noise(2 * chunk, 2)],
  )
  same(bytesOf(watched.at(-1)), noise(2 * chunk, 2))
  const page = await settle(notes.query().page())
  same(bytesOf(page.docs[0]), noise(2 * chunk, 2))
  const [selected] = await settle(notes.query().select('data').all())
  same(bytesOf(selected), noise(2 * chunk, 2))
  assert.equal(await settle(notes.query().select('text').all()), [{ id: 'a' }])
})

test('to conditions, orders, indexes and aggregates a large value is absent', async () => {
  const { notes, settle } = await opened()
  await settle(notes.createIndex('data'))
  await settle(notes.insert({ id: 'large', data: noise(2 * chunk) }))
  await settle(notes.insert({ id: 'small', data: noise(20) }))
  const ids = async (query: ReturnType<Collection['query']>): Promise<string[]> =>
    (await settle(query.all())).map(({ id }) => id)

  assert.equal(await ids(notes.query().where('data', '>=', null)), ['small'])
  assert.equal(await ids(notes.query().where('data', '=', noise(20))), ['small'])
  assert.equal(await ids(notes.query().orderBy('data')), ['large', 'small'])
  assert.equal(await settle(notes.query().max('data')), noise(20))
})

test('more than 64 MiB in a record is TOO_LARGE, over several writes too, and nothing of it is stored', async () => {
  const world = await opened()
  const { notes, code, settle, db } = world
  const most = new Uint8Array(limits.largeBytesMax)

  assert.is(
    await code(() => notes.insert({ id: 'a', data: new Uint8Array(limits.largeBytesMax + 1) })),
    'TOO_LARGE',
  )
  assert.is(await code(() => notes.insert({ id: 'a', one: most.subarray(chunk), two: most })), 'TOO_LARGE')
  assert.is((await chunks(world, db)).length, 0)
  await settle(notes.insert({ id: 'a', data: most }))
  assert.is(await code(() => notes.update('a', { more: noise(chunk + 1) })), 'TOO_LARGE')
  await settle(notes.update('a', { data: noise(chunk + 1) }))

  assert.equal(await settle(notes.get('a')), { id: 'a', data: noise(chunk + 1) })
})

test('what a value lacks makes it partial: other fields read, and it cannot be written back', async () => {
  const world = await opened()
  const { notes, db, settle, code } = world
  await settle(notes.insert({ id: 'a', data: noise(3 * chunk), text: 'here' }))
  const { database } = partsOf(db)
  const id = (await chunks(world, db))[1] ?? ''
  await settle(
    database.request<boolean>((reply) => ({
      type: 'record.delete',
      collection: CHUNK_COLLECTION,
      id,
      reply,
    })),
  )

  const doc = await settle(notes.get('a'))
  const partial = doc?.['data']
  assert.ok(partial instanceof PartialBytes)
  assert.is(partial.bytes, 3 * chunk)
  assert.is(JSON.stringify(doc), '{"id":"a","data":{"partial":true,"bytes":147456},"text":"here"}')
  assert.is(await code(() => notes.put('a', doc ?? {})), 'PARTIAL')
  await settle(notes.update('a', { text: 'changed' }))
  await settle(notes.update('a', { data: noise(3 * chunk) }))
  assert.equal(await settle(notes.get('a')), { id: 'a', data: noise(3 * chunk), text: 'changed' })
})

test('chunks that somebody changed are never shown as the value', async () => {
  const world = await opened()
  const { notes, db, settle } = world
  await settle(notes.insert({ id: 'a', data: noise(2 * chunk) }))
  const { database } = partsOf(db)
  const id = (await chunks(world, db))[1] ?? ''
  const values = new Map([['data', noise(chunk, 77)]])
  await settle(
    database.request<void>((reply) => ({
      type: 'record.write',
      step: 'update',
      collection: CHUNK_COLLECTION,
      inputs: [{ id, values }],
      reply,
    })),
  )

  assert.ok((await settle(notes.get('a')))?.['data'] instanceof PartialBytes)
})

test('a power cut while a large value is stored leaves the record as it was or as it was to be', async () => {
  const outcomes = new Set<number>()
  for (let seed = 1; seed <= 12; seed += 1) {
    const world = createClientWorld(seed)
    const db = await world.open()
    await world.settle(db.collection('notes').insert({ id: 'a', data: noise(2 * chunk), n: 1 }))
    // Nobody is there to hear how it ended.
    db.collection('notes')
      .put('a', { data: noise(40 * chunk, 2), n: 2 })
      .catch(() => undefined)
    await world.simulation.pass(seed)
    world.powerCut('/db')

    const doc = await world.settle((await world.open()).collection('notes').get('a'))
    same(bytesOf(doc), numberOf(doc) === 1 ? noise(2 * chunk) : noise(40 * chunk, 2), `seed ${seed}`)
    outcomes.add(numberOf(doc))
  }
  assert.equal(
    [...outcomes].toSorted((x, y) => x - y),
    [1, 2],
  )
})

test('backups and exports bring large values along', async () => {
  const world = await opened()
  const { db, notes, settle, open } = world
  await settle(notes.insert({ id: 'a', data: noise(5 * chunk), text: 'beside' }))
  await settle(db.export('/notes.jsonl'))
  const other = await open('/other')

  const report = await settle(other.import('/notes.jsonl'))
  await settle(db.backup('/notes.blz'))
  const from = { from: '/notes.blz', name: 'back', at: '/back', key: KEY }
  const back = await settle(restoreIn(world.world, from))

  assert.is(report.records, 1)
  same(bytesOf(await settle(back.collection('notes').get('a'))), noise(5 * chunk))
  assert.equal(await settle(other.collection('notes').get('a')), {
    id: 'a',
    data: noise(5 * chunk),
    text: 'beside',
  })
})

test.run()
