/** Large values among several: devices of a team, databases next door, guests, and the chunks that nobody refers to any more. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { PartialBytes } from '../../../actors/index.ts'
import type { BlazeDBClient } from '../../../actors/index.ts'
import { BlazeTopology } from '../../../actors/topology/index.ts'
import { BlazeError } from '../../../runtime/index.ts'
import { SimulatedWorld } from '../../simulation/world.ts'
import { bytesOf, chunk, chunks, noise, opened, same } from './large-value-world.ts'
import { neighbours } from './neighbours.ts'

const DAY_MS = 24 * 60 * 60 * 1000

test('chunks go a day after their value was replaced, deleted or never came, and not before', async () => {
  const world = await opened()
  const { notes, db, settle, simulation } = world
  const write = (): Promise<string> => settle(notes.insert({ n: 1 }))
  await settle(notes.insert({ id: 'kept', data: noise(2 * chunk, 1) }))
  await settle(notes.insert({ id: 'replaced', data: noise(2 * chunk, 2) }))
  await settle(notes.insert({ id: 'deleted', data: noise(2 * chunk, 3) }))
  await settle(
    db
      .transaction(async (tx) => {
        await tx.collection('notes').insert({ id: 'never', data: noise(2 * chunk, 4) })
        throw new BlazeError('CONFLICT', 'given up')
      })
      .catch(() => undefined),
  )
  await simulation.pass(DAY_MS / 2)
  await settle(notes.update('replaced', { data: 'small' }))
  await settle(notes.delete('deleted'))
  assert.is((await chunks(world, db)).length, 8)

  await simulation.pass(DAY_MS * 0.6)
  await write()
  await simulation.pass(1_000)
  assert.is((await chunks(world, db)).length, 6, 'of the write that never came')
  await simulation.pass(DAY_MS)
  await write()
  await simulation.pass(1_000)

  assert.is((await chunks(world, db)).length, 2)
  same(bytesOf(await settle(notes.get('kept'))), noise(2 * chunk, 1))
})

test('a device deletes no chunks that another one wrote', async () => {
  const world = new SimulatedWorld(4)
  await world.startSupervisor()
  const a = await world.open('a')
  await world.settle(a.enableSync({ remote: world.remote(), database: 'notes' }))
  const b = await world.join('b', await world.settle(a.invite({ role: 'writer' })))
  const meet = async (): Promise<void> => {
    for (const client of [a, b, a]) await world.settle(client.sync?.caughtUp() ?? Promise.resolve())
  }
  await world.settle(a.collection('notes').insert({ id: '1', data: noise(2 * chunk) }))
  await meet()
  await world.settle(b.collection('notes').update('1', { data: 'small' }))
  await meet()
  await world.simulation.pass(1.1 * DAY_MS)
  // The one that wrote them sees nothing of it yet.
  world.network.partition('a', 'pi')

  await world.settle(b.collection('notes').insert({ n: 1 }))
  await world.simulation.pass(1_000)
  assert.is((await chunks(world, b)).length, 2)
  world.network.heal('a', 'pi')
  await meet()
  await world.settle(a.collection('notes').insert({ n: 2 }))
  await world.simulation.pass(1_000)
  await meet()

  assert.is((await chunks(world, a)).length, 0)
  assert.is((await chunks(world, b)).length, 0)
})

test('devices of a team get each other’s large values through a supervisor that cannot read them', async () => {
  const world = new SimulatedWorld(3)
  await world.startSupervisor()
  const a = await world.open('a')
  await world.settle(a.enableSync({ remote: world.remote(), database: 'notes' }))
  const b = await world.join('b', await world.settle(a.invite({ role: 'writer' })))
  const caughtUp = (client: BlazeDBClient): Promise<void> =>
    world.settle(client.sync?.caughtUp() ?? Promise.resolve())

  await world.settle(a.collection('notes').insert({ id: '1', data: noise(30 * chunk + 3) }))
  await caughtUp(a)
  await caughtUp(b)

  same(bytesOf(await world.settle(b.collection('notes').get('1'))), noise(30 * chunk + 3))
  await world.settle(b.collection('notes').update('1', { text: 'seen' }))
  await caughtUp(b)
  await caughtUp(a)
  const doc = await world.settle(a.collection('notes').get('1'))
  assert.is(doc?.['text'], 'seen')
  same(bytesOf(doc), noise(30 * chunk + 3))
})

test('a database next door gets chunks of its own, which stay when the first one loses its', async () => {
  const world = await opened()
  const { settle, simulation, db } = world
  const to = await world.open('/to')
  await settle(BlazeTopology.connectLocal({ from: db, to, mode: 'readOnly' }))

  await settle(db.collection('notes').insert({ id: 'a', data: noise(5 * chunk) }))
  await simulation.pass(1_000)

  same(bytesOf(await settle(to.collection('notes').get('a'))), noise(5 * chunk))
  assert.equal(await chunks(world, to), await chunks(world, db))
})

test('a guest sees a large value as partial, and writes what fits into a record', async () => {
  const near = await neighbours({ collections: ['notes'] })
  const { db, connect, settle, quiet, code } = near
  await settle(db.collection('notes').insert({ id: 'a', data: noise(2 * chunk), text: 'host' }))
  const notes = (await connect('board', 'readWrite')).collection('notes')
  await quiet()

  const seen = (await settle(notes.get('a')))?.['data']
  assert.ok(seen instanceof PartialBytes && seen.bytes === 2 * chunk)
  await settle(notes.update('a', { text: 'guest' }))
  await settle(notes.insert({ id: 'b', data: noise(chunk + 1) }))
  assert.is(await code(() => notes.insert({ id: 'c', data: noise(2 * chunk) })), 'TOO_LARGE')

  const doc = await settle(db.collection('notes').get('a'))
  assert.is(doc?.['text'], 'guest')
  same(bytesOf(doc), noise(2 * chunk))
  same(bytesOf(await settle(db.collection('notes').get('b'))), noise(chunk + 1))
})

test.run()
