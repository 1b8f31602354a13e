/** A connection that lives for long: a fresh handshake before the hour is over, with nothing lost; and a server key that is changed. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { limits, nodeCrypto } from '../../../runtime/index.ts'
import { shown, type Member } from '../relay/exchange-world.ts'
import { derive, device } from '../team/roster.ts'
import { ConnectionWorld, lastOf, OpenAccess } from './connection-world.ts'

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

test('a connection makes a new channel within the hour, goes on from where it was, and gives back the old one', async () => {
  const { world, pi, a, access } = await start(1)
  await world.write(a, 1, 'one')
  const dialed = world.dial(a, { register: 'notes' })
  await world.rest()
  assert.is(world.dials, 1)
  const before = dialed.reports.length

  await world.simulation.pass(limits.channelAgeMs)
  await world.write(a, 2, 'two')
  const b = await world.member('b')
  await world.write(b, 3, 'three')
  const other = world.dial(b)
  await world.rest()

  const states = new Set(dialed.reports.slice(before).map(({ state }) => state))
  assert.equal([...states], ['syncing'], 'it never was without a channel')
  assert.is(world.dials, 3)
  assert.is(lastOf(dialed).relay?.caughtUp, true)
  await world.settle(other.ref?.stop() ?? Promise.resolve())
  await world.rest()
  assert.equal([shown(pi, 2), shown(a, 3)], [['two'], ['three']])
  assert.equal([access.requested, access.opened, access.released], [1, 3, 2])
  assert.is(world.system.tree().filter(({ kind }) => kind === 'connection').length, 1)
})

test('a renewal that fails is tried again, and the old channel serves until then', async () => {
  const { world, pi, a } = await start(2)
  const dialed = world.dial(a)
  await world.rest()
  await world.deaf()

  await world.simulation.pass(limits.channelRenewMs + limits.channelRenewRetryMs)
  const tried = world.dials
  await world.write(a, 1, 'one')
  await world.simulation.pass(1_000)
  assert.ok(tried > 1, `${tried} dials`)
  assert.equal(shown(pi, 1), ['one'])
  assert.is(lastOf(dialed).state, 'syncing')
  await world.listen(new OpenAccess(pi.space))
  await world.simulation.pass(limits.channelAgeMs - limits.channelRenewMs)

  assert.is(lastOf(dialed).state, 'syncing')
  assert.is(lastOf(dialed).attempts, 0)
})

test('a supervisor that cannot be reached for a renewal is lost after an hour, and found again', async () => {
  const { world, pi, a } = await start(3)
  const dialed = world.dial(a)
  await world.rest()
  await world.deaf()

  await world.simulation.pass(limits.channelAgeMs + limits.failoverMaxMs)
  assert.is(lastOf(dialed).state, 'failover')
  await world.listen(new OpenAccess(pi.space))
  await world.simulation.pass(limits.failoverMaxMs * 2)

  assert.is(lastOf(dialed).state, 'syncing')
})

test('a device whose key is not taken any more at a renewal is refused then', async () => {
  const { world, a, access } = await start(4)
  const dialed = world.dial(a)
  await world.rest()
  Object.assign(access, { authorize: () => ({ ok: false, code: 'FORBIDDEN', message: 'revoked' }) })

  await world.simulation.pass(limits.channelRenewMs)

  assert.equal([lastOf(dialed).state, lastOf(dialed).error?.code], ['refused', 'FORBIDDEN'])
})

test('stopping while a new channel is made leaves no link and no cell', async () => {
  for (let step = 0; step < 12; step += 1) {
    const { world, a } = await start(5)
    const dialed = world.dial(a)
    await world.rest()
    await world.simulation.run(() => world.dials === 2, { virtualMs: limits.channelAgeMs })
    await world.simulation.pass(step)

    await world.settle(dialed.ref?.stop() ?? Promise.resolve())
    await world.rest()

    assert.is(dialed.system.tree().length, 0, `step ${step}`)
    assert.is(world.system.tree().length, 0, `step ${step}`)
  }
})

test('a new server key is stored before it is used, and dialled from then on', async () => {
  const { world, pi, a } = await start(6)
  const stored: string[] = []
  const newScalar = derive('pi new static')
  const newKey = nodeCrypto.createP256(newScalar).publicKey
  world.identity = { staticKey: newScalar, retiredKeys: [derive('pi static')] }
  const store = async (key: Uint8Array): Promise<void> => {
    stored.push(Buffer.from(key).toString('hex'))
  }
  const dialed = world.dial(a, { successor: { serverDevice: device('pi').signer.publicKey, store } })
  await world.rest()
  assert.is(lastOf(dialed).state, 'syncing')
  assert.equal(stored, [Buffer.from(newKey).toString('hex')])

  world.identity = { staticKey: newScalar, retiredKeys: [] }
  world.network.cut('pi')
  await world.simulation.pass(limits.failoverMaxMs)

  assert.is(lastOf(dialed).state, 'syncing')
  assert.is(stored.length, 1)
  await world.write(a, 1, 'one')
  await world.rest()
  assert.equal(shown(pi, 1), ['one'])
})

test('a new server key that cannot be stored is not used: the attempt fails and is made again', async () => {
  const { world, a } = await start(7)
  let failures = 2
  world.identity = { staticKey: derive('pi new static'), retiredKeys: [derive('pi static')] }
  const store = async (): Promise<void> => {
    if (failures-- > 0) throw new Error('the disk is full')
  }
  const dialed = world.dial(a, { successor: { serverDevice: device('pi').signer.publicKey, store } })
  await world.simulation.pass(limits.failoverMaxMs)

  assert.is(lastOf(dialed).state, 'syncing')
  assert.is(failures, -1)
  assert.is(world.dials, 3)
})

test('a new server key from another device than the paired one is refused', async () => {
  const { world, a } = await start(8)
  world.identity = { staticKey: derive('pi new static'), retiredKeys: [derive('pi static')] }
  const store = (): Promise<void> => Promise.reject(new Error('nothing is stored'))
  const dialed = world.dial(a, { successor: { serverDevice: device('a').signer.publicKey, store } })
  await world.simulation.pass(60_000)

  assert.equal([lastOf(dialed).state, lastOf(dialed).error?.code], ['refused', 'SERVER_KEY_MISMATCH'])
  assert.is(world.dials, 1)
})

test.run()
