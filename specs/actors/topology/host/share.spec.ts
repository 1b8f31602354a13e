/** The life of a share: who gets in, who does not, and what is left of it. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { startShare } from '../../../../actors/topology/host/index.ts'
import type { Share, ShareOptions } from '../../../../actors/topology/host/index.ts'
import { BlazeError, limits, nodeCrypto, toHex } from '../../../../runtime/index.ts'
import type { Link } from '../../../../transports/index.ts'
import type { BareGuest } from './bare-guest.ts'
import { createHostWorld, everything, GONE, limited, sharing } from './host-world.ts'
import type { HostWorld } from './host-world.ts'

/** In another process. */
function share({ options }: HostWorld, pid: number): Share {
  return startShare({ ...options, world: { ...options.world, pid } })
}

/** What it is told when the name is taken. */
async function taken(world: HostWorld, { started }: Share): Promise<BlazeError> {
  let error: unknown
  await world.settle(started.catch((cause: unknown) => (error = cause)))
  assert.ok(error instanceof BlazeError)
  assert.is(error.code, 'ALREADY_OPEN')
  return error
}

/** Nobody shares; the entry of a process that was killed is there. */
async function afterKill(): Promise<HostWorld> {
  const world = await sharing()
  const { group, share } = world
  const entry = await world.settle(group.entry('tracker'))
  assert.ok(entry !== undefined)
  await world.settle(share.stop())
  await world.settle(group.publish({ ...entry, pid: GONE }))
  return world
}

test('a share tells the group what is shared, as long as it is', async () => {
  const world = await sharing({ grants: { dash: 'readOnly' } })
  const { group, share, database } = world
  const entry = {
    database: 'tracker',
    app: 'tracker',
    space: toHex(database.identity.space),
    pid: 7,
    policy: share.status().policyVersion,
    grants: { dash: 'readOnly' },
  }
  assert.equal(await world.settle(group.databases()), [entry])
  assert.equal([share.status().state, share.status().error], ['listening', undefined])

  share.setPolicy(everything, undefined)
  await world.pass()
  assert.equal(await world.settle(group.databases()), [{ ...entry, grants: undefined }])
  await world.settle(share.stop())
  assert.equal(await world.settle(group.databases()), [])
  assert.is(share.status().state, 'stopped')
})

test('stop says goodbye to every guest and leaves nothing behind', async () => {
  const world = await sharing()
  const guests = [await world.attach(), await world.attach(), await world.connect()]
  const silent = await world.settle(silentLink(world))
  let ended = false
  silent.attach({ record() {}, drain() {}, closed: () => void (ended = true) })
  await world.settle(world.share.stop())
  await world.pass()
  assert.ok(ended, 'also who is in a handshake is let go')

  assert.equal(
    guests.map(({ closed }) => closed),
    ['goodbye', 'goodbye', 'goodbye'],
  )
  assert.is(await world.code(world.dial()), 'UNREACHABLE')
  assert.equal(
    world.system.tree().filter(({ kind }) => kind === 'share' || kind === 'guest'),
    [],
  )
  assert.equal(world.guests(), [])
  assert.is(await world.write('insert', 'bugs', { a: {} }), 'ok')
  await world.settle(world.share.stop())
})

test('a name is shared once in a group, and whoever comes second learns who was first', async () => {
  const world = await sharing()
  const second = share(world, 8)
  const error = await taken(world, second)
  assert.equal(error.details, { pid: 7 })
  assert.match(error.message, 'another process (pid 7) shares a database named "tracker"')
  await world.pass()
  assert.equal([second.status().state, second.status().error?.code], ['stopped', 'ALREADY_OPEN'])
  assert.is((await world.settle(world.group.databases()))[0]?.pid, 7)

  await world.settle(world.share.stop())
  const third = startShare(world.options)
  await world.settle(third.started)
  await world.settle(third.stop())
})

test('of two that take a name of a killed process at once the loser learns who was first, never the pid of the dead one', async () => {
  const world = await afterKill()
  const first = share(world, 7)
  const second = share(world, 8)

  const error = await taken(world, second)

  assert.equal(error.details, { pid: 7 })
  await world.settle(first.started)
})

test('where nobody says in time who shares a name, the pid is left out', async () => {
  const world = await afterKill()
  const { group, network, simulation } = world
  await world.settle(network.transport('other').listen(group.endpoint('tracker'), () => {}))
  const beganMs = simulation.now()

  const error = await taken(world, share(world, 8))

  assert.equal(error.details, {})
  assert.match(error.message, 'another process shares a database named "tracker"')
  assert.ok(simulation.now() - beganMs < 2 * limits.shareEntryWaitMs)
})

test('a second database of one process under the same name is told that this process shares it', async () => {
  const world = await sharing()

  const error = await taken(world, startShare(world.options))

  assert.equal(error.details, { pid: 7 })
  assert.match(error.message, 'this process (pid 7) shares another database named "tracker"')
})

test('a share that is stopped before it listens says so and holds nothing', async () => {
  const world = await createHostWorld()
  const stopped = world.share.stop()
  assert.is(await world.code(world.share.started), 'CLOSED')
  await world.settle(stopped)
  assert.is(await world.code(world.dial()), 'UNREACHABLE')
  assert.equal(await world.settle(world.group.databases()), [])
})

test('whoever lacks the key of the group, or is no app of it, gets nothing', async () => {
  const world = await sharing()
  const app = await world.settle(world.group.app('dash'))
  const stranger = { ...app, device: nodeCrypto.createSigner(new Uint8Array(32).fill(3)) }
  const host = nodeCrypto.createP256(world.options.app.staticKey).publicKey

  const wrong = new Uint8Array(32)
  assert.is(await world.code(world.dial({ dial: { pattern: 'XXpsk3', psk: wrong } })), 'CODE_INVALID')
  assert.is(
    await world.code(world.dial({ dial: { pattern: 'XXpsk3', id: wrong.slice(0, 16) } })),
    'CODE_INVALID',
  )
  assert.is(await world.code(world.dial({ app: stranger })), 'FORBIDDEN')
  // It knows the host's key, and is registered; but this pattern does not prove the key of the group.
  assert.is(await world.code(world.dial({ dial: { pattern: 'XK', serverKey: host } })), 'FORBIDDEN')
  await world.pass()
  assert.equal(world.guests(), [])
  await world.attach()
})

test('a guest is told when the host cannot read who it is', async () => {
  const world = await sharing()
  const { group } = world
  const app = await world.settle(group.app('dash'))
  Object.assign(group, { appOf: () => Promise.reject(new BlazeError('DAMAGED', 'a file of the group')) })
  assert.is(await world.code(world.dial({ app })), 'DAMAGED')
  Reflect.deleteProperty(group, 'appOf')
  await world.attach({ app })
})

test('with grants, only apps that have one get in, and only as far as it goes', async () => {
  const world = await sharing({ grants: { dash: 'readOnly' } })
  assert.is(await world.code(world.dial({ app: await world.settle(world.group.app('tool')) })), 'FORBIDDEN')
  assert.is(
    await world.code(world.dial({ app: await world.settle(world.group.app('constructor')) })),
    'FORBIDDEN',
  )
  const guest = await world.connect()
  guest.attach()
  await world.pass()
  assert.equal(guest.resets, ['READ_ONLY'])
  guest.attach({ mode: 'readOnly' })
  await world.until(() => guest.caughtUp, 'the pass')
})

test('another database than the one that is shared is refused', async () => {
  const world = await sharing()
  const guest = await world.connect()
  guest.attach({ database: 'other' })
  await world.pass()
  assert.equal([guest.resets, guest.attachments.length, guest.closed], [['UNKNOWN_SPACE'], 0, undefined])
})

test('handshakes that do not end are bounded, and over after their time', async () => {
  const world = await sharing()
  for (let n = 0; n < limits.handshakesPerAddressMax; n += 1) await world.settle(silentLink(world, n))
  assert.is(await world.code(world.dial()), 'BUSY')
  await world.pass(limits.handshakeMs)
  await world.attach()
  assert.is(world.guests().length, 1)
})

test('so many guests at once are served, and no more', async () => {
  const world = await sharing()
  await world.write('insert', 'bugs', { a: {} })
  const guests: BareGuest[] = []
  for (let n = 0; n < limits.guestsMax; n += 1) guests.push(await world.connect())
  assert.is(await world.code(world.dial()), 'BUSY')
  for (const guest of guests) guest.attach()
  await world.until(() => guests.every(({ caughtUp }) => caughtUp), 'all passes')
  await world.write('insert', 'bugs', { b: {} })
  await world.pass()
  assert.ok(guests.every((guest) => guest.rows.size === 2))
  guests[0]?.hangUp()
  await world.pass()
  await world.attach()
})

test('a guest that never attaches is let go', async () => {
  const world = await sharing()
  const guest = await world.connect()
  await world.pass(limits.attachMs / 2)
  guest.attach({ database: 'other' })
  await world.pass(limits.attachMs * 0.75)
  assert.is(guest.closed, undefined, 'its time begins anew with every attempt')
  await world.pass(limits.attachMs)
  assert.is(guest.closed, 'CLOSED')
  assert.equal(world.guests(), [])
})

test('a share that crashes comes back, and the database never hears of it', async () => {
  const world = await sharing()
  const guest = await world.attach()
  await crashShare(world)
  await world.until(() => guest.closed !== undefined, 'the end of the guest')
  await world.until(() => world.share.status().state === 'listening', 'the share again')

  const again = await world.attach({ from: guest })
  assert.equal(again.ids(), ['bugs/a'])
  assert.is(world.database.status().state, 'ready')
})

test('a share that cannot listen again keeps trying, and says why', async () => {
  let refusing = false
  const world = await withTransport((listen) => (refusing ? Promise.reject(refused) : listen()))
  await world.attach()
  refusing = true
  await crashShare(world)
  await world.until(() => world.share.status().state === 'failed', 'the failure')
  assert.is(world.share.status().error?.code, 'UNSAFE_DIRECTORY')
  await world.pass(60_000)
  assert.is(world.share.status().state, 'failed')
  refusing = false
  await world.until(() => world.share.status().state === 'listening', 'the share again')
  assert.is(world.share.status().error, undefined)
  await world.attach()
})

test('a first start that fails is told and not repeated', async () => {
  let listened = 0
  const world = await createHostWorld()
  const local = {
    ...world.options.world.local,
    listen: async () => {
      listened += 1
      throw refused
    },
  }
  await world.settle(world.share.stop())
  const share = startShare({ ...world.options, world: { ...world.options.world, local } })
  assert.is(await world.code(share.started), 'UNSAFE_DIRECTORY')
  await world.pass(120_000)
  assert.equal([share.status().state, listened], ['stopped', 1])
})

test('a share whose entry cannot be written does not begin, and leaves the name to others', async () => {
  const world = await createHostWorld()
  await world.settle(world.share.stop())
  const { group } = world
  Object.assign(group, { publish: () => Promise.reject(new BlazeError('DISK_FULL', 'no room')) })
  assert.is(await world.code(startShare(world.options).started), 'DISK_FULL')
  Reflect.deleteProperty(group, 'publish')
  const share = startShare(world.options)
  await world.settle(share.started)

  // Later it is only shown: guests do not depend on it.
  Object.assign(group, { publish: () => Promise.reject(new BlazeError('DISK_FULL', 'no room')) })
  share.setPolicy(limited, undefined)
  await world.pass()
  assert.equal([share.status().state, share.status().error?.code], ['listening', 'DISK_FULL'])
  Reflect.deleteProperty(group, 'publish')
  share.setPolicy(everything, undefined)
  await world.pass()
  assert.is(share.status().error, undefined)
})

test('a policy that is set while the share opens is the one that the group sees', async () => {
  const world = await createHostWorld()
  world.share.setPolicy(limited, undefined)
  await world.settle(world.share.started)
  await world.pass()
  const [entry] = await world.settle(world.group.databases())
  assert.is(entry?.policy, world.share.status().policyVersion)
})

test('its owner hears of every change of its status', async () => {
  const world = await createHostWorld()
  const states = new Set<string>()
  await world.settle(world.share.stop())
  const options: ShareOptions = {
    ...world.options,
    report: () => {
      const { state, guests } = share?.status() ?? { state: 'opening', guests: [] }
      states.add([state, ...guests.map((guest) => guest.state)].join(' '))
    },
  }
  let share: ReturnType<typeof startShare> | undefined = undefined as
    ReturnType<typeof startShare> | undefined
  share = startShare(options)
  await world.settle(share.started)
  await world.write('insert', 'bugs', { a: {} })
  const guest = await world.attach()
  guest.hangUp()
  await world.pass()
  await world.settle(share.stop())
  for (const expected of [
    'opening',
    'listening',
    'listening handshake',
    'listening authenticated',
    'listening passing',
    'listening live',
    'listening closed',
    'stopped',
  ]) {
    assert.ok(states.has(expected), expected)
  }
})

/** Somebody who dials and says nothing. */
function silentLink({ network, group }: HostWorld, n = 0): Promise<Link> {
  return network.transport(`silent ${n}`).dial(group.endpoint('tracker'), { timeoutMs: 1_000 })
}

const refused = new BlazeError('UNSAFE_DIRECTORY', 'the directory is not ours alone')

/** A share whose transport asks first. */
async function withTransport(
  listen: (
    real: () => ReturnType<ShareOptions['world']['local']['listen']>,
  ) => ReturnType<ShareOptions['world']['local']['listen']>,
): Promise<HostWorld> {
  return sharing({
    wrapLocal: (local) => ({
      ...local,
      listen: (endpoint, onLink) => listen(() => local.listen(endpoint, onLink)),
    }),
  })
}

/** With a guest connected, the next commit meets a bug. */
async function crashShare(world: HostWorld): Promise<void> {
  const { database } = world
  Object.assign(database, {
    heldFloor: () => {
      throw new TypeError('a bug of the share')
    },
  })
  assert.is(await world.write('put', 'bugs', { a: {} }), 'ok')
  Reflect.deleteProperty(database, 'heldFloor')
}

test.run()
