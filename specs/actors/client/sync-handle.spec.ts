/** What the handle of a sync answers and tells: flushed, pause, lag, rates, progress, events, and a supervisor that has lost writes. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import type { BlazeDBClient } from '../../../actors/index.ts'
import type { SyncEvent } from '../../../actors/client/sync-events.ts'
import type { DatabaseSync } from '../../../actors/client/sync.ts'
import { RemoteNode } from '../../../actors/index.ts'
import { limits } from '../../../runtime/index.ts'
import { codeOfWork } from '../../fixtures/code-of.ts'
import { copyDirectory, putBack } from '../../simulation/rebase-world.ts'
import { SimulatedWorld } from '../../simulation/world.ts'

interface Started {
  readonly world: SimulatedWorld
  readonly a: BlazeDBClient
  readonly sync: DatabaseSync
  readonly events: SyncEvent[]
}

async function start(seed: number): Promise<Started> {
  const world = new SimulatedWorld(seed)
  await world.startSupervisor()
  const a = await world.open('a')
  const sync = await world.settle(a.enableSync({ remote: world.remote(), database: 'notes' }))
  await world.settle(sync.caughtUp())
  const events: SyncEvent[] = []
  sync.on((event) => void events.push(event))
  return { world, a, sync, events }
}

function statesOf(events: readonly SyncEvent[]): string[] {
  return events.flatMap((event) => (event.type === 'state' ? [event.status.state] : []))
}

test('flushed resolves when the supervisor holds the writes, and says why it cannot', async () => {
  const { world, a, sync } = await start(1)
  await world.settle(a.collection('notes').insert({ id: 'one' }))
  await world.settle(sync.flushed())
  assert.is(sync.status().lagDots, 0)

  world.network.partition('a', 'pi')
  await world.settle(a.collection('notes').insert({ id: 'two' }))
  const late = await world.settle(sync.flushed({ timeoutMs: 8_000 }).catch((error: unknown) => error))
  assert.ok(late instanceof Error)
  assert.match(
    late.message,
    /^flushed: not within 8000 ms: the link to pi:8080 is open, but it confirms nothing/,
  )
  world.network.heal()
  await world.settle(sync.flushed())
  await world.settle(sync.stop())
  assert.is(await codeOfWork(sync.flushed()), 'CLOSED')
})

test('lag is told in writes and in milliseconds, from the first write that waits to the last that is confirmed', async () => {
  const { world, a, sync } = await start(2)
  const notes = a.collection('notes')
  assert.equal([sync.status().lagDots, sync.status().lagMs], [0, 0])
  world.network.partition('a', 'pi')
  for (let count = 0; count < 5; count++) {
    await world.settle(notes.insert({ count }))
    await world.simulation.pass(1_000)
  }

  const { lagDots, lagMs } = sync.status()
  assert.is(lagDots, 5)
  assert.ok(lagMs > 4_000 && lagMs < 6_500, `${lagMs} ms`)
  world.network.heal()
  await world.settle(sync.flushed())
  assert.equal([sync.status().lagDots, sync.status().lagMs], [0, 0])
})

test('a paused sync sends nothing and keeps what is written; it goes on when it is resumed', async () => {
  const { world, a, sync, events } = await start(3)
  await world.settle(sync.pause())
  const before = world.bytes
  await world.settle(a.collection('notes').insert({ id: 'one' }))
  await world.simulation.pass(60_000)

  assert.is(sync.status().state, 'paused')
  assert.match(sync.why(), /paused by the application: resume\(\)/)
  assert.is(world.bytes, before)
  const flushed = sync.flushed()
  sync.resume()
  await world.settle(flushed)
  await world.settle(sync.caughtUp())
  assert.is(statesOf(events)[0], 'paused')
  assert.is(statesOf(events).at(-1), 'caughtUp')
})

test('pausing twice, resuming what runs, and stopping what is paused are harmless', async () => {
  const { world, sync } = await start(4)
  sync.resume()
  await world.settle(Promise.all([sync.pause(), sync.pause()]))
  await world.settle(sync.stop())
  sync.resume()
  await world.settle(sync.pause())

  assert.is(sync.status().state, 'stopped')
})

test('every state is an event, in order; a listener that throws harms nobody, and one that left hears nothing', async () => {
  const { world, a, sync, events } = await start(5)
  let left = 0
  sync.on(() => {
    throw new Error('of the listener')
  })
  const leave = sync.on(() => void (left += 1))
  leave()
  assert.throws(() => sync.on('state' as never), TypeError)

  world.crashSupervisor()
  await world.simulation.pass(1_000)
  await world.startSupervisor()
  await world.settle(a.collection('notes').insert({ id: 'one' }))
  await world.settle(sync.caughtUp())

  const states = statesOf(events)
  assert.is(states[0], 'offline')
  assert.is(states.at(-1), 'caughtUp')
  for (const [at, event] of events.entries())
    if (event.type === 'state' && at > 0)
      assert.is(event.before, states[states.indexOf(event.status.state) - 1] ?? event.before)
  assert.is(left, 0)
})

test('a new device is usable while it catches up, and is told how far it is', async () => {
  const { world, a, sync } = await start(6)
  const text = 'x'.repeat(20_000)
  await world.settle(a.collection('notes').insert({ id: 'first', text }))
  for (let block = 0; block < 6; block++)
    await world.settle(
      a.collection('notes').insertMany(Array.from({ length: 100 }, () => ({ text }))),
      600_000,
    )
  await world.settle(sync.caughtUp({ timeoutMs: 600_000 }), 600_000)
  const b = await world.join('b', await world.settle(a.invite({ role: 'writer' })))
  const events: SyncEvent[] = []
  let usable = 0
  b.sync?.on((event) => {
    events.push(event)
    if (event.type === 'progress' && event.applied < event.of)
      void b
        .collection('notes')
        .query()
        .count()
        .then((count) => (usable = Math.max(usable, count)))
  })
  await world.settle(
    b.sync?.caughtUp({ timeoutMs: 600_000 }) ?? Promise.reject(new Error('no sync')),
    600_000,
  )

  const steps = events.flatMap((event) => (event.type === 'progress' ? [event.applied / event.of] : []))
  assert.ok(steps.length >= 3, `${steps.length} steps`)
  assert.equal(
    steps,
    [...steps].sort((x, y) => x - y),
  )
  assert.ok(usable > 50, `${usable} records were there in the middle`)
  assert.is(b.sync?.status().progress, undefined)
  assert.ok((b.sync?.status().rates.received ?? 0) > 0)
})

test('a supervisor that was restored from an older copy is found out, told of, and gets everything again', async () => {
  const { world, a, sync, events } = await start(7)
  const store = `spaces/${a.status().spaceId}`
  await world.settle(a.collection('notes').insert({ id: 'old' }))
  await world.settle(sync.flushed())
  world.crashSupervisor()
  const copy = await copyDirectory(world.volume('pi'), [store])
  await world.startSupervisor()
  await world.settle(a.collection('notes').insert({ id: 'new' }))
  await world.settle(sync.flushed())
  world.crashSupervisor()
  await putBack(world, 'pi', copy)
  await world.startSupervisor()
  await world.settle(sync.caughtUp())

  const lost = events.find((event) => event.type === 'supervisorLost')
  assert.ok(lost)
  assert.ok(lost.confirmed > lost.held)
  assert.equal(sync.status().supervisorLost, { confirmed: lost.confirmed, held: lost.held })
  const b = await world.join('b', await world.settle(a.invite({ role: 'writer' })))
  await world.settle(b.sync?.caughtUp() ?? Promise.reject(new Error('no sync')))
  assert.is(await world.settle(b.collection('notes').query().count()), 2)
})

test('a supervisor whose spaces were deleted takes everything from its devices again', async () => {
  const { world, a, sync, events } = await start(8)
  await world.settle(a.collection('notes').insertMany([{ id: 'one' }, { id: 'two' }]))
  await world.settle(sync.flushed())
  world.crashSupervisor()
  await putBack(world, 'pi', { stores: new Map([[`spaces/${a.status().spaceId}`, []]]), files: new Map() })
  await world.startSupervisor()
  await world.settle(sync.caughtUp())

  assert.ok(events.some((event) => event.type === 'supervisorLost' && event.held === 0))
  const b = await world.join('b', await world.settle(a.invite({ role: 'writer' })))
  await world.settle(b.sync?.caughtUp() ?? Promise.reject(new Error('no sync')))
  assert.is(await world.settle(b.collection('notes').query().count()), 2)
})

test('a database whose handle was stopped moves to another supervisor, which gets everything', async () => {
  const { world, a, sync } = await start(9)
  await world.settle(a.collection('notes').insertMany([{ id: 'one' }, { id: 'two' }]))
  await world.settle(sync.flushed())
  const elsewhere = new RemoteNode({ host: 'nowhere', serverKey: world.foreignKey() })
  assert.is(await world.settle(codeOfWork(a.enableSync({ remote: elsewhere, database: 'notes' }))), 'REFUSED')

  world.crashSupervisor()
  world.wipe('pi')
  await world.startSupervisor()
  await world.simulation.pass(limits.failoverMaxMs * 2)
  assert.is(sync.status().error?.code, 'SERVER_KEY_MISMATCH')
  assert.match(sync.why(), /set up anew/)
  await world.settle(sync.stop())
  const again = await world.settle(a.enableSync({ remote: world.remote(), database: 'notes' }))
  await world.settle(again.caughtUp())
  const b = await world.join('b', await world.settle(a.invite({ role: 'writer' })))
  await world.settle(b.sync?.caughtUp() ?? Promise.reject(new Error('no sync')))
  assert.is(await world.settle(b.collection('notes').query().count()), 2)
  assert.is.not(again, sync)
})

test('a member that joined unheard is known at the next supervisor, to which it shows what makes it one', async () => {
  const { world, a, sync } = await start(17)
  const invite = await world.settle(a.invite({ role: 'writer' }))
  await world.settle(sync.stop())
  const b = await world.join('b', invite)
  await world.settle(b.sync?.caughtUp() ?? Promise.reject(new Error('no sync')))
  await world.settle(b.collection('notes').insert({ id: 'of b' }))
  await world.settle(b.sync?.stop() ?? Promise.reject(new Error('no sync')))

  world.crashSupervisor()
  world.wipe('pi')
  await world.startSupervisor()
  const { host, serverKey } = world.remote()
  const again = await world.settle(a.enableSync({ remote: world.remote(), database: 'notes' }))
  await world.settle(again.caughtUp())
  const remote = new RemoteNode({ host, ...(serverKey === undefined ? {} : { serverKey }) })
  const ofB = await world.settle(b.enableSync({ remote, database: 'notes' }))
  await world.settle(ofB.caughtUp())
  await world.settle(again.caughtUp())

  assert.is(await world.settle(a.collection('notes').query().count()), 1)
})

test.run()
