/** A large value on its way over a slow link does not hold up small writes, in neither direction of the chain. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import type { BlazeDBClient } from '../../../actors/index.ts'
import { SimulatedWorld } from '../../simulation/world.ts'

const LINK_BYTES_PER_S = 800_000
const LARGE_BYTES = 4_000_000
/** On one hop, with nothing else under way. */
const LARGE_MS = (LARGE_BYTES / LINK_BYTES_PER_S) * 1_000

async function pair(seed: number): Promise<{ world: SimulatedWorld; a: BlazeDBClient; b: BlazeDBClient }> {
  const world = new SimulatedWorld(seed)
  await world.startSupervisor()
  const a = await world.open('a')
  await world.settle(a.enableSync({ remote: world.remote(), database: 'notes' }))
  const b = await world.join('b', await world.settle(a.invite({ role: 'writer' })))
  for (const client of [a, b, a])
    await world.settle(client.sync?.caughtUp() ?? Promise.reject(new Error('no sync')))
  world.network.setFaults({ latencyMs: 1, bytesPerSecond: LINK_BYTES_PER_S })
  return { world, a, b }
}

async function until(
  world: SimulatedWorld,
  holds: () => Promise<boolean>,
  virtualMs: number,
): Promise<number> {
  const from = world.simulation.now()
  for (;;) {
    if (await world.settle(holds())) return world.simulation.now() - from
    if (world.simulation.now() - from > virtualMs) throw new Error(`not within ${virtualMs} ms`)
    await world.simulation.pass(100)
  }
}

/** Virtual ms until the small record is shown, and from then until the large one is whole. */
async function arrivals(world: SimulatedWorld, at: BlazeDBClient): Promise<{ small: number; large: number }> {
  const hasSmall = async (): Promise<boolean> => (await at.collection('notes').get('small')) !== undefined
  const hasLarge = async (): Promise<boolean> =>
    (await at.collection('files').get('large'))?.['bytes'] instanceof Uint8Array
  const small = await until(world, hasSmall, LARGE_MS * 3)
  return { small, large: await until(world, hasLarge, LARGE_MS * 6) }
}

test('a small write made after a large value is visible elsewhere long before the large one', async () => {
  const { world, a, b } = await pair(1)
  const bytes = new Uint8Array(LARGE_BYTES).map((_, at) => at % 251)
  await world.settle(a.collection('files').put('large', { bytes }), 60_000)
  await world.simulation.pass(300)
  await world.settle(a.collection('notes').insert({ id: 'small', text: 'x'.repeat(100) }))

  const { small, large } = await arrivals(world, b)

  assert.ok(small < 2_000, `${small} ms for the small one`)
  assert.ok(small + large > LARGE_MS, `${large} ms for the large one`)
})

test('a small write made after a large value while the link was down does not wait behind it either', async () => {
  const { world, a, b } = await pair(2)
  const bytes = new Uint8Array(LARGE_BYTES).map((_, at) => at % 251)
  await world.settle(a.sync?.pause() ?? Promise.reject(new Error('no sync')))
  await world.settle(a.collection('files').put('large', { bytes }), 60_000)
  await world.settle(a.collection('notes').insert({ id: 'small', text: 'x'.repeat(100) }))
  a.sync?.resume()

  const { small, large } = await arrivals(world, b)

  assert.ok(small < 3_000, `${small} ms for the small one`)
  assert.ok(small + large > LARGE_MS, `${large} ms for the large one`)
})

test.run()
