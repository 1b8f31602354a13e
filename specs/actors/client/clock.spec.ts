/** Clocks that are wrong, jump, or were never set: what waits, what is told, and that it heals when they are right again. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import type { BlazeDBClient } from '../../../actors/index.ts'
import { limits } from '../../../runtime/index.ts'
import { codeOfWork } from '../../fixtures/code-of.ts'
import { SimulatedWorld } from '../../simulation/world.ts'

const HOUR = 3_600_000
/** Back to before any clock was set. */
const TO_1970 = -55 * 365 * 24 * HOUR

async function start(
  seed: number,
  before: (world: SimulatedWorld) => void = () => {},
): Promise<{ world: SimulatedWorld; a: BlazeDBClient; b: BlazeDBClient }> {
  const world = new SimulatedWorld(seed)
  world.simulation.env('pi')
  before(world)
  await world.startSupervisor()
  const a = await world.open('a')
  await world.settle(a.enableSync({ remote: world.remote(), database: 'notes' }))
  await world.settle(a.collection('notes').insert({ id: 'first', text: 'of a' }))
  await world.settle(a.sync?.caughtUp() ?? Promise.resolve())
  const b = await world.join('b', await world.settle(a.invite({ role: 'writer' })))
  await world.settle(b.sync?.caughtUp() ?? Promise.resolve())
  return { world, a, b }
}

function synced(world: SimulatedWorld, client: BlazeDBClient): Promise<void> {
  return world.settle(client.sync?.caughtUp() ?? Promise.reject(new Error('no sync')))
}

test('a device that is an hour ahead says so, writes nothing, still receives, and writes again once its clock is right', async () => {
  const { world, a, b } = await start(1)
  world.simulation.jump('b', HOUR)
  // What it was told at its last hello is carried on by the monotonic clock.
  assert.is(await world.settle(codeOfWork(b.collection('notes').insert({ id: 'late' }))), 'CLOCK_SKEW')
  await world.settle(a.collection('notes').insert({ id: 'second' }))
  await synced(world, a)
  await world.simulation.pass(1_000)

  assert.is(b.sync?.status().state, 'clockSkew')
  assert.match(
    b.sync?.why() ?? '',
    /are 60 minutes apart: nothing is written here .* set the clock that is wrong/,
  )
  assert.ok(await world.settle(b.collection('notes').get('second')))
  world.simulation.jump('b', -HOUR)
  await world.settle(b.collection('notes').insert({ id: 'right' }))
  await synced(world, b)
  assert.is(b.sync?.status().state, 'caughtUp')
})

test('a device that is behind is told so too', async () => {
  const { world, b } = await start(2)
  world.simulation.jump('b', -HOUR)

  assert.is(await world.settle(codeOfWork(b.collection('notes').insert({ id: 'early' }))), 'CLOCK_SKEW')
  assert.ok((b.sync?.status().clockOffsetMs ?? 0) > HOUR - 10_000)
})

test('a supervisor without a clock stops nobody from writing, and is told of', async () => {
  const { world, a, b } = await start(3, (made) => made.simulation.jump('pi', TO_1970))
  await world.settle(b.collection('notes').insert({ id: 'second' }))
  await synced(world, b)
  await synced(world, a)

  assert.ok(await world.settle(a.collection('notes').get('second')))
  assert.is(a.sync?.status().state, 'caughtUp')
  assert.is(a.sync?.status().clockUnset, true)
  assert.match(a.sync?.why() ?? '', /its clock was never set, and invites expire by it/)
})

test('a supervisor that is an hour off is found out at hello, and that it was set right within minutes', async () => {
  const { world, a } = await start(4)
  world.simulation.jump('pi', HOUR)
  world.network.cut('a')
  await world.simulation.pass(10_000)
  assert.is(await world.settle(codeOfWork(a.collection('notes').insert({ id: 'x' }))), 'CLOCK_SKEW')
  assert.is(a.sync?.status().state, 'clockSkew')

  world.simulation.jump('pi', -HOUR)
  await world.simulation.pass(limits.clockRetryMs * 2.5)

  await world.settle(a.collection('notes').insert({ id: 'x' }))
  assert.is(a.sync?.status().clockUnset, false)
})

test('what a device wrote while it was ahead and alone is held by the others, and shown when its time comes', async () => {
  const { world, a, b } = await start(5)
  await world.settle(b.sync?.pause() ?? Promise.resolve())
  await world.settle(b.close())
  world.simulation.jump('b', 20 * 60_000)
  const alone = await world.open('b', { sync: false })
  await world.settle(alone.collection('notes').insert({ id: 'from the future', text: 'x' }))
  await world.settle(alone.close())
  world.simulation.jump('b', -20 * 60_000)
  const again = await world.open('b')
  await synced(world, again)
  await synced(world, a)

  assert.is(await world.settle(a.collection('notes').get('from the future')), undefined)
  assert.is(a.sync?.status().state, 'held')
  assert.match(a.sync?.why() ?? '', /1 writes of others are held/)
  await world.simulation.pass(16 * 60_000)
  assert.ok(await world.settle(a.collection('notes').get('from the future')))
  await synced(world, a)
  assert.is(a.sync?.status().held, 0)
})

test('a clock that jumps to and fro loses and resurrects nothing', async () => {
  const { world, a, b } = await start(6)
  const expected = new Set(['first'])
  for (let step = 0; step < 30; step++) {
    const [node, client] = step % 2 === 0 ? (['a', a] as const) : (['b', b] as const)
    const offset = (world.simulation.random() - 0.5) * 8 * 60_000
    world.simulation.jump(node, offset)
    const id = `${node}-${step}`
    const code = await world.settle(codeOfWork(client.collection('notes').insert({ id, step })))
    if (code === 'ok') expected.add(id)
    world.simulation.jump(node, -offset)
    await world.simulation.pass(100)
  }
  await world.simulation.pass(10 * 60_000)
  for (const client of [a, b, a, b]) await synced(world, client)

  for (const client of [a, b]) {
    const ids = (await world.settle(client.collection('notes').query().all())).map(({ id }) => id)
    assert.equal(ids.sort(), [...expected].sort())
  }
  assert.ok(expected.size > 15)
})

test.run()
