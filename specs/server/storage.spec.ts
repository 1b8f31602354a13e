/** The spaces of a supervisor: opened on demand, few at a time, each failing alone. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createTeam } from '../../actors/team/index.ts'
import { createDeviceIdentity } from '../../actors/team/device.ts'
import { createSystem, limits, nodeCrypto, supervisor } from '../../runtime/index.ts'
import type { System } from '../../runtime/index.ts'
import { createStorage } from '../../server/storage.ts'
import type { Storage } from '../../server/storage.ts'
import { crashCell } from './crash-cell.ts'
import { codeOf, createWorld } from './world.ts'
import type { SpecWorld } from './world.ts'

const [first, second, third] = [1, 2, 3].map((n) => new Uint8Array(16).fill(n)) as [
  Uint8Array,
  Uint8Array,
  Uint8Array,
]

interface Stage {
  readonly world: SpecWorld
  readonly system: System
  readonly storage: Storage
}

function stage(storesMax: number = limits.openStoresMax): Stage {
  const world = createWorld()
  const { env, volume } = world
  const system = createSystem({ env })
  const parent = system.spawn({
    name: 'storage',
    behaviour: supervisor({ kind: 'storage', strategy: 'dynamic' }),
  })
  return { world, system, storage: createStorage({ volume, env, crypto: nodeCrypto, parent, storesMax }) }
}

/** The log entry that creates the space. */
function createEntry(world: SpecWorld, spaceId: Uint8Array): Uint8Array {
  const { keys, signer } = createDeviceIdentity({ crypto: nodeCrypto, env: world.env })
  const team = createTeam({ spaceId, crypto: nodeCrypto })
  return team.authorEntry({ body: { type: 'create', spaceId, keys }, signer, nowMs: world.env.now() })
}

test('two callers share one opening, and a space keeps what it learned', async () => {
  const { world, system, storage } = stage()
  const [lease, other] = await world.settle(Promise.all([storage.lease(first), storage.lease(first)]))

  assert.is(lease.space, other.space)
  assert.is(storage.info(first).state, 'open')
  assert.is(storage.info(first).users, 2)
  lease.release()
  lease.release()
  assert.is(storage.info(first).users, 1)

  await world.settle(lease.space.learn({ entries: [createEntry(world, first)] }))
  await world.settle(system.stop())
  const again = await world.settle(world.volume.openStore(`spaces/${'01'.repeat(16)}`))
  assert.ok(again)
})

test('the least recently used space is closed when another needs its place', async () => {
  const { world, storage } = stage(2)
  for (const spaceId of [first, second]) {
    const lease = await world.settle(storage.lease(spaceId))
    await world.simulation.pass(10)
    lease.release()
  }
  ;(await world.settle(storage.lease(first))).release()
  await world.simulation.pass(10)

  await world.settle(storage.lease(third))

  assert.is(storage.info(first).state, 'open')
  assert.is(storage.info(second).state, 'closed')
  assert.is(storage.info(third).state, 'open')
})

test('a space in use is not closed for another: BUSY until it is released', async () => {
  const { world, storage } = stage(1)
  const lease = await world.settle(storage.lease(first))

  assert.is(await codeOf(world.settle(storage.lease(second))), 'BUSY')

  lease.release()
  await world.settle(storage.lease(second))
  assert.is(storage.info(first).state, 'closed')
})

test('a poisoned space is quarantined alone, with its error, and comes back by itself', async () => {
  const { world, storage, system } = stage()
  const healthy = await world.settle(storage.lease(second))
  const lease = await world.settle(storage.lease(first))
  const entry = createEntry(world, first)

  world.volume.failNextBatch()
  assert.is(await codeOf(world.settle(lease.space.learn({ entries: [entry] }))), 'POISONED')
  await world.simulation.pass(1)

  assert.is(storage.info(first).state, 'failed')
  assert.match(storage.info(first).error ?? '', 'POISONED')
  assert.is(storage.count().failed, 1)
  assert.is(await codeOf(world.settle(storage.lease(first))), 'POISONED')
  assert.is(storage.info(second).state, 'open')
  assert.is(healthy.space, (await world.settle(storage.lease(second))).space)
  assert.match(JSON.stringify(system.tree()), 'POISONED')

  await world.simulation.pass(limits.resourceRetryFirstMs + 100)
  const again = await world.settle(storage.lease(first))
  assert.is.not(again.space, lease.space)
  await world.settle(again.space.learn({ entries: [entry] }))
})

test('while storage is down a lease is BUSY, those that are held are lost, and nothing of before is counted', async () => {
  const { world, storage, system } = stage()
  const lost: string[] = []
  const held = await world.settle(storage.lease(first, () => lost.push('held')))
  ;(await world.settle(storage.lease(first, () => lost.push('given back')))).release()
  const poisoned = await world.settle(storage.lease(second, () => lost.push('poisoned')))
  world.volume.failNextBatch()
  await codeOf(world.settle(poisoned.space.learn({ entries: [createEntry(world, second)] })))
  await world.simulation.pass(1)

  crashCell(system, '/storage')
  await world.simulation.pass(10)

  assert.equal(storage.count(), { open: 0, failed: 0 })
  assert.is(await codeOf(world.settle(storage.lease(third))), 'BUSY')
  assert.equal(lost, ['held'])

  await world.simulation.pass(limits.restartBackoffFirstMs)
  const again = await world.settle(storage.lease(first))
  assert.is.not(again.space, held.space)
  held.release()
  assert.is(storage.info(first).users, 1)
})

test('a space whose rows are damaged opens without them, to take them back from its devices, and leaves the others alone', async () => {
  const { world, storage, system } = stage()
  const lease = await world.settle(storage.lease(first))
  await world.settle(lease.space.learn({ entries: [createEntry(world, first)] }))
  await world.settle(system.stop())
  const name = `spaces/${'01'.repeat(16)}`
  const range = { gte: new Uint8Array([0x6d]), lt: new Uint8Array([0x6e]), limit: 1 }
  const [row] = await world.settle(world.volume.rows(name).range(range))
  assert.ok(row)
  world.volume.damage(name, [{ type: 'put', key: row?.[0] ?? range.gte, value: new Uint8Array(200) }])

  const next = createSystem({ env: world.env })
  const parent = next.spawn({
    name: 'storage',
    behaviour: supervisor({ kind: 'storage', strategy: 'dynamic' }),
  })
  const { env, volume } = world
  const reopened = createStorage({ volume, env, crypto: nodeCrypto, parent })

  const { space } = await world.settle(reopened.lease(first))
  assert.equal(space.team.entries(), [])
  assert.equal(space.replica.misfit.rebase?.step, 'round')
  await world.settle(reopened.lease(second))
})

test.run()
