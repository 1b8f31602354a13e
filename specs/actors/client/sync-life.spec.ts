/** Calls on sync that meet each other, or the end of something: enableSync twice, close and stop meanwhile, a false log. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { RemoteNode, type BlazeDBClient, type StoreOperation } from '../../../actors/index.ts'
import { stateOf } from '../../../actors/client/sync-status.ts'
import type { ConnectionReport } from '../../../actors/connection/index.ts'
import { createTeam, encodeEntry } from '../../../actors/team/index.ts'
import { BlazeError, nodeCrypto, toHex, type ErrorCode } from '../../../runtime/index.ts'
import { SimulatedWorld } from '../../simulation/world.ts'
import { codeOfWork } from '../../fixtures/code-of.ts'
import { device } from '../team/roster.ts'

async function synced(seed: number): Promise<{ world: SimulatedWorld; a: BlazeDBClient }> {
  const world = new SimulatedWorld(seed)
  await world.startSupervisor()
  const a = await world.open('a')
  await world.settle(a.enableSync({ remote: world.remote(), database: 'notes' }))
  return { world, a }
}

test('enableSync twice at once gives one handle and one connection', async () => {
  const world = new SimulatedWorld(1)
  await world.startSupervisor()
  const a = await world.open('a')
  const options = { remote: world.remote(), database: 'notes' }

  const [first, second] = await world.settle(Promise.all([a.enableSync(options), a.enableSync(options)]))
  const other = codeOfWork(a.enableSync({ ...options, database: 'others' }))

  assert.is(first, second)
  assert.is(await world.settle(other), 'REFUSED')
  await world.settle(first.caughtUp())
  assert.is(world.supervisor?.health().clients, 1)
})

test('a second enableSync does its own work when the first has failed', async () => {
  const world = new SimulatedWorld(2)
  await world.startSupervisor()
  const a = await world.open('a')
  const remote = world.remote()
  const lost = Object.assign(Object.create(Object.getPrototypeOf(remote)), remote, { host: 'nowhere' })

  const [first, second] = await world.settle(
    Promise.all([
      codeOfWork(a.enableSync({ remote: lost, database: 'notes' })),
      codeOfWork(a.enableSync({ remote, database: 'notes' })),
    ]),
  )

  assert.equal([first, second], ['UNREACHABLE', 'ok'])
})

test('a database that is closed while enableSync waits ends the call at once', async () => {
  const { world, a } = await synced(3)
  const code = await world.settle(world.supervisor?.createCode() ?? Promise.reject(new Error('down')))
  const other = await world.open('other')
  const { RemoteNode } = await import('../../../actors/index.ts')
  const enabling = codeOfWork(other.enableSync({ remote: RemoteNode.parse(code), database: 'mine' }))
  await world.simulation.run(() => world.supervisor?.status().hosts === 2, { virtualMs: 1_000 })
  await world.simulation.pass(4)
  world.network.partition('other', 'pi')
  const before = world.simulation.now()

  await world.settle(other.close())
  const ended = await world.settle(enabling)

  assert.is(ended, 'CLOSED')
  assert.ok(world.simulation.now() - before < 6_000, `${world.simulation.now() - before} ms`)
  await world.settle(a.close())
})

test('an enableSync that is aborted in its handshake ends at once', async () => {
  const world = new SimulatedWorld(9)
  await world.startSupervisor()
  const a = await world.open('a')
  const remote = world.remote()
  const controller = new AbortController()
  const enabling = codeOfWork(a.enableSync({ remote, database: 'notes', signal: controller.signal }))
  await world.simulation.pass(6)
  world.network.partition('a', 'pi')
  await world.simulation.pass(100)

  controller.abort()

  assert.is(await world.settle(enabling, 1_000), 'ABORTED')
})

test('stop twice is one stop, and enableSync begins again after it', async () => {
  const world = new SimulatedWorld(4)
  await world.startSupervisor()
  const remote = world.remote()
  const a = await world.open('a')
  await world.settle(a.enableSync({ remote, database: 'notes' }))
  const { sync } = a
  assert.ok(sync)
  const both = Promise.all([sync.stop(), sync.stop()])
  const again = a.enableSync({ remote: remote, database: 'notes' })

  await world.settle(both)
  const started = await world.settle(again)
  await world.settle(started.caughtUp())

  assert.is.not(started, sync)
  assert.is(sync.status().state, 'stopped')
  assert.is(started.status().state, 'caughtUp')
})

test('stop ends a request and a wait that are under way', async () => {
  const { world, a } = await synced(5)
  await world.settle(a.sync?.caughtUp() ?? Promise.reject(new Error('no sync')))
  world.network.partition('a', 'pi')
  const inviting = codeOfWork(a.invite({ role: 'writer' }))
  const waiting = codeOfWork(a.sync?.caughtUp() ?? Promise.resolve())
  await world.simulation.pass(50)

  await world.settle(a.sync?.stop() ?? Promise.resolve(), 12_000)

  assert.ok(['CLOSED', 'LINK_CLOSED'].includes(await world.settle(inviting, 1_000)))
  assert.is(await world.settle(waiting, 1_000), 'CLOSED')
})

test('caughtUp waits for a store that is being opened again', async () => {
  const { world, a } = await synced(6)
  await world.settle(a.collection('notes').insert({ id: '1' }))
  await world.settle(a.sync?.caughtUp() ?? Promise.resolve())
  world.volume('a').failNextBatch()
  await world.settle(codeOfWork(a.collection('notes').insert({ id: '2' })))

  const early = a.sync?.caughtUp() ?? Promise.reject(new Error('no sync'))
  await world.settle(early)

  assert.is(a.sync?.status().state, 'caughtUp')
})

test('who joins by a supervisor with a false log is told so, not left waiting', async () => {
  const { world, url } = await invitedToFalse(7)
  const before = world.simulation.now()

  let error: unknown
  await world.join('b', url).catch((cause: unknown) => {
    error = cause
  })

  assert.ok(error instanceof BlazeError)
  assert.is(error.code, 'CODE_INVALID')
  assert.match(error.message, /remove the directory/)
  assert.ok(world.simulation.now() - before < 5_000)
})

test('a device that is no member, opened again, says so and adds nothing to the log', async () => {
  const { world, url } = await invitedToFalse(8)
  await codeOfWork(world.join('b', url))
  const b = await world.open('b')
  await world.simulation.pass(30_000)

  assert.is(b.sync?.status().state, 'revoked')
  assert.match(b.sync?.why() ?? '', /not a member/)
})

test('a join that was cut short goes on where it began, and is not moved before it is done', async () => {
  const { world, a } = await synced(19)
  const url = await world.settle(a.invite({ role: 'writer' }))
  const crashOnceOpened = async (): Promise<void> => {
    if ((await world.volume('b').list('')).includes('header.0')) world.crashSupervisor()
    else world.simulation.env('b').after(0.1, () => void crashOnceOpened())
  }
  void crashOnceOpened()
  assert.is(await codeOfWork(world.join('b', url)), 'TIMEOUT')
  const b = await world.open('b')
  await world.settle(b.sync?.stop() ?? Promise.reject(new Error('no sync')))

  const remote = new RemoteNode({ host: 'elsewhere', serverKey: world.foreignKey() })
  const error: unknown = await world
    .settle(b.enableSync({ remote, database: 'notes' }))
    .catch((e: unknown) => e)
  assert.ok(error instanceof BlazeError)
  assert.is(error.code, 'NOT_A_MEMBER')
  assert.match(error.message, /not finished to join at pi:8080/)

  await world.startSupervisor()
  await world.settle(b.close())
  const again = await world.open('b')
  await world.settle(again.sync?.caughtUp() ?? Promise.reject(new Error('no sync')))
  await world.settle(again.collection('notes').insert({ id: 'of b' }))
  await world.settle(again.sync?.flushed() ?? Promise.reject(new Error('no sync')))
  await world.settle(a.sync?.caughtUp() ?? Promise.reject(new Error('no sync')))
  assert.is(await world.settle(a.collection('notes').query().count()), 1)
})

test('a state is refused only when nothing is tried again by itself', () => {
  const state = (code: ErrorCode, byPeer = false): string => {
    const error = new BlazeError(code, 'why', { details: { byPeer } })
    const report: ConnectionReport = {
      state: 'syncing',
      endpoint: '',
      attempts: 0,
      error,
      registered: true,
      relay: undefined,
      roundTripMs: undefined,
      queuedBytes: 0,
    }
    return stateOf(report, { held: 0, skewed: false, rebasing: false, unfinished: 0 })
  }

  assert.is(state('CLOSED'), 'syncing')
  assert.is(state('POISONED'), 'damaged')
  assert.is(state('POISONED', true), 'syncing')
  assert.is(state('DAMAGED', true), 'syncing')
  assert.is(state('FORKED', true), 'forked')
  assert.is(state('BAD_SIGNATURE', true), 'refused')
  assert.is(state('OVERLOADED', true), 'syncing')
})

test.run()

/** An invite, and the supervisor that it names: what it holds of the space is the log of another owner. */
async function invitedToFalse(seed: number): Promise<{ world: SimulatedWorld; url: string }> {
  const { world, a } = await synced(seed)
  const url = await world.settle(a.invite({ role: 'writer' }))
  const space = world.supervisor?.status().databaseList[0]?.space ?? ''
  await world.settle(a.close())
  world.crashSupervisor()
  await falsify(world, space)
  await world.startSupervisor()
  return { world, url }
}

/** Puts the log of another owner into the supervisor's store of the space. */
async function falsify(world: SimulatedWorld, space: string): Promise<void> {
  const spaceId = Uint8Array.from(Buffer.from(space, 'hex'))
  const store = `spaces/${toHex(spaceId)}`
  const rows = await world
    .volume('pi')
    .rows(store)
    .range({ gte: Uint8Array.of(0), lt: Uint8Array.of(255, 255), limit: 100_000 })
  const owner = device('owner')
  const create = encodeEntry(
    {
      spaceId,
      createdMs: 1,
      parents: [],
      body: { type: 'create', spaceId, keys: owner.keys },
      signer: owner.signer,
    },
    nodeCrypto,
  )
  const { operations } = createTeam({ spaceId, crypto: nodeCrypto }).add({ entries: [create] })
  const gone = rows.map(([key]): StoreOperation => ({ type: 'del', key }))
  world.volume('pi').damage(store, [...gone, ...operations])
}
