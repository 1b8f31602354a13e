/** What the devices of a space may do at a supervisor, role by role: open it, invite to it, hang names on it. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createInvite } from '../../actors/team/invite.ts'
import type { EntryBody, Role, Team } from '../../actors/team/index.ts'
import { nodeCrypto } from '../../runtime/index.ts'
import type { SpecDevice } from './device.ts'
import { endpoint, spaceId, Stage } from './stage.ts'
import { codeOf } from './world.ts'

const roles: readonly Role[] = ['admin', 'writer', 'reader', 'relay']

interface TeamStage {
  readonly stage: Stage
  readonly owner: SpecDevice
  readonly members: ReadonlyMap<Role, SpecDevice>
  /** An invite whose entry is in the team, as a device would register it. */
  readonly invite: Invite
}

interface Invite {
  readonly inviteId: Uint8Array
  readonly spaceId: Uint8Array
  readonly channelKey: Uint8Array
  readonly role: number
  readonly expiresMs: number
  readonly box: Uint8Array
}

/** A supervisor that hosts the space, and has learned of a device of each role by its entries alone. */
async function opened(): Promise<TeamStage> {
  const stage = new Stage()
  let supervisor = await stage.start()
  const owner = await stage.host(supervisor, 'owner')
  await stage.world.settle((await stage.connect(owner)).registerDatabase('bugs', spaceId))
  await stage.world.settle(supervisor.stop())
  const members = new Map(roles.map((role) => [role, stage.device(role)]))
  const { inviteId, keys } = createInvite({ crypto: nodeCrypto, env: owner.env, spaceId })
  const expiresMs = owner.env.now() + 600_000

  const author = (body: EntryBody) => (team: Team) => [
    team.authorEntry({ body, signer: owner.identity.signer, nowMs: owner.env.now() }),
  ]
  await stage.learn(author({ type: 'create', spaceId, keys: owner.identity.keys }))
  for (const [role, { identity }] of members)
    await stage.learn(author({ type: 'add', role, keys: identity.keys }))
  const joinKey = keys.joinSigner.publicKey
  await stage.learn(author({ type: 'invite', inviteId, joinKey, role: 'writer', expiresMs }))
  supervisor = await stage.start()
  const { channelKey } = keys
  const box = new Uint8Array(80)
  return { stage, owner, members, invite: { inviteId, spaceId, channelKey, role: 3, expiresMs, box } }
}

/** `ok` when nothing comes back within a second. */
async function opens({ stage }: TeamStage, device: SpecDevice): Promise<string> {
  const connected = await stage.connect(device)
  const rest = new Promise<{ code: string }>((resolve) =>
    device.env.after(1_000, () => resolve({ code: 'ok' })),
  )
  const { code } = await stage.world.settle(Promise.race([connected.open(spaceId), rest]))
  connected.close()
  return code
}

async function invites({ stage }: TeamStage, device: SpecDevice, invite: Invite): Promise<string> {
  const connected = await stage.connect(device)
  const asked = stage.world.settle(connected.registerInvite(invite))
  return asked.then(
    () => 'ok',
    () => codeOf(asked),
  )
}

test('a device of the team opens the space whatever its role, though it has redeemed nothing here; a stranger does not', async () => {
  const all = await opened()

  for (const [role, device] of all.members) assert.is(await opens(all, device), 'ok', role)
  assert.is(await opens(all, all.owner), 'ok')
  assert.is(await opens(all, all.stage.device('stranger')), 'FORBIDDEN')
})

test('owner and admin register an invite; writer, reader and relay are FORBIDDEN, and leave nothing that could be redeemed', async () => {
  const all = await opened()
  const { stage, members, invite } = all

  for (const role of ['writer', 'reader', 'relay'] as const) {
    const device = members.get(role) ?? all.owner
    assert.is(await invites(all, device, invite), 'FORBIDDEN', role)
  }
  const pairing = { id: invite.inviteId, psk: invite.channelKey, serverKey: stage.serverKey, endpoint }
  assert.is(await codeOf(stage.world.settle(stage.device('phone').pair(pairing))), 'CODE_INVALID')
  assert.is(await invites(all, members.get('admin') ?? all.owner, invite), 'ok')
  assert.is(await invites(all, all.owner, invite), 'ok')
})

test('an invite of another role or expiry than its signed entry has is refused', async () => {
  const all = await opened()
  const { owner, invite } = all

  assert.is(await invites(all, owner, { ...invite, role: 2 }), 'PROTOCOL_VIOLATION')
  assert.is(await invites(all, owner, { ...invite, expiresMs: invite.expiresMs + 1 }), 'PROTOCOL_VIOLATION')
  assert.is(await invites(all, owner, { ...invite, inviteId: new Uint8Array(16) }), 'NOT_SYNCED')
  assert.is(await invites(all, owner, invite), 'ok')
})

test('a device of the team that may not host registers no name for it', async () => {
  const { stage, members } = await opened()
  const connected = await stage.connect(members.get('admin') ?? stage.device('nobody'))

  assert.is(await codeOf(stage.world.settle(connected.registerDatabase('more', spaceId))), 'FORBIDDEN')
})

test.run()
