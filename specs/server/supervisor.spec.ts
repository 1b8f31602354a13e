/** The supervisor in a simulated world: who is let in, to what, and what survives a power cut. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { encodeIntroduction, parseIntroduction, TEAM_INTRODUCE } from '../../actors/connection/request.ts'
import { createInvite } from '../../actors/team/invite.ts'
import { limits, nodeCrypto, toHex } from '../../runtime/index.ts'
import { endpoint, spaceId, Stage } from './stage.ts'
import { codeOf } from './world.ts'

test('the tree stands in the order of DESIGN, and stops to nothing', async () => {
  const stage = new Stage()
  const supervisor = await stage.start()

  const paths = supervisor.system.tree().map(({ path }) => path)
  assert.equal(paths, [
    '/supervisor',
    '/supervisor/storage',
    '/supervisor/access',
    '/supervisor/clients',
    '/supervisor/listeners',
    '/supervisor/listeners/tls',
  ])
  assert.is(supervisor.health().ok, true)

  await stage.world.settle(supervisor.stop())
  assert.equal(supervisor.system.tree(), [])
  assert.is(supervisor.health().ok, false)
})

test('the first code names the advertised host and is there until a device redeems it', async () => {
  const stage = new Stage()
  const supervisor = await stage.start()
  const url = supervisor.enrolment() ?? ''
  assert.match(url, /^blazedb:\/\/pi\.example:1\/enroll\//)

  const device = stage.device('laptop')
  const paired = await stage.world.settle(device.redeem(url, endpoint))

  assert.is(paired.mayHost, true)
  assert.is(supervisor.enrolment(), undefined)
  assert.is((await stage.connect(device)).mayHost, true)
})

test('a code serves its device again, another device hears CODE_USED, and a made-up one is refused', async () => {
  const stage = new Stage()
  const supervisor = await stage.start()
  const url = supervisor.enrolment() ?? ''
  const laptop = stage.device('laptop')
  await stage.world.settle(laptop.redeem(url, endpoint))

  await stage.world.settle(laptop.redeem(url, endpoint))
  const phone = stage.device('phone')
  assert.is(await codeOf(stage.world.settle(phone.redeem(url, endpoint))), 'CODE_USED')
  const made = { id: new Uint8Array(16), psk: new Uint8Array(32), serverKey: stage.serverKey, endpoint }
  assert.is(await codeOf(stage.world.settle(phone.pair(made))), 'CODE_INVALID')
  assert.is((await stage.connect(phone)).mayHost, false)
  assert.is(supervisor.health().ok, true)
})

test('after a power cut keys, hosts and names are the same', async () => {
  const stage = new Stage()
  const before = await stage.start()
  const serverKey = stage.serverKey
  const device = await stage.host(before)
  const connected = await stage.connect(device)
  await stage.world.settle(connected.registerDatabase('bugs', spaceId))
  stage.crash()

  const supervisor = await stage.start()

  assert.equal(stage.serverKey, serverKey)
  const again = await stage.connect(device)
  assert.is(again.mayHost, true)
  assert.equal(
    supervisor.status().databaseList.map(({ name, space, state }) => ({ name, space, state })),
    [{ name: 'bugs', space: toHex(spaceId), state: 'closed' }],
  )
})

test('only a device that redeemed a code registers databases, and a bound name stays bound', async () => {
  const stage = new Stage()
  const supervisor = await stage.start()
  const stranger = await stage.connect(stage.device('stranger'))
  assert.is(await codeOf(stage.world.settle(stranger.registerDatabase('bugs', spaceId))), 'FORBIDDEN')

  const laptop = await stage.connect(await stage.host(supervisor))
  await stage.world.settle(laptop.registerDatabase('bugs', spaceId))
  await stage.world.settle(laptop.registerDatabase('bugs', spaceId))

  const phone = await stage.connect(await stage.host(supervisor, 'phone'))
  const other = new Uint8Array(16).fill(6)
  assert.is(await codeOf(stage.world.settle(phone.registerDatabase('bugs', other))), 'DATABASE_EXISTS')
  assert.is(await codeOf(stage.world.settle(phone.registerDatabase('mine', spaceId))), 'FORBIDDEN')
})

test('an operation that is not known is NOT_SUPPORTED, and the connection goes on', async () => {
  const stage = new Stage()
  const laptop = await stage.connect(await stage.host(await stage.start()))

  assert.is(await codeOf(stage.world.settle(laptop.request(999, new Uint8Array(0)))), 'NOT_SUPPORTED')
  assert.is(await codeOf(stage.world.settle(laptop.request(1, new Uint8Array(0)))), 'PROTOCOL_VIOLATION')
  await stage.world.settle(laptop.registerDatabase('bugs', spaceId))
})

test('an introduction that makes nobody a member is refused, whatever it holds', async () => {
  const stage = new Stage()
  const laptop = await stage.connect(await stage.host(await stage.start()))
  const stranger = await stage.connect(stage.device('stranger'))
  const introduce = (entries: readonly Uint8Array[]): Promise<string> =>
    codeOf(stage.world.settle(stranger.request(TEAM_INTRODUCE, encodeIntroduction({ spaceId, entries }))))
  assert.is(await introduce([]), 'UNKNOWN_SPACE')
  await stage.world.settle(laptop.registerDatabase('bugs', spaceId))

  assert.is(await introduce([]), 'FORBIDDEN')
  assert.is(await introduce([new Uint8Array(300).fill(7)]), 'PROTOCOL_VIOLATION')
  const long = new Uint8Array(limits.introductionBytesMax + 17)
  assert.is(await codeOf(stage.world.settle(stranger.request(TEAM_INTRODUCE, long))), 'PROTOCOL_VIOLATION')
  assert.is((await stage.world.settle(stranger.open(spaceId))).code, 'FORBIDDEN')
  // Of too many entries the newest go.
  const many = Array.from({ length: 300 }, (_, n) => new Uint8Array(400).fill(n))
  const { entries } = parseIntroduction(encodeIntroduction({ spaceId, entries: many }))
  assert.equal(entries, many.slice(-entries.length))
  assert.is(entries.length, Math.floor(limits.introductionBytesMax / 404))
})

test('a space opens for its registrant, not for a stranger, and not before it is registered', async () => {
  const stage = new Stage()
  const supervisor = await stage.start()
  const laptop = await stage.connect(await stage.host(supervisor))
  assert.is((await stage.world.settle(laptop.open(spaceId))).code, 'UNKNOWN_SPACE')
  await stage.world.settle(laptop.registerDatabase('bugs', spaceId))

  const stranger = await stage.connect(stage.device('stranger'))
  assert.is((await stage.world.settle(stranger.open(spaceId))).code, 'FORBIDDEN')

  void laptop.open(spaceId)
  const relays = (): number => supervisor.status().databaseList[0]?.clients ?? 0
  assert.ok(await stage.world.simulation.run(() => relays() === 1, { virtualMs: 1_000 }))

  laptop.close()
  assert.ok(
    await stage.world.simulation.run(() => relays() === 0, { virtualMs: 1_000 }),
    'the lease came back',
  )
})

test('an invite is taken from an owner once its entry is here, and lets a newcomer in', async () => {
  const stage = new Stage()
  let supervisor = await stage.start()
  const owner = await stage.host(supervisor)
  await stage.world.settle((await stage.connect(owner)).registerDatabase('bugs', spaceId))
  const { inviteId, keys } = createInvite({ crypto: nodeCrypto, env: owner.env, spaceId })
  const expiresMs = owner.env.now() + 600_000
  const invite = {
    inviteId,
    spaceId,
    channelKey: keys.channelKey,
    role: 3,
    expiresMs,
    box: new Uint8Array(80).fill(1),
  }

  const { signer } = owner.identity
  const nowMs = owner.env.now()
  const restartWith = async (entries: Parameters<Stage['learn']>[0]): Promise<void> => {
    await stage.world.settle(supervisor.stop())
    await stage.learn(entries)
    supervisor = await stage.start()
  }
  await restartWith((team) => [
    team.authorEntry({ body: { type: 'create', spaceId, keys: owner.identity.keys }, signer, nowMs }),
  ])
  const early = await stage.connect(owner)
  assert.is(await codeOf(stage.world.settle(early.registerInvite(invite))), 'NOT_SYNCED')

  await restartWith((team) => [
    team.authorEntry({
      body: { type: 'invite', inviteId, joinKey: keys.joinSigner.publicKey, role: 'writer', expiresMs },
      signer,
      nowMs,
    }),
  ])
  const connected = await stage.connect(owner)
  assert.is(
    await codeOf(stage.world.settle(connected.registerInvite({ ...invite, role: 4 }))),
    'PROTOCOL_VIOLATION',
  )
  await stage.world.settle(connected.registerInvite(invite))

  const newcomer = stage.device('phone')
  const outside = await stage.connect(newcomer)
  assert.is(await codeOf(stage.world.settle(outside.registerInvite(invite))), 'FORBIDDEN')
  const paired = await stage.world.settle(
    newcomer.pair({ id: inviteId, psk: keys.channelKey, serverKey: stage.serverKey, endpoint }),
  )
  assert.equal(paired.result, invite.box)
  assert.is(paired.mayHost, false)
  void (await stage.connect(newcomer)).open(spaceId)
  const relays = (): number => supervisor.status().databaseList[0]?.clients ?? 0
  assert.ok(await stage.world.simulation.run(() => relays() === 1, { virtualMs: 1_000 }))

  const late = stage.device('tablet')
  assert.is(
    await codeOf(
      stage.world.settle(
        late.pair({ id: inviteId, psk: keys.channelKey, serverKey: stage.serverKey, endpoint }),
      ),
    ),
    'CODE_USED',
  )
})

test('an address that guesses codes is cut off for a while, others are not', async () => {
  const stage = new Stage()
  const supervisor = await stage.start()
  const url = await stage.world.settle(supervisor.createCode())
  const guesser = stage.device('guesser')
  const guess = { id: new Uint8Array(16), psk: new Uint8Array(32), serverKey: stage.serverKey, endpoint }
  for (let n = 0; n < limits.attemptsMax; n++)
    assert.is(await codeOf(stage.world.settle(guesser.pair(guess))), 'CODE_INVALID')

  assert.is(await codeOf(stage.world.settle(guesser.redeem(url, endpoint))), 'BUSY')
  assert.is(supervisor.status().hosts, 0)
  await stage.world.settle(
    stage.device('laptop').redeem(await stage.world.settle(supervisor.createCode()), endpoint),
  )

  await stage.world.simulation.pass(limits.attemptPeriodMs)
  await stage.world.settle(guesser.redeem(url, endpoint))
})

test('connections of one address that prove nothing are bounded, and their places come back', async () => {
  const stage = new Stage()
  const supervisor = await stage.start()
  const transport = stage.network.transport('flood')
  for (let n = 0; n < limits.handshakesPerAddressMax + 10; n++)
    await stage.world.settle(transport.dial(endpoint, { timeoutMs: 1_000 }))
  await stage.world.simulation.pass(10)
  assert.is(supervisor.health().clients, limits.handshakesPerAddressMax)

  const laptop = await stage.host(supervisor)
  assert.is((await stage.connect(laptop)).mayHost, true)

  await stage.world.simulation.pass(limits.handshakeMs + 1_000)
  assert.is(supervisor.health().clients, 1)
})

test('a stop says goodbye to the clients and frees the address', async () => {
  const stage = new Stage()
  const supervisor = await stage.start()
  const laptop = await stage.connect(await stage.host(supervisor))

  const stopped = supervisor.stop()
  assert.is(await stage.world.settle(laptop.closed), undefined)
  await stage.world.settle(stopped)

  const next = await stage.start()
  assert.is(next.health().ok, true)
})

test('a supervisor whose disk has no room left says so and tries again', async () => {
  const stage = new Stage()
  const supervisor = await stage.start()
  const url = supervisor.enrolment() ?? ''
  stage.world.volume.failNextBatch()
  const device = stage.device('laptop')
  await codeOf(stage.world.settle(device.redeem(url, endpoint)))
  await stage.world.simulation.pass(10)
  assert.is(supervisor.health().ok, false)
  assert.equal(supervisor.health().failed, ['/supervisor/access'])

  await stage.world.simulation.pass(limits.resourceRetryFirstMs + 100)

  assert.is(supervisor.health().ok, true)
  await stage.world.settle(device.redeem(url, endpoint))
})

test.run()
