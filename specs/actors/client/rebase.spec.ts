/** Rebase as an application sees it: what works meanwhile, what it says, and what is there afterwards. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { BlazeDBClient, Collection } from '../../../actors/index.ts'
import { partsOf } from '../../../actors/client/client.ts'
import { announcementOf, leaveReplica } from '../../../actors/database/index.ts'
import { BlazeError } from '../../../runtime/index.ts'
import { copyDirectory, putBack } from '../../simulation/rebase-world.ts'
import { SimulatedWorld } from '../../simulation/world.ts'

const tagRows = { gte: Uint8Array.of(0x74), lt: Uint8Array.of(0x75), limit: 100 }

async function synced(seed: number): Promise<{ world: SimulatedWorld; a: BlazeDBClient }> {
  const world = new SimulatedWorld(seed)
  await world.startSupervisor()
  const a = await world.open('a')
  await world.settle(a.enableSync({ remote: world.remote(), database: 'notes' }))
  return { world, a }
}

async function codeOf(world: SimulatedWorld, work: Promise<unknown>): Promise<string> {
  try {
    await world.settle(work)
    return 'none'
  } catch (error) {
    if (error instanceof BlazeError) return error.code
    throw error
  }
}

function notes(client: BlazeDBClient): Collection {
  return client.collection('notes')
}

function caughtUp(client: BlazeDBClient): Promise<void> {
  return client.sync?.caughtUp() ?? Promise.reject(new Error('no sync'))
}

/** Loses the tags of the store of a closed device. */
async function loseTags(world: SimulatedWorld, node: string, count: number): Promise<void> {
  const rows = await world.volume(node).rows('store').range(tagRows)
  assert.ok(rows.length >= count)
  world.volume(node).damage(
    'store',
    rows.slice(0, count).map(([key]) => ({ type: 'del', key })),
  )
}

test('a device that lost rows is rebasing until its supervisor gave them back, and shows nothing wrong meanwhile', async () => {
  const { world, a } = await synced(1)
  for (let n = 1; n <= 5; n += 1) await world.settle(notes(a).insert({ id: `${n}`, n }))
  await world.settle(caughtUp(a))
  await world.settle(a.close())
  await loseTags(world, 'a', 3)
  world.network.partition('a', 'pi')

  const damaged = await world.open('a')
  // The tail of a store may be whole: what is lost is found by looking at all of it.
  const { space } = partsOf(damaged).database
  await codeOf(world, space?.replica.verify() ?? Promise.resolve())
  await world.simulation.pass(2_000)
  const state = damaged.status().state
  const codes = [
    await codeOf(world, notes(damaged).get('1')),
    await codeOf(world, notes(damaged).query().all()),
    await codeOf(world, notes(damaged).insert({ id: 'x' })),
  ]
  world.network.heal()
  await world.settle(caughtUp(damaged))

  assert.is(state, 'rebasing')
  assert.equal(codes, ['REBASING', 'REBASING', 'REBASING'])
  assert.is(damaged.status().state, 'ready')
  const docs = await world.settle(notes(damaged).query().all())
  assert.equal(docs.map(({ id }) => id).sort(), ['1', '2', '3', '4', '5'])
  await world.settle(notes(damaged).update('1', { after: true }))
  await world.settle(caughtUp(damaged))
})

test('without a supervisor damage stays DAMAGED: there is nobody to take anything from', async () => {
  const world = new SimulatedWorld(2)
  const a = await world.open('a')
  for (let n = 1; n <= 3; n += 1) await world.settle(notes(a).insert({ id: `${n}` }))
  await world.settle(a.close())
  await loseTags(world, 'a', 3)

  const error: unknown = await world.open('a').catch((reason: unknown) => reason)

  assert.is(error instanceof BlazeError && error.code, 'DAMAGED')
})

test('an older copy that rebases shows what it has and writes nothing, says why, and goes on with the link', async () => {
  const { world, a } = await synced(3)
  await world.settle(notes(a).insert({ id: '1', of: 'both' }))
  await world.settle(caughtUp(a))
  await world.settle(a.close())
  const copy = await copyDirectory(world.volume('a'), ['store'])
  const later = await world.open('a')
  for (let n = 2; n <= 60; n += 1)
    await world.settle(notes(later).insert({ id: `${n}`, text: 'x'.repeat(40_000) }))
  await world.settle(caughtUp(later))
  await world.settle(later.close())
  await putBack(world, 'a', copy)
  const offline = await world.open('a', { sync: false })
  await world.settle(notes(offline).insert({ id: 'mine', of: 'the copy' }))
  await world.settle(offline.close())

  const restored = await world.open('a')
  await world.simulation.run(() => restored.status().state === 'rebasing', { virtualMs: 20_000 })
  world.network.partition('a', 'pi')
  await world.simulation.pass(500)
  const meanwhile = {
    state: restored.status().state,
    mine: await world.settle(notes(restored).get('mine')),
    write: await codeOf(world, notes(restored).update('1', { n: 1 })),
    deletion: await codeOf(world, notes(restored).delete('1')),
  }
  world.network.heal()
  const sync = restored.sync?.caughtUp({ timeoutMs: 120_000 })
  await world.simulation.run(() => restored.sync?.status().state === 'rebasing', { virtualMs: 90_000 })
  const why = restored.sync?.why() ?? ''
  await world.settle(sync ?? Promise.reject(new Error('no sync')), 240_000)

  assert.equal(meanwhile, {
    state: 'rebasing',
    mine: { id: 'mine', of: 'the copy' },
    write: 'REBASING',
    deletion: 'REBASING',
  })
  assert.match(why, /rebasing: .*takes everything from pi:8080/)
  assert.is(await world.settle(notes(restored).query().count()), 61)
  assert.is(restored.sync?.status().state, 'caughtUp')
})

test('a call to caughtUp that waits through a rebase resolves when the writes made again are held too', async () => {
  const { world, a } = await synced(4)
  await world.settle(notes(a).insert({ id: '1' }))
  await world.settle(caughtUp(a))
  await world.settle(a.close())
  const copy = await copyDirectory(world.volume('a'), ['store'])
  const later = await world.open('a')
  await world.settle(notes(later).insert({ id: '2' }))
  await world.settle(caughtUp(later))
  await world.settle(later.close())
  await putBack(world, 'a', copy)
  world.network.partition('a', 'pi')
  const restored = await world.open('a')
  await world.settle(notes(restored).insert({ id: 'mine' }))

  const waiting = restored.sync?.caughtUp({ timeoutMs: 60_000 })
  world.network.heal()
  await world.settle(waiting ?? Promise.reject(new Error('no sync')))
  world.crash('a')
  const b = await world.open('a')
  const invite = await world.settle(b.invite({ role: 'writer' }))
  const fresh = await world.join('b', invite)
  await world.settle(caughtUp(fresh))

  const docs = await world.settle(notes(fresh).query().all())
  assert.equal(docs.map(({ id }) => id).sort(), ['1', '2', 'mine'])
})

test('a device whose copy wrote under its id while it was offline rebases as it runs, and counts anew: no lag, and nothing sent, of the id before', async () => {
  const { world, a } = await synced(6)
  for (const id of ['1', '2', '3']) await world.settle(notes(a).insert({ id }))
  await world.settle(caughtUp(a))
  await world.settle(a.close())
  await putBack(world, 'b', await copyDirectory(world.volume('a'), ['store']))
  const running = await world.open('a')
  await world.settle(caughtUp(running))
  world.network.partition('a', 'pi')
  for (const id of ['4', '5', '6']) await world.settle(notes(running).insert({ id }))
  const { lagMs } = running.sync?.status() ?? {}
  assert.ok(Number(lagMs) > 0)
  const other = await world.open('b')
  await world.settle(notes(other).insert({ id: 'other' }))
  await world.settle(caughtUp(other))

  world.network.heal()
  await world.simulation.run(() => running.sync?.status().relay === 'rebasing', { virtualMs: 60_000 })
  assert.is(running.sync?.status().rates.sent, 0)
  await world.settle(caughtUp(running), 120_000)
  assert.is(running.sync?.status().lagMs, 0)
})

test('a directory restored from a backup without a supervisor verifies itself and goes on under a new id', async () => {
  const world = new SimulatedWorld(5)
  const a = await world.open('a')
  for (let n = 1; n <= 3; n += 1) await world.settle(notes(a).insert({ id: `${n}`, n }))
  await world.settle(notes(a).delete('3'))
  const { database } = partsOf(a)
  const before = a.status().replicaId
  const forkPoint = database.space?.replica.lastOwnSeq ?? 0
  await world.settle(
    database.updateIdentity(
      leaveReplica(database.identity, { env: database.env, reason: 'restored', forkPoint }),
    ),
  )
  await world.settle(a.close())

  const restored = await world.open('a')

  assert.is(restored.status().state, 'ready')
  assert.is.not(restored.status().replicaId, before)
  assert.equal(await world.settle(notes(restored).get('1')), { id: '1', n: 1 })
  assert.is(await world.settle(notes(restored).get('3')), undefined)
  await world.settle(notes(restored).update('1', { n: 2 }))
  await world.settle(restored.close())
  const again = await world.open('a')
  assert.is(again.status().replicaId, restored.status().replicaId)
  assert.equal(await world.settle(notes(again).get('1')), { id: '1', n: 2 })
})

test('a supervisor that lost rows takes them back from its devices', async () => {
  const { world, a } = await synced(6)
  for (let n = 1; n <= 5; n += 1) await world.settle(notes(a).insert({ id: `${n}`, n }))
  await world.settle(caughtUp(a))
  const store = `spaces/${a.status().spaceId}`
  world.crashSupervisor()
  const rows = await world.volume('pi').rows(store).range(tagRows)
  world.volume('pi').damage(
    store,
    rows.map(([key]) => ({ type: 'del', key })),
  )

  await world.startSupervisor()
  await world.settle(caughtUp(a))
  const b = await world.join('b', await world.settle(a.invite({ role: 'writer' })))
  await world.settle(caughtUp(b))

  const docs = await world.settle(notes(b).query().all())
  assert.equal(docs.map(({ id }) => id).sort(), ['1', '2', '3', '4', '5'])
})

/** What another copy of the device announced when it left the id that both write under. */
function leaving(client: BlazeDBClient, replica: Uint8Array): { readonly announcements: Uint8Array[] } {
  const { identity, crypto } = partsOf(client).database
  const predecessor = { replicaId: identity.replica, forkPoint: 1 }
  return { announcements: [announcementOf({ ...identity, replica, replicaN: 2, predecessor }, crypto)] }
}

test('a device learns that another copy of it has left their replica id, and leaves it too, also after a crash', async () => {
  const { world, a } = await synced(31)
  const { database } = partsOf(a)
  const { space } = database
  for (const n of [1, 2, 3]) await world.settle(notes(a).insert({ id: `${n}` }))
  await world.settle(caughtUp(a))
  const first = database.identity.replica
  const b = await world.join('b', await world.settle(a.invite({ role: 'writer' })))
  await world.settle(
    partsOf(b).database.space?.learn(
      leaving(
        a,
        first.map((byte) => byte ^ 1),
      ),
    ) ?? Promise.reject(),
  )
  await world.settle(caughtUp(b))
  await world.simulation.pass(2_000)
  await world.settle(caughtUp(a))

  const second = database.identity.replica
  assert.not.equal(second, first)
  assert.is(await world.settle(notes(a).query().count()), 3)
  assert.not.equal(database.space, space)

  await world.settle(notes(a).insert({ id: '4' }))
  await world.settle(
    database.space?.learn(
      leaving(
        a,
        first.map((byte) => byte ^ 2),
      ),
    ) ?? Promise.reject(),
  )
  world.crash('a')
  const again = await world.open('a')
  await world.settle(caughtUp(again))
  await world.settle(notes(again).insert({ id: '5' }))
  await world.settle(caughtUp(again))
  await world.settle(caughtUp(b))
  assert.not.equal(partsOf(again).database.identity.replica, second)
  assert.is(await world.settle(notes(b).query().count()), 5)
})

test.run()
