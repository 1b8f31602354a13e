/** A quota on a supervisor: what goes beyond it waits with a named state, deletions go through, and room that is made is used. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { limits } from '../../../runtime/index.ts'
import type { SimulatedWorld } from '../../simulation/world.ts'
import { docs, startLimited } from './limited-world.ts'
import type { LimitedWorld } from './limited-world.ts'

const KIB = 1_024
const QUOTA = 200 * KIB

const start = (seed: number): Promise<LimitedWorld> => startLimited(seed, { quotaBytes: QUOTA })

function bytesAtPi(world: SimulatedWorld): number {
  return world.supervisor?.status().databaseList[0]?.bytes ?? -1
}

test('below the quota nothing is said; what goes beyond it waits in state quota, and local work goes on', async () => {
  const { world, a, sync } = await start(1)
  await world.settle(a.collection('notes').insertMany(docs(0, 10)))
  await world.settle(sync.flushed())
  assert.is(sync.status().state, 'caughtUp')
  const before = bytesAtPi(world)
  assert.ok(before > 90 * KIB && before <= QUOTA, `${before} bytes`)

  await world.settle(a.collection('notes').insertMany(docs(10, 30)))
  await world.simulation.pass(10_000)

  assert.is(sync.status().state, 'quota')
  assert.match(sync.why(), /the quota on pi:8080 is used up \(QUOTA: .*204800 bytes are allowed here/)
  assert.is(bytesAtPi(world), before, 'a part is taken whole or not at all')
  assert.is(await world.settle(a.collection('notes').query().count()), 40)
})

test('deletions go through a quota that is used up, and then what has room', async () => {
  const { world, a, sync } = await start(2)
  const notes = a.collection('notes')
  await world.settle(notes.insertMany(docs(0, 18)))
  await world.settle(sync.flushed())
  await world.settle(notes.insertMany(docs(18, 8)))
  await world.simulation.pass(5_000)
  assert.is(sync.status().state, 'quota')

  const before = bytesAtPi(world)
  for (let id = 0; id < 2; id++) await world.settle(notes.delete(`${id}`))
  await world.simulation.pass(limits.relayRetryMaxMs * 2.5)
  assert.is(sync.status().state, 'quota', 'there is no room for what waits')
  assert.ok(bytesAtPi(world) < before - 15 * KIB, 'and the deletions are there')

  for (let id = 2; id < 12; id++) await world.settle(notes.delete(`${id}`))
  await world.simulation.pass(limits.relayRetryMaxMs * 2.5)
  await world.settle(sync.flushed())

  assert.is(sync.status().state, 'caughtUp')
  assert.ok(bytesAtPi(world) <= QUOTA)
  const b = await world.join('b', await world.settle(a.invite({ role: 'writer' })))
  await world.settle(b.sync?.caughtUp() ?? Promise.reject(new Error('no sync')))
  const ids = (await world.settle(b.collection('notes').query().all())).map(({ id }) => Number(id))
  assert.equal(
    ids.sort((x, y) => x - y),
    Array.from({ length: 14 }, (_, at) => at + 12),
  )
})

test('another device of the team is not held up by one that is over the quota', async () => {
  const { world, a, sync } = await start(3)
  await world.settle(a.collection('notes').insertMany(docs(0, 5)))
  const b = await world.join('b', await world.settle(a.invite({ role: 'writer' })))
  await world.settle(b.sync?.caughtUp() ?? Promise.reject(new Error('no sync')))
  await world.settle(a.collection('notes').insertMany(docs(100, 40)))
  await world.simulation.pass(5_000)
  assert.is(sync.status().state, 'quota')

  await world.settle(b.collection('notes').insert({ id: 'small' }))
  await world.settle(b.sync?.flushed() ?? Promise.reject(new Error('no sync')))
  await world.simulation.pass(limits.relayRetryMaxMs * 1.5)

  assert.ok(await world.settle(a.collection('notes').get('small')), 'what others write still comes')
})

test('a greater quota lets everything through by itself', async () => {
  const { world, a, sync } = await start(4)
  await world.settle(a.collection('notes').insertMany(docs(0, 40)))
  await world.simulation.pass(5_000)
  assert.is(sync.status().state, 'quota')

  world.crashSupervisor()
  await world.startSupervisor({ quotaBytes: 10 * QUOTA })
  await world.settle(sync.flushed(), 120_000)

  assert.is(sync.status().state, 'caughtUp')
})

test.run()
