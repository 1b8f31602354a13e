/** A device that is cut in the middle of a longer round: what the others show meanwhile, and what they say of it (REPLICATION rules 12 and 18). */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { formatDeviceId, type BlazeDBClient, type SyncStatus } from '../../../actors/index.ts'
import { partsOf } from '../../../actors/client/client.ts'
import { limits, nodeCrypto } from '../../../runtime/index.ts'
import { SimulatedWorld } from '../../simulation/world.ts'

const { relayPartBytes } = limits

test.before.each(() => void Object.assign(limits, { relayPartBytes: 1_024 }))
test.after.each(() => void Object.assign(limits, { relayPartBytes }))

/** The device that made the database. */
function founderOf(client: BlazeDBClient): string {
  const members = partsOf(client).database.space?.team.members() ?? []
  const founder = members.find(({ role }) => role === 'owner')
  return founder === undefined ? '' : formatDeviceId(nodeCrypto, founder.keys.signKey)
}

async function halves(client: BlazeDBClient, world: SimulatedWorld): Promise<unknown[]> {
  const all = await world.settle(client.collection('pairs').query().all())
  const found = all
    .filter(({ id }) => id === 'x' || id === 'y')
    .map(({ id, n }) => `${id}${JSON.stringify(n)}`)
  return found.sort()
}

test('who shows a part of a transaction says that it is syncing, and whose writes are on their way', async () => {
  const world = new SimulatedWorld(5)
  await world.startSupervisor()
  const a = await world.open('a')
  await world.settle(a.enableSync({ remote: world.remote(), database: 'notes' }))
  let b = await world.join('b', await world.settle(a.invite({ role: 'writer' })))
  const pairs = a.collection('pairs')
  await world.settle(
    pairs.insertMany([
      { id: 'x', n: 0 },
      { id: 'y', n: 0 },
    ]),
  )
  await world.settle(a.sync?.flushed() ?? Promise.resolve())
  await world.settle(b.sync?.caughtUp() ?? Promise.resolve())
  const states: SyncStatus['state'][] = []
  b.sync?.on((event) => {
    if (event.type === 'state') states.push(event.status.state)
  })

  // Both halves change together; the second changes once more, behind much else.
  await world.settle(a.sync?.pause() ?? Promise.resolve())
  const both = (n: number): Promise<void> =>
    a.transaction(async (tx) => {
      for (const id of ['x', 'y']) await tx.collection('pairs').put(id, { n })
    })
  await world.settle(both(1))
  for (let n = 0; n < 40; n += 1) await world.settle(pairs.insert({ n, text: 'of no interest'.repeat(9) }))
  await world.settle(pairs.update('y', { n: 2 }))
  a.sync?.resume()
  await world.simulation.run(() => b.sync?.status().unfinished.length === 1, { virtualMs: 60_000 })
  world.crash('a')
  await world.simulation.pass(10_000)

  assert.equal(await halves(b, world), ['x1', 'y0'])
  const founder = founderOf(b)
  const { state, unfinished } = b.sync?.status() ?? {}
  assert.equal([state, unfinished, states.at(-1)], ['syncing', [founder], 'syncing'])
  assert.match(b.sync?.why() ?? '', `writes of ${founder} have come in part`)
  // What this device waits for is not the third one's.
  await world.settle(b.sync?.caughtUp() ?? Promise.resolve(), 5_000)

  await world.settle(b.close())
  world.crashSupervisor()
  await world.startSupervisor()
  b = await world.open('b')
  await world.simulation.pass(10_000)
  assert.equal([b.sync?.status().state, b.sync?.status().unfinished], ['syncing', [founder]])

  const again = await world.open('a')
  await world.settle(again.sync?.flushed() ?? Promise.resolve())
  await world.simulation.pass(10_000)
  assert.equal(await halves(b, world), ['x1', 'y2'])
  assert.equal([b.sync?.status().state, b.sync?.status().unfinished], ['caughtUp', []])
})

test.run()
