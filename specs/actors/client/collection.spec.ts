/** The record calls of a collection, in a simulated world. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { DocInput } from '../../../actors/database/index.ts'
import { BlazeError, limits, Uuid } from '../../../runtime/index.ts'
import { createClientWorld, KEY } from './simulated-client.ts'
import { openIn } from '../../../actors/client/index.ts'

async function opened() {
  const sim = createClientWorld()
  const db = await sim.open()
  return { ...sim, db, bugs: db.collection('bugs') }
}

test('a record that was inserted is read back as its own copy', async () => {
  const { bugs, settle } = await opened()
  const doc = { title: 'crash', tags: ['a'], raw: new Uint8Array([1, 2]), at: new Date(5), none: undefined }

  const id = await settle(bugs.insert(doc))
  doc.tags.push('mutated later')
  const first = await settle(bugs.get(id))
  ;(first as unknown as { tags: string[] }).tags.push('mutated copy')
  const second = await settle(bugs.get(id))

  assert.equal(second, { id, title: 'crash', tags: ['a'], raw: new Uint8Array([1, 2]), at: new Date(5) })
  assert.is(Uuid.parse(id).toString(), id)
})

test('insert refuses an id that exists, put replaces it, update merges into it', async () => {
  const { bugs, settle, code } = await opened()
  await settle(bugs.insert({ id: 'x', a: 1, b: 1 }))

  assert.is(await code(() => bugs.insert({ id: 'x' })), 'RECORD_EXISTS')
  await settle(bugs.update('x', { b: 2, c: 3 }))
  assert.equal(await settle(bugs.get('x')), { id: 'x', a: 1, b: 2, c: 3 })
  await settle(bugs.update('x', { a: undefined }))
  assert.equal(await settle(bugs.get('x')), { id: 'x', b: 2, c: 3 })
  await settle(bugs.put('x', { id: 'x', d: 4 }))
  assert.equal(await settle(bugs.get('x')), { id: 'x', d: 4 })
  assert.is(await code(() => bugs.update('y', {})), 'NOT_FOUND')
  assert.is(await settle(bugs.get('y')), undefined)
})

test('a deleted record is gone until it is restored, put or inserted again', async () => {
  const { bugs, settle, code } = await opened()
  await settle(bugs.insert({ id: 'x', old: 1 }))

  assert.is(await code(() => bugs.restore('x', {})), 'RECORD_EXISTS')
  assert.is(await settle(bugs.delete('x')), true)
  assert.is(await settle(bugs.delete('x')), false)
  assert.is(await settle(bugs.delete('never')), false)
  assert.is(await settle(bugs.get('x')), undefined)
  assert.is(await code(() => bugs.update('x', { a: 1 })), 'NOT_FOUND')
  assert.is(await code(() => bugs.restore('never', {})), 'NOT_FOUND')
  await settle(bugs.restore('x', { fresh: 1 }))
  assert.equal(await settle(bugs.get('x')), { id: 'x', fresh: 1 })
  await settle(bugs.delete('x'))
  await settle(bugs.put('x', { again: 1 }))
  await settle(bugs.delete('x'))
  await settle(bugs.insert({ id: 'x', third: 1 }))
  assert.equal(await settle(bugs.get('x')), { id: 'x', third: 1 })
})

test('a write that changes nothing makes no envelope', async () => {
  const { db, bugs, settle } = await opened()
  await settle(bugs.insert({ id: 'x', a: 1, zero: 0, list: [1, { b: 2 }] }))
  const before = db.status().lastArrival

  await settle(bugs.update('x', { a: 1, list: [1, { b: 2 }], missing: undefined }))
  await settle(bugs.put('x', { a: 1, zero: 0, list: [1, { b: 2 }] }))
  assert.is(db.status().lastArrival, before)
  await settle(bugs.update('x', { zero: -0 }))
  assert.is(db.status().lastArrival, before + 1)
})

test('calls that are not awaited see the writes before them', async () => {
  const { bugs, settle } = await opened()

  const writes = [
    bugs.insert({ id: 'x', n: 0 }),
    ...Array.from({ length: 50 }, (_, n) => bugs.update('x', { n: n + 1, [`f${n}`]: n })),
  ]
  const got = bugs.get('x')
  const all = bugs.query().where('n', '=', 50).count()

  await settle(Promise.all(writes))
  assert.is((await settle(got))?.['n'], 50)
  assert.is(Object.keys((await settle(got)) ?? {}).length, 52)
  assert.is(await settle(all), 1)
  const gone = bugs.delete('x')
  const after = bugs.get('x')
  assert.is(await settle(gone), true)
  assert.is(await settle(after), undefined)
})

test('bad arguments are a TypeError before anything happens', async () => {
  const { db, bugs, code, world, settle } = await opened()
  const calls: (() => unknown)[] = [
    () => db.collection(''),
    () => db.collection('~chunk'),
    () => db.collection('\uD800'),
    () => db.collection(5 as never),
    () => bugs.insert(null as never),
    () => bugs.insert([] as never),
    () => bugs.insert(new Map() as never),
    () => bugs.insert({ id: 5 } as never),
    () => bugs.insert({ id: '' }),
    () => bugs.insert({ '': 1 }),
    () => bugs.put('x', { id: 'y' }),
    () => bugs.get(undefined as never),
    () => bugs.delete(''),
    () => bugs.insertMany({} as never),
    () => bugs.insertMany([{ a: 1 }, null as never]),
    () => bugs.insertMany(Array(3) as never),
    () => bugs.query().where('', '=', 1),
    () => bugs.query().where('a', 'like' as never, 1),
    () => bugs.query().limit(-1),
    () => openIn(world, { name: 'x', at: '/y' }),
    () => openIn(world, { name: 'x', at: '/y', password: '' }),
    () => openIn(world, { name: 'x', at: '/y', key: KEY, password: 'both' }),
    () => openIn(world, { name: 'x', at: '/y', key: new Uint8Array(31) }),
    () => openIn(world, { name: '', at: '/y', key: KEY }),
    () => openIn(world, { name: 'x', at: '', key: KEY }),
  ]
  for (const [at, call] of calls.entries()) {
    assert.is(await code(async () => call()), 'TypeError', `call ${at}`)
  }
  assert.is(await settle(bugs.query().count()), 0)
})

test('a write whose options are none is a TypeError and does not happen', async () => {
  const { db, bugs, code, settle } = await opened()
  await settle(bugs.insert({ id: 'x', n: 1 }))
  const before = db.status().lastArrival
  const wrong: unknown[] = [
    null,
    5,
    'x',
    AbortSignal.abort(),
    { timeoutMs: -1 },
    { timeoutMs: '1' },
    { signal: {} },
  ]
  for (const options of wrong as never[]) {
    const calls: (() => Promise<unknown>)[] = [
      () => bugs.insert({ id: 'y' }, options),
      () => bugs.insertMany([{ id: 'y' }], options),
      () => bugs.put('y', {}, options),
      () => bugs.update('x', { n: 2 }, options),
      () => bugs.delete('x', options),
      () => bugs.dropIndex('n', options),
      () => bugs.get('x', options),
      () => db.transaction(async (tx) => tx.collection('bugs').put('y', {}), options),
    ]
    for (const [at, call] of calls.entries()) assert.is(await code(call), 'TypeError', `call ${at}`)
  }
  await settle(db.flush())
  assert.equal(await settle(bugs.query().all()), [{ id: 'x', n: 1 }])
  assert.is(db.status().lastArrival, before)
})

test('what this version does not have says so', async () => {
  const { code, world } = await opened()

  assert.is(await code(() => openIn(world, { name: 'x', at: '/z', key: KEY, attach: true })), 'NOT_SUPPORTED')
})

test('values that cannot be stored are BAD_VALUE and change nothing', async () => {
  const { bugs, code, settle } = await opened()
  await settle(bugs.insert({ id: 'x', a: 1 }))

  for (const value of ['\uD800', new Date(Number.NaN), 2n ** 64n, [undefined], new (class {})()]) {
    assert.is(await code(() => bugs.update('x', { a: value } as unknown as DocInput)), 'BAD_VALUE')
    assert.is(
      await code(() => bugs.insertMany([{ ok: 1 }, { a: value } as unknown as DocInput])),
      'BAD_VALUE',
    )
    assert.is(await code(async () => bugs.query().where('a', '=', value as never)), 'BAD_VALUE')
  }
  assert.equal(await settle(bugs.query().all()), [{ id: 'x', a: 1 }])
})

test('names that prototypes use are fields like others', async () => {
  const { bugs, settle } = await opened()
  const evil = JSON.parse('{"__proto__": {"admin": true}, "constructor": 1}') as DocInput

  const id = await settle(bugs.insert(evil))
  const back = await settle(bugs.get(id))

  assert.equal(Object.keys(back ?? {}).sort(), ['__proto__', 'constructor', 'id'])
  assert.is((back as unknown as { admin?: unknown }).admin, undefined)
  assert.is(await settle(bugs.query().where('__proto__.admin', '=', true).count()), 1)
})

test('names and records are taken up to their limits and refused above', async () => {
  const { db, bugs, code, settle } = await opened()

  assert.is(await code(() => bugs.insert({ id: 'é'.repeat(127) + 'x' })), 'ok')
  assert.is(await code(() => bugs.insert({ id: 'é'.repeat(128) })), 'TypeError')
  assert.is(await code(async () => db.collection('c'.repeat(limits.collectionNameBytesMax))), 'ok')
  assert.is(await code(async () => db.collection('c'.repeat(limits.collectionNameBytesMax + 1))), 'TypeError')
  const overhead = 50
  const size = limits.recordCborBytesMax - overhead
  let largest = 0
  for (let extra = 0; extra <= overhead; extra += 1) {
    const answer = await code(() => bugs.put('big', { text: 'x'.repeat(size + extra) }))
    if (answer === 'ok') largest = size + extra
    else assert.is(answer, 'TOO_LARGE')
  }
  assert.ok(largest > size && largest < size + overhead, String(largest))
  const stored = (await settle(bugs.get('big'))) as unknown as { text: string }
  assert.is(stored.text.length, largest)
})

test('insertMany writes chunks in order and returns the ids in order', async () => {
  const { bugs, settle, code, db } = await opened()
  const docs = Array.from({ length: 1000 }, (_, n) => ({ n }))

  const ids = await settle(bugs.insertMany(docs))

  assert.is(new Set(ids).size, 1000)
  assert.is((await settle(bugs.get(ids[777] as string)))?.['n'], 777)
  assert.is(await settle(bugs.query().where('n', '<', 250).count()), 250)
  assert.equal(await settle(bugs.insertMany([])), [])
  assert.is(await code(() => bugs.insertMany([{ id: 'a' }, { id: 'a' }])), 'RECORD_EXISTS')
  assert.is(await code(() => bugs.insertMany([{ id: 'fresh' }, { id: ids[0] as string }])), 'RECORD_EXISTS')
  assert.is(await settle(bugs.get('fresh')), undefined)
  assert.is(db.status().records, 1000)
})

test('queries filter, limit, count and find one', async () => {
  const { bugs, settle } = await opened()
  await settle(bugs.insertMany(Array.from({ length: 40 }, (_, n) => ({ id: `r${n}`, n, even: n % 2 === 0 }))))
  const even = bugs.query().where('even', '=', true)

  assert.is(await settle(even.count()), 20)
  assert.is(await settle(even.where('n', '>=', 30).count()), 5)
  assert.is((await settle(even.limit(3).all())).length, 3)
  assert.is(await settle(even.limit(3).count()), 3)
  assert.is((await settle(even.limit(0).all())).length, 0)
  assert.is((await settle(bugs.query().where('n', '=', 7).first()))?.id, 'r7')
  assert.is(await settle(bugs.query().where('n', '=', 99).first()), undefined)
  assert.is(await settle(bugs.query().where('id', 'in', ['r1', 'r2', 'nope']).count()), 2)
})

test('deadlines and signals end a wait, and close ends everything', async () => {
  const { db, bugs, code, settle } = await opened()
  const aborted = new AbortController()
  aborted.abort()

  const refusal = (work: Promise<unknown>): Promise<unknown> =>
    settle(work.catch((error: unknown) => error instanceof BlazeError && [error.code, error.message]))

  assert.equal(await refusal(bugs.insert({ a: 1 }, { timeoutMs: 0 })), [
    'TIMEOUT',
    'insert: not within 0 ms; the write may still happen',
  ])
  assert.equal(await refusal(bugs.delete('x', { signal: aborted.signal })), [
    'ABORTED',
    'delete: the caller aborted; the write may still happen',
  ])
  assert.equal(await refusal(bugs.get('x', { timeoutMs: 0 })), ['TIMEOUT', 'get: not within 0 ms'])
  assert.is(await code(() => bugs.insert({ a: 1 }, { timeoutMs: -1 })), 'TypeError')
  const pending = bugs.insert({ id: 'last' })
  await settle(db.close())
  assert.is(await settle(pending), 'last')
  assert.is(await code(() => bugs.get('x')), 'CLOSED')
  assert.is(await code(() => bugs.query().all()), 'CLOSED')
  await settle(db.close())
})

test('calls beyond what a database queues are OVERLOADED, and all others are answered', async () => {
  const { bugs, settle } = await opened()
  await settle(bugs.insert({ id: 'x' }))
  const extra = 10
  const codes = await settle(
    Promise.all(
      Array.from({ length: limits.databaseMailMax + extra }, () =>
        bugs
          .query()
          .count()
          .then(
            () => 'ok',
            (error: unknown) => (error instanceof BlazeError ? error.code : 'other'),
          ),
      ),
    ),
  )

  assert.is(codes.filter((answer) => answer === 'ok').length, limits.databaseMailMax)
  assert.is(codes.filter((answer) => answer === 'OVERLOADED').length, extra)
})

test('everything is there again after closing and opening', async () => {
  const { db, bugs, settle, open, volume } = await opened()
  await settle(bugs.insertMany(Array.from({ length: 300 }, (_, n) => ({ id: `r${n}`, n }))))
  await settle(bugs.delete('r0'))
  await settle(bugs.update('r1', { n: 'changed' }))
  const { spaceId, replicaId } = db.status()
  await settle(db.close())

  const again = await open()
  const back = again.collection('bugs')

  assert.is(again.status().records, 299)
  assert.is(again.status().spaceId, spaceId)
  assert.is(again.status().replicaId, replicaId)
  assert.is((await settle(back.get('r1')))?.['n'], 'changed')
  assert.is(await settle(back.get('r0')), undefined)
  await settle(back.restore('r0', { n: 'back' }))
  assert.is((await settle(back.get('r0')))?.['n'], 'back')
  assert.equal(await volume('/db').list(''), ['header.0', 'header.1', 'store'])
})

test.run()
