/** The server's key is changed while devices are there, and while they are away. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parseCode } from '../../../actors/team/index.ts'
import { RemoteNode } from '../../../actors/index.ts'
import type { BlazeDBClient } from '../../../actors/index.ts'
import { BlazeError, limits, toHex } from '../../../runtime/index.ts'
import type { Supervisor } from '../../../server/supervisor.ts'
import { SimulatedWorld } from '../../simulation/world.ts'

interface Two {
  readonly world: SimulatedWorld
  readonly a: BlazeDBClient
  readonly b: BlazeDBClient
}

async function two(seed: number): Promise<Two> {
  const world = new SimulatedWorld(seed)
  await world.startSupervisor()
  const a = await world.open('a')
  await world.settle(a.enableSync({ remote: world.remote(), database: 'notes' }))
  const b = await world.join('b', await world.settle(a.invite({ role: 'writer' })))
  return { world, a, b }
}

function supervisorOf(world: SimulatedWorld): Supervisor {
  assert.ok(world.supervisor)
  return world.supervisor ?? assert.unreachable('no supervisor')
}

const caughtUp = (world: SimulatedWorld, client: BlazeDBClient): Promise<void> =>
  world.settle(client.sync?.caughtUp() ?? Promise.reject(new Error('no sync')))

test('devices that are connected, and one that was away for all of it, sync under the new key', async () => {
  const { world, a, b } = await two(1)
  await caughtUp(world, b)
  await world.settle(b.close())
  const before = parseCode(await world.settle(supervisorOf(world).createCode())).serverKey

  const changed = await world.settle(supervisorOf(world).rotateKey())
  const after = parseCode(await world.settle(supervisorOf(world).createCode())).serverKey
  assert.is(toHex(after), changed)
  assert.is.not(toHex(before), changed)
  await world.settle(a.collection('notes').insert({ id: '1', text: 'after' }))
  await caughtUp(world, a)
  assert.is(a.sync?.status().state, 'caughtUp')

  const again = await world.open('b')
  await caughtUp(world, again)
  assert.equal(await world.settle(again.collection('notes').get('1')), { id: '1', text: 'after' })
})

test('the new key is kept: a device that learned it finds the server when the old one is long forgotten', async () => {
  const { world, a } = await two(2)
  for (let change = 0; change <= limits.retiredKeysMax; change++) {
    await world.settle(supervisorOf(world).rotateKey())
    await world.simulation.pass(limits.failoverMaxMs)
    await caughtUp(world, a)
  }
  await world.settle(a.close())
  world.crashSupervisor()
  await world.startSupervisor()

  await caughtUp(world, await world.open('a'))
})

test('a device that missed more changes than are kept stops, and says why; nothing is dialled on', async () => {
  const { world, b } = await two(3)
  await caughtUp(world, b)
  await world.settle(b.close())
  for (let change = 0; change <= limits.retiredKeysMax; change++)
    await world.settle(supervisorOf(world).rotateKey())

  const again = await world.open('b')
  const error: unknown = await caughtUp(world, again).catch((fault: unknown) => fault)

  assert.ok(error instanceof BlazeError)
  assert.is(again.sync?.status().error?.code, 'SERVER_KEY_MISMATCH')
  assert.match(again.sync?.status().error?.message ?? '', /does not own the pinned key/)
  assert.is(again.sync?.status().connection, 'refused')
})

test('a code that was made before the change is refused, and one made after it is good', async () => {
  const { world } = await two(4)
  const old = await world.settle(supervisorOf(world).createCode())
  await world.settle(supervisorOf(world).rotateKey())
  const lone = await world.open('lone')

  const error: unknown = await world
    .settle(lone.enableSync({ remote: RemoteNode.parse(old), database: 'mine' }))
    .catch((fault: unknown) => fault)
  assert.ok(error instanceof BlazeError)
  assert.is(error instanceof BlazeError ? error.code : '', 'SERVER_KEY_MISMATCH')

  const code = await world.settle(supervisorOf(world).createCode())
  await world.settle(lone.enableSync({ remote: RemoteNode.parse(code), database: 'mine' }))
})

test('two changes at once are two changes, one after the other', async () => {
  const { world, a } = await two(5)
  const [first, second] = await world.settle(
    Promise.all([supervisorOf(world).rotateKey(), supervisorOf(world).rotateKey()]),
  )

  assert.is.not(first, second)
  await world.simulation.pass(limits.failoverMaxMs)
  await caughtUp(world, a)
})

test.run()
