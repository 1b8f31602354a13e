/** The dialling side: failing over, waiting, what retrying does not heal, crashes of its parts, and what a long life leaves behind. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { ConnectionReport } from '../../../actors/connection/index.ts'
import type { Space } from '../../../actors/team/index.ts'
import { BlazeError, limits, nodeCrypto } from '../../../runtime/index.ts'
import { shown, type Member } from '../relay/exchange-world.ts'
import { derive, replicaId } from '../team/roster.ts'
import { ConnectionWorld, countListeners, lastOf, OpenAccess, PI } from './connection-world.ts'

async function start(
  seed: number,
): Promise<{ world: ConnectionWorld; pi: Member; a: Member; access: OpenAccess }> {
  const world = new ConnectionWorld(seed)
  const pi = await world.member('pi')
  const a = await world.member('a')
  const access = new OpenAccess(pi.space)
  await world.listen(access)
  return { world, pi, a, access }
}

test('a connection dials, registers, opens its relay and is caught up', async () => {
  const { world, pi, a, access } = await start(1)
  await world.write(a, 1, 'one')
  const dialed = world.dial(a, { register: 'notes' })
  await world.rest()

  const states = new Set(dialed.reports.map(({ state }) => state))
  assert.equal([...states], ['connecting', 'handshake', 'syncing'])
  assert.is(lastOf(dialed).relay?.caughtUp, true)
  assert.is(lastOf(dialed).registered, true)
  assert.equal([world.dials, access.requested, access.opened], [1, 1, 1])
  assert.equal(shown(pi, 1), ['one'])
})

test('without a supervisor it backs off up to five seconds, and starts over quickly after a success', async () => {
  const { world, a } = await start(2)
  await world.deaf()
  const dialed = world.dial(a)
  await world.simulation.pass(10_000)
  const early = world.dials
  await world.simulation.pass(100_000)
  const late = world.dials - early

  assert.is(lastOf(dialed).state, 'failover')
  assert.is(lastOf(dialed).error?.code, 'UNREACHABLE')
  assert.is(lastOf(dialed).attempts, world.dials)
  assert.ok(early > 5 && early < 60, `${early} dials in the first ten seconds`)
  assert.ok(late >= 20 && late < 80, `${late} dials in the next hundred`)

  const pi = await world.member('pi')
  await world.listen(new OpenAccess(pi.space))
  await world.simulation.pass(10_000)
  assert.is(lastOf(dialed).state, 'syncing')
  assert.is(lastOf(dialed).attempts, 0)
  assert.is(lastOf(dialed).error, undefined)
})

test('one failure is one attempt, however many parts of the connection tell of it', async () => {
  const { world, a } = await start(3)
  class MuteAccess extends OpenAccess {
    override request(): Promise<never> {
      return new Promise(() => {})
    }
  }
  await world.deaf()
  await world.listen(new MuteAccess(a.space))
  const dialed = world.dial(a, { register: 'notes' })
  await world.simulation.run(() => lastOf(dialed).roundTripMs !== undefined, { virtualMs: 100 })
  await world.deaf()
  // The request that waits and the session both learn of it.
  world.network.cut('pi')
  await world.simulation.run(() => lastOf(dialed).state === 'failover', { virtualMs: 1_000 })

  assert.is(lastOf(dialed).attempts, 1)
  await world.simulation.pass(limits.failoverFirstMs * 4)
  assert.ok(world.dials <= 6, `${world.dials} dials`)
})

test('endpoints are taken in turn', async () => {
  const { world, a } = await start(4)
  const nobody = { ...PI, host: 'nobody' }
  const dialed = world.dial(a, { endpoints: [nobody, nobody, PI] })
  await world.simulation.pass(5_000)

  assert.is(lastOf(dialed).state, 'syncing')
  assert.match(lastOf(dialed).endpoint, /pi/)
  assert.is(world.dials, 3)
})

test('what a person has to heal ends in refused, and nothing is dialled again', async () => {
  for (const code of ['DATABASE_EXISTS', 'FORBIDDEN'] as const) {
    const { world, a } = await start(5)
    class StrictAccess extends OpenAccess {
      override request(): Promise<never> {
        return Promise.reject(new BlazeError(code, 'no'))
      }
    }
    await world.deaf()
    await world.listen(new StrictAccess(a.space))
    const dialed = world.dial(a, { register: 'notes' })
    await world.simulation.pass(60_000)

    assert.is(lastOf(dialed).state, 'refused')
    assert.is(lastOf(dialed).error?.code, code)
    assert.is(world.dials, 1)
    assert.is(world.system.tree().length, 0)
  }
})

test('another key than the pinned one is refused at once', async () => {
  const { world, a } = await start(6)
  const dialed = world.dial(a, { serverKey: nodeCrypto.createP256(derive('a stranger')).publicKey })
  await world.simulation.pass(60_000)

  assert.is(lastOf(dialed).state, 'refused')
  assert.is(lastOf(dialed).error?.code, 'SERVER_KEY_MISMATCH')
  assert.is(world.dials, 1)
})

test('stopping in the middle of the handshake leaves no link and no cell', async () => {
  for (const state of ['connecting', 'handshake', 'authenticated', 'syncing']) {
    const { world, a } = await start(7)
    const dialed = world.dial(a)
    await world.simulation.run(() => lastOf(dialed).state === state, { virtualMs: 1_000 })

    await world.settle(dialed.ref?.stop() ?? Promise.resolve())
    await world.rest()

    assert.is(dialed.system.tree().length, 0, state)
    assert.is(world.system.tree().length, 0, state)
    assert.is(world.dials, 1)
  }
})

test('a connection that is stopped is seen draining, in whatever state it was, and takes no result that comes late', async () => {
  for (const state of ['connecting', 'handshake', 'authenticated', 'syncing']) {
    const { world, a } = await start(19)
    const dialed = world.dial(a)
    await world.simulation.run(() => lastOf(dialed).state === state, { virtualMs: 1_000 })
    const states: unknown[] = []
    dialed.system.tap.subscribe(({ type, path, details }) => {
      if (type === 'machine.state' && /^\/[^/]+$/.test(path)) states.push(details['to'])
    })

    void dialed.ref?.stop()
    // Less than the supervisor would wait for the rest of a handshake.
    await world.simulation.pass(limits.handshakeMs / 2)

    assert.equal(states, ['draining'], state)
    assert.is(lastOf(dialed).state, 'draining', state)
    assert.equal([dialed.system.tree().length, world.system.tree().length, world.dials], [0, 0, 1], state)
  }
})

test('a connection cell that crashes is started again, sync goes on, and who waits for a mark is answered', async () => {
  const { world, pi, a } = await start(8)
  const bug = { armed: false }
  const reports: ConnectionReport[] = []
  const dialed = world.dial(a, {
    report: (report) => {
      reports.push(report)
      if (!bug.armed) return
      bug.armed = false
      throw new Error('a bug')
    },
  })
  await world.rest()
  let answered = false
  dialed.marks.add(() => {
    answered = true
  })
  bug.armed = true
  await world.write(a, 1, 'one')
  await world.simulation.pass(5_000)

  assert.is(dialed.system.tree().find(({ kind }) => kind === 'connection')?.restarts, 1)
  assert.is(reports.at(-1)?.relay?.caughtUp, true)
  assert.ok(answered)
  assert.equal(shown(pi, 1), ['one'])
  assert.is(world.system.tree().filter(({ kind }) => kind === 'relay').length, 1)
})

test('a relay that crashes is replaced on a new stream of the same connection', async () => {
  const { world, pi, a, access } = await start(9)
  const dialed = world.dial(a)
  await world.rest()
  crashOnce(a.space)
  await world.write(a, 1, 'one')
  await world.simulation.pass(5_000)

  assert.is(lastOf(dialed).state, 'syncing')
  assert.is(lastOf(dialed).relay?.caughtUp, true)
  assert.is(world.dials, 1)
  assert.equal([access.opened, access.released], [2, 1])
  assert.equal(shown(pi, 1), ['one'])
})

test('a relay that crashes at the supervisor is replaced too', async () => {
  const { world, pi, a, access } = await start(10)
  const dialed = world.dial(a)
  await world.rest()
  const { replica } = pi.space
  const applyPart = replica.applyPart.bind(replica)
  Object.assign(replica, {
    applyPart: (...part: Parameters<typeof applyPart>) => {
      Object.assign(replica, { applyPart })
      void part
      return Promise.reject(new Error('a bug'))
    },
  })
  await world.write(a, 1, 'one')
  await world.simulation.pass(5_000)

  assert.is(lastOf(dialed).relay?.caughtUp, true)
  assert.is(lastOf(dialed).error, undefined)
  assert.equal([world.dials, access.opened, access.released], [1, 2, 1])
  assert.equal(shown(pi, 1), ['one'])
})

test('a store that fails at the supervisor does not leave its clients on a dead space', async () => {
  const { world, pi, a } = await start(11)
  const dialed = world.dial(a)
  await world.rest()
  assert.is(lastOf(dialed).relay?.caughtUp, true)

  // Nothing of this client touches the store: it has to be told.
  pi.volume.failNextBatch()
  await world.settle(pi.space.replica.extra([]).catch(() => undefined))
  await world.simulation.pass(200)

  assert.is(lastOf(dialed).relay?.error?.code, 'POISONED')
  assert.is(lastOf(dialed).relay?.caughtUp, false)
})

test('a refused round is tried again on new streams, ever more slowly, and the connection stays', async () => {
  const { world, pi, a, access } = await start(12)
  Object.assign(pi.space.replica, {
    applyPart: () => Promise.reject(new BlazeError('QUOTA', 'full')),
  })
  await world.write(a, 1, 'one')
  const dialed = world.dial(a)
  await world.simulation.pass(120_000)

  assert.is(lastOf(dialed).state, 'syncing')
  assert.is(lastOf(dialed).error?.code, 'QUOTA')
  assert.is(world.dials, 1)
  assert.ok(access.opened > 4 && access.opened < 15, `${access.opened} streams in two minutes`)
  assert.ok(access.opened - access.released <= 1)
})

test('a waiting reopening does not outlive its connection: there is one relay, and its wait is its own', async () => {
  const { world, pi, a, access } = await start(13)
  const { replica } = pi.space
  const applyPart = replica.applyPart.bind(replica)
  let refuse = true
  Object.assign(replica, {
    applyPart: (part: Parameters<typeof applyPart>[0]) =>
      refuse ? Promise.reject(new BlazeError('QUOTA', 'full')) : applyPart(part),
  })
  await world.write(a, 1, 'one')
  const dialed = world.dial(a)
  await world.simulation.run(() => lastOf(dialed).error?.code === 'QUOTA', { virtualMs: 1_000 })
  world.network.cut('pi')
  refuse = false
  await world.simulation.pass(60_000)

  assert.is(lastOf(dialed).relay?.caughtUp, true)
  assert.equal([world.dials, access.opened, access.released], [2, 2, 1])
  assert.is(dialed.system.tree().filter(({ kind }) => kind === 'relay').length, 1)
})

test('a fork of another history is shown, and asked about again after a while: its device may have rebased', async () => {
  const { world, pi, a } = await start(14)
  await world.write(a, 1, 'one')
  const forkedHead = { replicaId: replicaId('a'), seq: 9, commitHash: derive('another history') }
  const { replica } = pi.space
  const vector = replica.vector.bind(replica)
  const digest = replica.vectorDigest.bind(replica)
  Object.assign(replica, {
    vector: () => new Map([['a', { ...forkedHead, commitFirstSeq: 9 }]]),
    vectorDigest: () => derive('digest'),
  })
  const forks: unknown[] = []
  a.space.onForked((left) => forks.push(left))
  const dialed = world.dial(a)
  await world.simulation.pass(60_000)
  const first = lastOf(dialed)
  const shownAtPi = shown(pi, 1)

  Object.assign(replica, { vector, vectorDigest: digest })
  await world.simulation.pass(60_000)

  assert.is(first.error?.code, 'FORKED')
  assert.ok(forks.length > 1, 'each look at it says so')
  assert.equal(forks[0], { replicaId: replicaId('a'), forkPoint: 0 })
  assert.equal(shownAtPi, [], 'nothing was sent')
  assert.is(lastOf(dialed).relay?.caughtUp, true)
  assert.is(world.dials, 1)
  assert.equal(shown(pi, 1), ['one'])
})

test('a relay of a connection that was lost reports no more', async () => {
  const { world, a } = await start(15)
  const dialed = world.dial(a)
  await world.rest()
  const before = dialed.reports.length
  world.network.cut('pi')
  await world.deaf()
  await world.simulation.run(() => lastOf(dialed).state === 'failover', { virtualMs: 1_000 })
  await world.write(a, 1, 'one')
  await world.simulation.pass(10_000)

  const after = dialed.reports.slice(before)
  const lost = after.findIndex(({ state }) => state === 'failover')
  assert.ok(lost >= 0)
  assert.ok(after.slice(lost).every(({ relay }) => relay === undefined))
})

test('two hundred reconnects leave no cell, listener or lease behind', async () => {
  const { world, pi, a, access } = await start(16)
  const listeners = [countListeners(a.space), countListeners(pi.space)]
  const dialed = world.dial(a)
  for (let n = 0; n < 200; n++) {
    await world.simulation.run(() => lastOf(dialed).relay?.caughtUp === true, { virtualMs: 20_000 })
    world.network.cut(n % 2 === 0 ? 'a' : 'pi')
    await world.simulation.run(() => lastOf(dialed).relay === undefined, { virtualMs: 5_000 })
  }
  await world.simulation.pass(10_000)

  assert.is(lastOf(dialed).relay?.caughtUp, true)
  assert.ok(world.dials > 200)
  assert.is(access.opened - access.released, 1)
  assert.equal(
    listeners.map((count) => count()),
    [3, 3],
  )
  assert.equal([dialed.system.tree().length, world.system.tree().length], [2, 2])
})

test('a request without a connection is OFFLINE', async () => {
  const { world, a } = await start(17)
  await world.deaf()
  const dialed = world.dial(a)
  await world.simulation.pass(100)
  let code: string | undefined
  dialed.ref?.tell({
    type: 'dialed.request',
    operation: 1,
    body: new Uint8Array(0),
    timeoutMs: 1_000,
    settle: (result) => {
      code = 'error' in result ? result.error.code : 'answered'
    },
  })
  await world.simulation.pass(100)

  assert.is(code, 'OFFLINE')
})

test.run()

function crashOnce(space: Space): void {
  const { replica } = space
  const startRound = replica.startRound.bind(replica)
  Object.assign(replica, {
    startRound: () => {
      Object.assign(replica, { startRound })
      throw new Error('a bug')
    },
  })
}
