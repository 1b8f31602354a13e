/** A rate on a supervisor: who sends more waits with a named state and loses nothing, deletions go through, others are not held up. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import type { BlazeDBClient } from '../../../actors/index.ts'
import { limits } from '../../../runtime/index.ts'
import type { SimulatedWorld } from '../../simulation/world.ts'
import { docs, startLimited } from './limited-world.ts'
import type { LimitedWorld } from './limited-world.ts'

/** Some 24 records of `docs` are the allowance of a minute. */
const RATE = 4_096
/** Above what 24 retries of half a minute take at this rate. */
const patienceMs = 1_200_000

const start = (seed: number): Promise<LimitedWorld> => startLimited(seed, { rateBytes: RATE })

/** Insertions in parts of their own: a part is taken whole. */
async function insertSlowly(
  world: SimulatedWorld,
  a: BlazeDBClient,
  from: number,
  count: number,
): Promise<void> {
  for (let at = 0; at < count; at++) {
    await world.settle(a.collection('notes').insertMany(docs(from + at, 1)))
    await world.simulation.pass(50)
  }
}

test('within the rate of a minute nothing is said; who sends more waits in state quota, and all of it comes at that rate', async () => {
  const { world, a, sync } = await start(1)
  await insertSlowly(world, a, 0, 20)
  await world.settle(sync.flushed())
  assert.is(sync.status().state, 'caughtUp')

  const fromMs = world.simulation.now()
  await insertSlowly(world, a, 20, 100)
  await world.simulation.pass(1_000)
  assert.is(sync.status().state, 'quota')
  assert.match(
    sync.why(),
    /the quota on pi:8080 is used up \(QUOTA: .*4096 bytes a second are taken from a device/,
  )
  await world.settle(sync.flushed({ timeoutMs: patienceMs }), patienceMs)
  const seconds = (world.simulation.now() - fromMs) / 1_000
  await world.simulation.pass(1_000)

  assert.is(sync.status().state, 'caughtUp')
  assert.is(world.supervisor?.status().databaseList[0]?.records, 120)
  assert.ok(seconds > (100 * 9_000) / RATE - limits.rateAllowanceMs / 1_000 && seconds < 600, `${seconds} s`)
})

test('deletions go through while a device waits for its rate', async () => {
  const { world, a, sync } = await start(2)
  await insertSlowly(world, a, 0, 10)
  const b = await world.join('b', await world.settle(a.invite({ role: 'reader' })))
  await world.settle(b.sync?.caughtUp() ?? Promise.reject(new Error('no sync')))
  await insertSlowly(world, a, 10, 200)
  await world.simulation.pass(1_000)
  assert.is(sync.status().state, 'quota')

  for (let id = 0; id < 10; id++) await world.settle(a.collection('notes').delete(`${id}`))
  await world.simulation.pass(2 * limits.relayRetryMaxMs)

  assert.is(sync.status().state, 'quota', 'what was written waits still')
  const ids = (await world.settle(b.collection('notes').query().all())).map(({ id }) => Number(id))
  assert.ok(ids.length < 100 && ids.every((id) => id >= 10), 'what was deleted is gone elsewhere')
})

test('another device is not held up by one that sends more than its rate', async () => {
  const { world, a, sync } = await start(3)
  const b = await world.join('b', await world.settle(a.invite({ role: 'writer' })))
  await world.settle(b.sync?.caughtUp() ?? Promise.reject(new Error('no sync')))
  await insertSlowly(world, a, 0, 100)
  await world.simulation.pass(1_000)
  assert.is(sync.status().state, 'quota')

  const fromMs = world.simulation.now()
  await world.settle(b.collection('notes').insert({ id: 'small' }))
  await world.settle(b.sync?.flushed() ?? Promise.reject(new Error('no sync')))

  assert.ok(world.simulation.now() - fromMs < 1_000)
})

test.run()
