/** The access store: codes are claimed once, names bind once, and all of it survives the power. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { enrolmentPsk } from '../../../actors/index.ts'
import { limits, nodeCrypto } from '../../../runtime/index.ts'
import { AccessStore } from '../../../server/access/index.ts'
import type { InviteRegistration } from '../../../server/access/index.ts'
import { codeOf, createWorld } from '../world.ts'
import type { SpecWorld } from '../world.ts'

const phone = new Uint8Array(32).fill(1)
const laptop = new Uint8Array(32).fill(2)
const space = new Uint8Array(16).fill(3)
const otherSpace = new Uint8Array(16).fill(4)

function open(world: SpecWorld): Promise<AccessStore> {
  const { env, volume } = world
  return world.settle(
    volume.openStore('access').then((store) => AccessStore.open({ store, env, crypto: nodeCrypto })),
  )
}

/** Power cut, then a new opening. */
function reopen(world: SpecWorld): Promise<AccessStore> {
  world.volume.crash()
  return open(world)
}

function invite(world: SpecWorld, n = 0, change: Partial<InviteRegistration> = {}): InviteRegistration {
  const id = new Uint8Array(16).fill(9)
  new DataView(id.buffer).setUint32(0, n)
  return {
    id,
    spaceId: space,
    channelKey: new Uint8Array(32).fill(7),
    role: 3,
    expiresMs: world.env.now() + 60_000,
    box: new Uint8Array(100).fill(8),
    ...change,
  }
}

test('the first opening makes one enrolment code, and every opening shows it until it is claimed', async () => {
  const world = createWorld()
  const first = (await open(world)).enrolment()
  const access = await reopen(world)

  assert.ok(first)
  assert.equal(access.enrolment(), first)
  assert.equal(access.psk(first.id), enrolmentPsk(nodeCrypto, { codeId: first.id, secret: first.secret }))

  assert.equal((await world.settle(access.redeem(first.id, phone))).ok, true)
  assert.is(access.enrolment(), undefined)
  assert.is((await reopen(world)).enrolment(), undefined)
})

test('a code belongs to the first device that claims it, also after a power cut', async () => {
  const world = createWorld()
  const before = await open(world)
  const code = await world.settle(before.createCode())
  await world.settle(before.redeem(code.id, phone))

  const access = await reopen(world)
  const again = await world.settle(access.redeem(code.id, phone))
  const other = await world.settle(access.redeem(code.id, laptop))

  assert.equal(again, { ok: true, grant: new Uint8Array(0) })
  assert.is(other.ok, false)
  assert.is(other.ok ? '' : other.code, 'CODE_USED')
  assert.is(access.mayHost(phone), true)
  assert.is(access.mayHost(laptop), false)
})

test('of two devices that claim a code at once exactly one gets it', async () => {
  const world = createWorld()
  const access = await open(world)
  const code = await world.settle(access.createCode())

  const both = await world.settle(
    Promise.all([access.redeem(code.id, phone), access.redeem(code.id, laptop)]),
  )

  assert.equal(
    both.map(({ ok }) => ok),
    [true, false],
  )
  assert.is(access.mayHost(laptop), false)
})

test('a claim whose batch fails is not granted', async () => {
  const world = createWorld()
  const access = await open(world)
  const code = access.enrolment()
  assert.ok(code)
  let failed: unknown
  access.onFailed((error) => {
    failed = error
  })
  world.volume.failNextBatch()

  assert.is(await codeOf(world.settle(access.redeem(code.id, phone))), 'POISONED')

  assert.ok(failed)
  assert.is(access.mayHost(phone), false)
  assert.is((await reopen(world)).mayHost(phone), false)
})

test('the secrets of further codes are in no row, that of the first one only until it is claimed', async () => {
  const world = createWorld()
  const access = await open(world)
  const first = access.enrolment()
  assert.ok(first)
  const second = await world.settle(access.createCode())
  const stored = async (secret: Uint8Array): Promise<boolean> => {
    const all = { gte: new Uint8Array([0]), lt: new Uint8Array([255]), limit: 100 }
    const rows = await world.settle(world.volume.rows('access').range(all))
    return rows.some(([, value]) => Buffer.from(value).includes(Buffer.from(secret)))
  }

  assert.is(await stored(first.secret), true)
  assert.is(await stored(second.secret), false)

  await world.settle(access.redeem(first.id, phone))
  assert.is(await stored(first.secret), false)
})

test('an unknown code is CODE_INVALID and has no key', async () => {
  const world = createWorld()
  const access = await open(world)
  const answer = await world.settle(access.redeem(new Uint8Array(16), phone))

  assert.is(answer.ok ? '' : answer.code, 'CODE_INVALID')
  assert.is(access.psk(new Uint8Array(16)), undefined)
})

test('a database name binds to one space, again for the same space, and survives a power cut', async () => {
  const world = createWorld()
  const access = await open(world)
  const bugs = { name: 'bugs', spaceId: space, deviceKey: phone }
  await world.settle(access.registerDatabase(bugs))
  await world.settle(access.registerDatabase(bugs))

  assert.is(
    await codeOf(world.settle(access.registerDatabase({ ...bugs, spaceId: otherSpace }))),
    'DATABASE_EXISTS',
  )

  const again = await reopen(world)
  assert.equal(
    again.databases().map(({ name, spaceId }) => ({ name, spaceId })),
    [{ name: 'bugs', spaceId: space }],
  )
  assert.equal(again.spaceHost(space), phone)
  assert.is(again.spaceHost(otherSpace), undefined)
})

test('a space stays with the device that registered it first, whatever names are added', async () => {
  const world = createWorld()
  const access = await open(world)
  await world.settle(access.registerDatabase({ name: 'bugs', spaceId: space, deviceKey: phone }))
  await world.settle(access.registerDatabase({ name: 'bugs-too', spaceId: space, deviceKey: laptop }))

  assert.equal(access.spaceHost(space), phone)
})

test('a database name of other characters, or too long, is BAD_VALUE', async () => {
  const world = createWorld()
  const access = await open(world)

  for (const name of ['', 'Bugs', 'a b', 'a/b', '<b>', 'x'.repeat(limits.databaseNameCharsMax + 1)])
    assert.is(
      await codeOf(world.settle(access.registerDatabase({ name, spaceId: space, deviceKey: phone }))),
      'BAD_VALUE',
      name,
    )
})

test('an invite gives its box to one device, again to the same one, and remembers whom', async () => {
  const world = createWorld()
  const access = await open(world)
  const row = invite(world)
  await world.settle(access.registerInvite(row))
  await world.settle(access.registerInvite(row))

  assert.equal(access.psk(row.id), row.channelKey)
  assert.equal(await world.settle(access.redeem(row.id, phone)), { ok: true, grant: row.box })
  assert.equal(await world.settle(access.redeem(row.id, phone)), { ok: true, grant: row.box })
  const other = await world.settle(access.redeem(row.id, laptop))
  assert.is(other.ok ? '' : other.code, 'CODE_USED')

  const again = await reopen(world)
  assert.is(again.hasRedeemed(space, phone), true)
  assert.is(again.hasRedeemed(space, laptop), false)
  assert.is(again.hasRedeemed(otherSpace, phone), false)
  assert.is(again.mayHost(phone), false)
})

test('an invite past its expiry is CODE_EXPIRED, except for the device that has it', async () => {
  const world = createWorld()
  const access = await open(world)
  const [used, unused] = [invite(world, 1), invite(world, 2)]
  await world.settle(access.registerInvite(used))
  await world.settle(access.registerInvite(unused))
  await world.settle(access.redeem(used.id, phone))

  await world.simulation.pass(60_001)

  assert.equal(await world.settle(access.redeem(used.id, phone)), { ok: true, grant: used.box })
  const late = await world.settle(access.redeem(unused.id, phone))
  assert.is(late.ok ? '' : late.code, 'CODE_EXPIRED')
})

test('an invite id cannot be registered again with other content', async () => {
  const world = createWorld()
  const access = await open(world)
  await world.settle(access.registerInvite(invite(world)))

  const changed = invite(world, 0, { channelKey: new Uint8Array(32).fill(66) })
  assert.is(await codeOf(world.settle(access.registerInvite(changed))), 'REFUSED')
})

test('a space has a bounded number of open invites, and expired ones make room', async () => {
  const world = createWorld()
  const access = await open(world)
  for (let n = 0; n < limits.invitesPerSpaceMax; n++)
    await world.settle(access.registerInvite(invite(world, n)))

  assert.is(await codeOf(world.settle(access.registerInvite(invite(world, 1_000)))), 'QUOTA')
  await world.settle(access.registerInvite(invite(world, 1_001, { spaceId: otherSpace })))

  await world.simulation.pass(60_001)
  await world.settle(access.registerInvite(invite(world, 1_000)))
  assert.ok(access.psk(invite(world, 1_000).id))
})

test('a row that does not read is DAMAGED, not a missing right', async () => {
  const world = createWorld()
  const before = await open(world)
  const code = before.enrolment()
  assert.ok(code)
  const key = new Uint8Array([0x63, ...code.id])
  const value = world.volume.rows('access').get(key)
  assert.ok(value)

  world.volume.damage('access', [{ type: 'put', key, value: value.subarray(1) }])

  assert.is(await codeOf(reopen(world)), 'DAMAGED')
})

test.run()
