// time limit: 60 s
/** The bounds of the access store: each at its limit and one over it, and what makes room again. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { limits, nodeCrypto } from '../../../runtime/index.ts'
import { AccessStore } from '../../../server/access/index.ts'
import type { InviteRegistration } from '../../../server/access/index.ts'
import { codeOf, createWorld } from '../world.ts'
import type { SpecWorld } from '../world.ts'

const EXPIRES_MS = 60_000

interface Stage extends SpecWorld {
  readonly access: AccessStore
  /** `ok`, or the code of the refusal. */
  readonly code: (work: Promise<unknown>) => Promise<string>
  readonly redeem: (id: Uint8Array, device: Uint8Array) => Promise<string>
}

async function opened(): Promise<Stage> {
  const world = createWorld()
  const { env, volume, settle } = world
  const store = await settle(volume.openStore('access'))
  const access = await settle(AccessStore.open({ store, env, crypto: nodeCrypto }))
  return {
    ...world,
    access,
    code: (work) =>
      codeOf(settle(work).then(() => Promise.reject(Object.assign(new Error(), { code: 'ok' })))),
    async redeem(id, device) {
      const answer = await settle(access.redeem(id, device))
      return answer.ok ? 'ok' : answer.code
    },
  }
}

/** Bytes that differ by `n`. */
function numbered(n: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length).fill(9)
  new DataView(bytes.buffer).setUint32(0, n)
  return bytes
}

function invite(stage: Stage, n: number, change: Partial<InviteRegistration> = {}): InviteRegistration {
  return {
    id: numbered(n, 16),
    spaceId: numbered(Math.floor(n / limits.invitesPerSpaceMax), 16),
    channelKey: new Uint8Array(32).fill(7),
    role: 3,
    expiresMs: stage.env.now() + EXPIRES_MS,
    box: new Uint8Array(10),
    ...change,
  }
}

test('256 enrolment codes may wait, one more is QUOTA, and a claimed one makes room', async () => {
  const { access, settle, code, redeem } = await opened()
  const first = access.enrolment()
  assert.ok(first)
  for (let n = 1; n < limits.codesOpenMax; n += 1) await settle(access.createCode())

  assert.is(await code(access.createCode()), 'QUOTA')
  assert.is(await redeem(first.id, numbered(1, 32)), 'ok')
  assert.is(await code(access.createCode()), 'ok')
  assert.is(await code(access.createCode()), 'QUOTA')
})

test('1,024 devices may host, one more is QUOTA and keeps its code, and those that may go on redeeming', async () => {
  const { access, settle, redeem } = await opened()
  for (let n = 0; n < limits.hostsMax; n += 1) {
    const { id } = await settle(access.createCode())
    assert.is(await redeem(id, numbered(n, 32)), 'ok')
  }
  const { id } = await settle(access.createCode())

  assert.is(access.hostCount, limits.hostsMax)
  assert.is(await redeem(id, numbered(limits.hostsMax, 32)), 'QUOTA')
  assert.is(access.mayHost(numbered(limits.hostsMax, 32)), false)
  assert.is(await redeem(id, numbered(0, 32)), 'ok')
})

test('1,024 databases may be registered, one more is QUOTA, and one that is there may be named again', async () => {
  const { access, settle, code } = await opened()
  const register = (n: number): Promise<void> =>
    access.registerDatabase({ name: `db-${n}`, spaceId: numbered(n, 16), deviceKey: numbered(0, 32) })
  for (let n = 0; n < limits.databasesMax; n += 1) await settle(register(n))

  assert.is(await code(register(limits.databasesMax)), 'QUOTA')
  assert.is(await code(register(0)), 'ok')
  assert.is(access.databases().length, limits.databasesMax)
})

test('a database name of 64 characters is taken, one of 65 is BAD_VALUE', async () => {
  const { access, code } = await opened()
  const register = (length: number): Promise<void> =>
    access.registerDatabase({
      name: 'x'.repeat(length),
      spaceId: numbered(1, 16),
      deviceKey: numbered(0, 32),
    })

  assert.is(await code(register(limits.databaseNameCharsMax)), 'ok')
  assert.is(await code(register(limits.databaseNameCharsMax + 1)), 'BAD_VALUE')
})

test('1,024 invites of all spaces are kept, expired ones for a week, and one more is QUOTA until then', async () => {
  const stage = await opened()
  const { access, settle, code, redeem, simulation } = stage
  const spare = invite(stage, limits.invitesMax)
  for (let n = 0; n < limits.invitesMax; n += 1) await settle(access.registerInvite(invite(stage, n)))
  assert.is(await redeem(numbered(0, 16), numbered(1, 32)), 'ok')

  assert.is(await code(access.registerInvite(spare)), 'QUOTA')
  // What the writes took is over by then.
  await simulation.pass(EXPIRES_MS + limits.inviteKeptMs - 60_000)
  assert.is(await code(access.registerInvite(spare)), 'QUOTA')
  assert.is(await redeem(numbered(0, 16), numbered(1, 32)), 'ok', 'its device may still finish')
  await simulation.pass(120_000)

  assert.is(await code(access.registerInvite(spare)), 'ok')
  assert.is(await redeem(numbered(0, 16), numbered(1, 32)), 'CODE_INVALID')
})

test('the box of an invite has 40,960 bytes, and one more is TOO_LARGE', async () => {
  const stage = await opened()
  const { access, code } = stage
  const register = (n: number, bytes: number): Promise<void> =>
    access.registerInvite(invite(stage, n, { box: new Uint8Array(bytes) }))

  assert.is(await code(register(1, limits.inviteBoxBytesMax)), 'ok')
  assert.is(await code(register(2, limits.inviteBoxBytesMax + 1)), 'TOO_LARGE')
  assert.is(access.psk(numbered(2, 16)), undefined)
})

test.run()
