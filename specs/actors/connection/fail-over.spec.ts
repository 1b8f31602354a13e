/** A supervisor with several addresses: failing over, failing back, addresses of others, sleep, and many devices that come back at once. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import type { ConnectionReport } from '../../../actors/connection/index.ts'
import { limits } from '../../../runtime/index.ts'
import type { Listener } from '../../../transports/index.ts'
import { shown, type Member } from '../relay/exchange-world.ts'
import { derive } from '../team/roster.ts'
import { ConnectionWorld, lastOf, OpenAccess, PI, type Dialed } from './connection-world.ts'

const WAN = { transport: 'memory', host: 'wan', port: 443 } as const
const BOTH = [PI, WAN]

interface Started {
  readonly world: ConnectionWorld
  readonly pi: Member
  readonly a: Member
  readonly access: OpenAccess
}

async function start(seed: number): Promise<Started> {
  const world = new ConnectionWorld(seed)
  const pi = await world.member('pi')
  const a = await world.member('a')
  return { world, pi, a, access: new OpenAccess(pi.space) }
}

function states(reports: readonly ConnectionReport[]): string[] {
  return [...new Set(reports.map(({ state }) => state))]
}

test('a preferred address that works again is taken, without a moment offline and without sending anything again', async () => {
  const { world, pi, a, access } = await start(1)
  await world.listenAt(WAN, access)
  await world.write(a, 1, 'one')
  const dialed = world.dial(a, { endpoints: BOTH })
  await world.rest()
  assert.match(lastOf(dialed).endpoint, /wan/)

  const arrivals = pi.space.replica.lastArrival
  const before = dialed.reports.length
  await world.simulation.pass(limits.failbackFirstMs * 2)
  assert.match(lastOf(dialed).endpoint, /wan/, 'nobody listens at the first one')
  await world.listen(access)
  await world.simulation.pass(limits.failbackMaxMs)

  assert.match(lastOf(dialed).endpoint, /pi/)
  assert.equal(states(dialed.reports.slice(before)), ['syncing'])
  assert.is(lastOf(dialed).relay?.caughtUp, true)
  assert.is(pi.space.replica.lastArrival, arrivals)
  await world.write(a, 2, 'two')
  await world.rest()
  assert.equal(shown(pi, 2), ['two'])
})

test('probes of a preferred address that stays away grow rare', async () => {
  const { world, a, access } = await start(2)
  await world.listenAt(WAN, access)
  world.dial(a, { endpoints: BOTH })
  await world.rest()
  const before = world.dials

  await world.simulation.pass(limits.channelRenewMs * 0.9)

  const probes = world.dials - before
  assert.ok(probes >= 5 && probes <= 14, `${probes} probes in 50 minutes`)
})

test('a link on which a ping is missed is left for another address before it counts as dead', async () => {
  const { world, a, access } = await start(3)
  await world.listen(access)
  await world.listenAt(WAN, access)
  const dialed = world.dial(a, { endpoints: BOTH })
  await world.rest()
  const before = dialed.reports.length
  world.network.partition('a', 'pi')

  // The probe is due half a minute after the channel was made, at the latest.
  await world.simulation.pass(limits.failbackFirstMs + limits.healthTickMs)

  assert.match(lastOf(dialed).endpoint, /wan/)
  assert.equal(states(dialed.reports.slice(before)), ['syncing'])
})

test('a missed ping leads elsewhere also when a preferred address has long been away and is tried seldom', async () => {
  const { world, a, access } = await start(3)
  const home = { transport: 'memory', host: 'home', port: 1 } as const
  await world.listen(access)
  await world.listenAt(WAN, access)
  const dialed = world.dial(a, { endpoints: [home, ...BOTH] })
  await world.rest()
  await world.simulation.pass(2 * limits.failbackMaxMs)
  assert.match(lastOf(dialed).endpoint, /pi/)
  const before = dialed.reports.length
  world.network.partition('a', 'pi')

  // Its last word was at most a ping ago; the first other address in turn may be the one that is away.
  await world.simulation.pass(limits.pingMissedMs + 3 * limits.healthTickMs)

  assert.match(lastOf(dialed).endpoint, /wan/)
  assert.equal(states(dialed.reports.slice(before)), ['syncing'])
})

test('an address at which another server answers is passed over, and the supervisor is found at the next', async () => {
  const { world, a, access } = await start(4)
  const stranger: Listener = await world.listenAt(PI, access, derive('a stranger'))
  await world.listenAt(WAN, access)
  const dialed = world.dial(a, { endpoints: BOTH })
  await world.rest()
  assert.match(lastOf(dialed).endpoint, /wan/)
  assert.is(lastOf(dialed).state, 'syncing')

  const before = dialed.reports.length
  await world.simulation.pass(limits.failbackMaxMs)
  assert.ok(world.dials > 2, 'the stranger was tried again')
  assert.is(dialed.reports.length, before, 'which changes nothing')
  await stranger.close()
})

test('where another server answers at every address the connection is refused', async () => {
  const { world, a, access } = await start(5)
  await world.listenAt(PI, access, derive('a stranger'))
  await world.listenAt(WAN, access, derive('a stranger'))
  const dialed = world.dial(a, { endpoints: BOTH })
  await world.simulation.pass(60_000)

  assert.is(lastOf(dialed).state, 'refused')
  assert.is(lastOf(dialed).error?.code, 'SERVER_KEY_MISMATCH')
  assert.is(world.dials, 2)
})

test('after sleep a link that is dead is given up within seconds, and a living one is kept', async () => {
  for (const dead of [true, false]) {
    const { world, a, access } = await start(6)
    await world.listen(access)
    const dialed = world.dial(a)
    await world.rest()
    const before = world.dials

    world.simulation.jump('a', 8 * 3_600_000)
    if (dead) world.network.partition('a', 'pi')
    await world.simulation.pass(limits.healthTickMs + limits.wakeMs + 100)

    assert.is(lastOf(dialed).state === 'syncing', !dead)
    world.network.heal()
    await world.simulation.pass(limits.dialTimeoutMs + limits.failoverMaxMs)
    assert.is(lastOf(dialed).state, 'syncing')
    assert.is(world.dials > before, dead)
  }
})

test('after sleep a connection that waits is dialled again at once', async () => {
  const { world, a, access } = await start(7)
  const dialed = world.dial(a)
  await world.simulation.pass(60_000)
  await world.simulation.run(() => lastOf(dialed).state === 'failover', { virtualMs: 60_000 })

  await world.listen(access)
  world.simulation.jump('a', 3_600_000)
  await world.simulation.pass(limits.healthTickMs + limits.wakeMs + 100)

  assert.is(lastOf(dialed).state, 'syncing')
})

test('a hundred devices whose supervisor was away come back within seconds, and not at once', async () => {
  const { world, a, access } = await start(8)
  const devices: Dialed[] = []
  for (let index = 0; index < 100; index++) devices.push(world.dial(a))
  await world.simulation.pass(60_000)

  await world.listen(access)
  const from = world.simulation.now()
  let most = 0
  for (let left = 60; left > 0; left--) {
    const before = world.accepted.length
    await world.simulation.pass(100)
    most = Math.max(most, world.accepted.length - before)
  }

  assert.is(world.accepted.length, 100)
  for (const dialed of devices) assert.is(lastOf(dialed).state, 'syncing')
  assert.ok(most <= 12, `${most} of 100 within 100 ms`)
  assert.ok(world.simulation.now() - from <= limits.failoverMaxMs + 1_000)
})

test.run()
