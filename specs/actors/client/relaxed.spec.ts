/** `durability: 'relaxed'`: what resolves early, what does not, and what `flush` and `close` say. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openIn, partsOf } from '../../../actors/client/index.ts'
import type { BlazeDBClient } from '../../../actors/client/index.ts'
import type { GuestWritten } from '../../../actors/database/index.ts'
import { createClientWorld, KEY } from './simulated-client.ts'
import type { ClientWorld } from './simulated-client.ts'

async function opened(durability: 'relaxed' | 'synced' = 'relaxed') {
  const sim = createClientWorld()
  const db = await openAs(sim, durability)
  sim.volume('/db').setLatency(1_000)
  return { ...sim, db, bugs: db.collection('bugs') }
}

function openAs(sim: ClientWorld, durability: 'relaxed' | 'synced'): Promise<BlazeDBClient> {
  return sim.settle(openIn(sim.world, { name: 'db', at: '/db', key: KEY, durability }))
}

test('a relaxed write resolves before it is synced, and flush when it is', async () => {
  const { simulation, db, bugs, settle } = await opened()
  const clock = simulation.env('app')
  const before = clock.monotonic()

  await settle(bugs.insert({ id: 'a' }))
  await settle(bugs.update('a', { n: 1 }))
  await settle(db.transaction((tx) => tx.collection('bugs').insert({ id: 'b' })))
  assert.is(await settle(bugs.delete('b')), true)
  assert.ok(clock.monotonic() - before < 1, 'nothing waited for the disk')
  assert.is(db.status().lastArrival, 0, 'nothing is synced')
  await settle(db.flush())

  assert.ok(clock.monotonic() - before > 1)
  assert.is(db.status().lastArrival, 3)
})

test('a synced write waits for the disk, and flush has nothing to wait for', async () => {
  const { simulation, db, bugs, settle } = await opened('synced')
  const clock = simulation.env('app')
  const before = clock.monotonic()

  await settle(bugs.insert({ id: 'a' }))
  const written = clock.monotonic()
  await settle(db.flush())

  assert.ok(written - before > 1)
  assert.ok(clock.monotonic() - written < 1)
})

test('what was flushed survives a power cut; what was not may be lost, in the order of its writes', async () => {
  const sim = await opened()
  const { db, bugs, settle } = sim
  await settle(bugs.insert({ id: 'flushed' }))
  await settle(db.flush())
  for (let n = 0; n < 5; n += 1) await settle(bugs.insert({ id: `${n}` }))

  sim.powerCut('/db')
  const again = await sim.open()

  const ids = (await settle(again.collection('bugs').query().all())).map(({ id }) => id).sort()
  assert.equal(ids, [...['0', '1', '2', '3', '4'].slice(0, ids.length - 1), 'flushed'])
})

test('a read after a relaxed write shows it, synced', async () => {
  const { db, bugs, settle } = await opened()
  await settle(bugs.insert({ id: 'a', n: 1 }))

  assert.equal(await settle(bugs.get('a')), { id: 'a', n: 1 })
  assert.is(db.status().lastArrival, 1)
})

test('a guest is told of its write when it is synced, in relaxed mode too', async () => {
  const { db, settle } = await opened()
  const { database } = partsOf(db)
  const policy = {
    home: new Uint8Array(16),
    check: () => undefined,
    visible: () => true,
    fieldVisible: () => true,
  }

  for (const step of ['insert', 'delete'] as const) {
    const before = db.status().lastArrival
    await settle(
      database.request<GuestWritten>((reply) => ({
        type: 'guest.write',
        step,
        collection: 'bugs',
        inputs: [{ id: 'a', values: new Map() }],
        policy,
        reply,
      })),
    )
    assert.is(db.status().lastArrival, before + 1)
  }
})

test('close syncs what is relaxed', async () => {
  const sim = await opened()
  await sim.settle(sim.bugs.insert({ id: 'a' }))
  await sim.settle(sim.db.close())

  const again = await sim.open()
  assert.is((await sim.settle(again.collection('bugs').get('a')))?.id, 'a')
})

test('a refused write rejects in relaxed mode too', async () => {
  const { bugs, settle, code } = await opened()
  await settle(bugs.insert({ id: 'a' }))

  assert.is(await code(() => bugs.insert({ id: 'a' })), 'RECORD_EXISTS')
  assert.is(await code(() => bugs.insert({ text: 'x'.repeat(70_000) })), 'TOO_LARGE')
})

test('flush tells once when resolved writes may be lost, also after the store was opened again; so does close', async () => {
  const { db, bugs, volume, settle, code } = await opened()
  volume('/db').failNextBatch()
  await settle(bugs.insert({ id: 'lost' }))
  await settle(bugs.get('lost').catch(() => undefined))
  assert.is(await settle(bugs.get('lost')), undefined, 'it is open again')

  assert.is(await code(() => db.flush()), 'POISONED')
  assert.is(await code(() => db.flush()), 'ok')
  volume('/db').failNextBatch()
  await settle(bugs.insert({ id: 'lost' }))
  await settle(bugs.get('lost').catch(() => undefined))
  assert.is(await code(() => db.close()), 'POISONED')
})

test('any other durability is a TypeError', async () => {
  const { code, world } = createClientWorld()

  assert.is(
    await code(() => openIn(world, { name: 'db', at: '/db', key: KEY, durability: 'none' as never })),
    'TypeError',
  )
})

test.run()
