/** Hosts and guests that come, go and come back, in a simulated world: who waits, who is told what, and what is left behind. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ExportPolicy } from '../../../actors/index.ts'
import { NextDoorWorld } from '../../simulation/next-door-world.ts'
import { cells, contents, DATABASE, GROUP, neighbours, sourceOf } from './neighbours.ts'

const POLICY = { collections: ['bugs'] }

test('connectToShared waits for a host that comes later', async () => {
  const world = new NextDoorWorld(1, { latencyMs: 1 })
  const [board, host] = [world.process('board'), world.process('host')]
  const options = { appGroup: GROUP, database: DATABASE, mode: 'readOnly' as const, timeoutMs: 60_000 }
  const connecting = board.connect(options)
  connecting.catch(() => undefined)
  await world.simulation.pass(20_000)

  const db = await host.open(DATABASE)
  await world.settle(db.collection('bugs').insert({ id: 'a' }))
  await world.settle(db.enableCrossAppSync({ appGroup: GROUP, exportPolicy: new ExportPolicy(POLICY) }))
  const guest = await world.settle(connecting)

  assert.equal(await contents(world, guest, 'bugs'), [{ id: 'a' }])
  assert.match(sourceOf(guest).why(), 'in step')
})

test('without a host connectToShared is UNREACHABLE at its deadline, says what to do, and leaves nothing running', async () => {
  const near = await neighbours(POLICY)
  const { world, connect, settle } = near
  await settle(near.db.close())
  const board = world.process('board')
  const began = world.simulation.now()

  let error: unknown
  await board
    .connect({ appGroup: GROUP, database: DATABASE, mode: 'readOnly' })
    .catch((reason: unknown) => (error = reason))

  assert.match(String(error), 'start the app that shares it')
  assert.is(await world.code(() => Promise.reject(error)), 'UNREACHABLE')
  assert.ok(world.simulation.now() - began >= 10_000)
  assert.ok(world.simulation.now() - began < 11_000)
  assert.equal(cells(board), [])
  await near.rehost(POLICY)
  await connect('board', 'readOnly', board)
})

test('a deadline and a signal end connectToShared, enableCrossAppSync and caughtUp, and nothing runs on', async () => {
  const near = await neighbours(POLICY)
  const { world, settle, code, connect } = near
  const guest = await connect('board')
  world.network.partition('late', 'host')
  const late = world.process('late')
  const connecting = { appGroup: GROUP, database: DATABASE, mode: 'readOnly' as const, app: 'late' }
  assert.is(await code(() => late.connect({ ...connecting, timeoutMs: 500 })), 'TIMEOUT')
  const abort = new AbortController()
  const aborted = code(() => late.connect({ ...connecting, signal: abort.signal }))
  world.simulation.env('user').after(300, () => abort.abort())
  assert.is(await aborted, 'ABORTED')
  assert.is(await code(() => late.connect({ ...connecting, timeoutMs: 0 })), 'TIMEOUT')
  await world.simulation.pass(20_000)
  assert.equal(cells(late), [])

  const exportPolicy = new ExportPolicy(POLICY)
  const again = { appGroup: 'second', exportPolicy }
  const cellsBefore = cells(near.host)
  assert.is(await code(() => near.db.enableCrossAppSync({ ...again, timeoutMs: 0 })), 'TIMEOUT')
  const signal = AbortSignal.abort()
  assert.is(await code(() => near.db.enableCrossAppSync({ ...again, signal })), 'ABORTED')
  await world.simulation.pass(1_000)
  assert.equal(cells(near.host), cellsBefore)
  await settle(near.db.enableCrossAppSync(again))

  near.host.powerCut()
  await world.simulation.pass(10)
  assert.is(await code(() => sourceOf(guest).caughtUp({ timeoutMs: 700 })), 'TIMEOUT')
  assert.is(await code(() => sourceOf(guest).caughtUp({ signal })), 'ABORTED')
  const closed = code(() => sourceOf(guest).caughtUp())
  await settle(guest.close())
  assert.is(await closed, 'CLOSED')
  assert.is(await code(() => sourceOf(guest).caughtUp()), 'CLOSED')
})

test('caughtUp resolves when everything that the host had committed is visible, and waits for a host that is away', async () => {
  const near = await neighbours(POLICY)
  const { world, connect, settle } = near
  const guest = await connect('board')
  world.network.setFaults({ latencyMs: 200 })

  await settle(near.db.collection('bugs').insert({ id: 'a' }))
  await settle(sourceOf(guest).caughtUp())
  assert.equal(await contents(near, guest, 'bugs'), [{ id: 'a' }])
  const asked = sourceOf(guest).caughtUp()
  await world.simulation.pass(100)
  world.network.cut('board')
  await settle(asked)
  await world.simulation.pass(70_000)

  near.host.powerCut()
  await world.simulation.pass(1_000)
  const since = new Date(world.simulation.env('user').now()).toISOString().slice(0, 16)
  assert.match(sourceOf(guest).why(), `since ${since}`)
  assert.match(sourceOf(guest).why(), 'start the app')
  const caughtUp = sourceOf(guest).caughtUp()
  await near.rehost(POLICY)
  await settle(near.db.collection('bugs').insert({ id: 'b' }))
  await settle(caughtUp)
  await settle(sourceOf(guest).caughtUp())
  assert.equal(await contents(near, guest, 'bugs'), [{ id: 'a' }, { id: 'b' }])
})

test('a host that is restarted is found again by itself, and its guests miss nothing', async () => {
  const near = await neighbours(POLICY)
  const { world, connect, settle } = near
  const [one, two] = [await connect('one'), await connect('two', 'readWrite')]
  await settle(near.db.collection('bugs').insert({ id: 'a' }))

  for (const id of ['b', 'c', 'd']) {
    near.host.powerCut()
    await world.simulation.pass(id === 'c' ? 30_000 : 50)
    await near.rehost(POLICY)
    await settle(near.db.collection('bugs').insert({ id }))
    await settle(Promise.all([sourceOf(one).caughtUp(), sourceOf(two).caughtUp()]))
    await settle(two.collection('bugs').update(id, { by: 'two' }))
  }
  await near.quiet()

  const expected = await contents(near, near.db, 'bugs')
  assert.is(expected.length, 4)
  for (const guest of [one, two]) assert.equal(await contents(near, guest, 'bugs'), expected)
})

test('a guest that is restarted goes on from what it kept, also while nobody shares', async () => {
  const near = await neighbours(POLICY)
  const { world, connect, settle, code } = near
  const bugs = near.db.collection('bugs')
  await settle(bugs.insertMany(Array.from({ length: 300 }, (_, n) => ({ id: `b${n}`, n }))))
  const first = await connect('board', 'readWrite')
  await world.simulation.pass(1_000)
  await settle(first.close())
  await settle(bugs.delete('b0'))
  await settle(near.db.close())

  const board = world.process('board')
  const offline = await connect('board', 'readWrite', board)
  assert.is(await settle(offline.collection('bugs').query().count()), 300)
  assert.is(await code(() => offline.collection('bugs').delete('b1')), 'OFFLINE')
  assert.match(sourceOf(offline).why(), 'start the app')
  assert.is(await code(() => sourceOf(offline).caughtUp({ timeoutMs: 500 })), 'TIMEOUT')

  await near.rehost(POLICY)
  await settle(sourceOf(offline).caughtUp())
  assert.is(await settle(offline.collection('bugs').query().count()), 299)
  assert.is(await settle(offline.collection('bugs').get('b0')), undefined)
})

test('a guest that loses its power anywhere in its first pass gets the rest, and nothing twice', async () => {
  for (const ms of [2, 5, 8, 12, 20, 40, 80]) {
    const near = await neighbours(POLICY)
    const { world, connect, settle } = near
    await settle(
      near.db.collection('bugs').insertMany(Array.from({ length: 900 }, (_, n) => ({ id: `b${n}` }))),
    )
    const board = world.process('board')
    const options = { appGroup: GROUP, database: DATABASE, mode: 'readOnly' as const, app: 'board' }
    void board.connect(options).catch(() => undefined)
    await world.simulation.pass(ms)
    board.powerCut()

    const guest = await connect('board')
    assert.is(await settle(guest.collection('bugs').query().count()), 900, `cut after ${ms} ms`)
    assert.equal(await contents(near, guest, 'bugs'), await contents(near, near.db, 'bugs'))
  }
})

test('two processes of one app each have a copy of their own, and one home', async () => {
  const near = await neighbours({ ...POLICY, filter: { bugs: { field: 'open', op: '=', value: true } } })
  const { world, connect, settle, quiet } = near
  const one = await connect('board', 'readWrite', world.process('board-1'))
  const two = await connect('board', 'readWrite', world.process('board-2'))
  await settle(one.collection('bugs').insert({ id: 'a', open: true }))
  await quiet()
  assert.equal(await contents(near, two, 'bugs'), [{ id: 'a', open: true }])
  assert.is(near.share.status().guests.length, 2)

  await settle(near.db.collection('bugs').update('a', { open: false }))
  await quiet()
  assert.is((await contents(near, one, 'bugs')).length, 1)
  assert.is((await contents(near, two, 'bugs')).length, 1)
  await settle(two.close())
  await settle(one.collection('bugs').insert({ id: 'b', open: true }))
  assert.is(await settle(one.collection('bugs').query().count()), 2)
})

test('closing a guest frees its copy for the next process', async () => {
  const { world, connect, settle, code } = await neighbours(POLICY)
  const board = world.process('board')
  const guest = await connect('board', 'readOnly', board)
  const slots = (): number => world.paths.filter((path) => path.includes('/guests/')).length
  const before = slots()
  const live = guest.collection('bugs').query().live()

  await settle(guest.close())
  assert.equal(cells(board), [])
  assert.is(await code(() => guest.collection('bugs').get('a')), 'CLOSED')
  assert.is(await code(() => live.closed), 'CLOSED')
  await connect('board')
  assert.is(slots(), before)
})

test.run()
