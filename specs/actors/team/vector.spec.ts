/**
 * The frozen bytes of PROTOCOL §1, §4, §5, §9 and §11 in `specs/vectors/team.json`, made and read by both crypto providers.
 * `REWRITE=1` writes the file anew; read the diff.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import {
  createTeam,
  deriveInviteKeys,
  encodeAnnouncement,
  encodeDeviceKeys,
  encodeEntry,
  enrolmentPsk,
  entryHash,
  formatCode,
  openBox,
  openDeviceIdentity,
  parseCode,
  sealBox,
  signJoin,
} from '../../../actors/team/index.ts'
import type { DeviceIdentity, EntryBody, Team } from '../../../actors/team/index.ts'
import { fromHex, nodeCrypto, toHex } from '../../../runtime/index.ts'
import { nobleCrypto } from '../../../runtime/crypto/noble-crypto.ts'
import type { CryptoProvider, Env } from '../../../runtime/index.ts'
import { derive } from './roster.ts'

const path = new URL('../../vectors/team.json', import.meta.url)
const createdMs = 1_700_000_000_000
const expiresMs = createdMs + 900_000
const deviceNames = ['owner', 'relay', 'newcomer'] as const

/** Everything that is chosen; hexadecimal. */
interface Inputs {
  readonly spaceId: string
  readonly devices: Readonly<Record<string, { readonly signSeed: string; readonly dhScalar: string }>>
  readonly invite: { readonly id: string; readonly secret: string }
  readonly box: {
    readonly nonce: string
    readonly tagKey: string
    readonly epoch: number
    readonly key: string
  }
  readonly code: { readonly id: string; readonly secret: string }
  readonly replicaIds: { readonly owner: string; readonly restored: string }
}

function makeInputs(): Inputs {
  const hex = (label: string, length?: number): string => toHex(derive(`vector ${label}`, length))
  const secrets = (name: string): { signSeed: string; dhScalar: string } => ({
    signSeed: hex(`${name} sign seed`),
    dhScalar: hex(`${name} dh scalar`),
  })
  return {
    spaceId: hex('space id', 16),
    devices: Object.fromEntries(deviceNames.map((name) => [name, secrets(name)])),
    invite: { id: hex('invite id', 16), secret: hex('invite secret') },
    box: { nonce: hex('box nonce', 12), tagKey: hex('tag key'), epoch: 1, key: hex('epoch key') },
    code: { id: hex('code id', 16), secret: hex('code secret') },
    replicaIds: { owner: hex('owner replica', 8), restored: hex('restored replica', 8) },
  }
}

/** What follows from the inputs by the protocol. */
function makeOutputs(inputs: Inputs, crypto: CryptoProvider): Record<string, unknown> {
  const spaceId = fromHex(inputs.spaceId)
  const identity = (name: string): DeviceIdentity => openIdentity(inputs, name, crypto)
  const write = (author: string, body: EntryBody, parents: Uint8Array[]): Uint8Array =>
    encodeEntry({ spaceId, createdMs, parents, body, signer: identity(author).signer }, crypto)
  const hash = (bytes: Uint8Array): Uint8Array => entryHash(bytes, crypto)

  const inviteId = fromHex(inputs.invite.id)
  const invite = deriveInviteKeys({ crypto, secret: fromHex(inputs.invite.secret), spaceId })
  const joinKey = invite.joinSigner.publicKey
  const newcomer = identity('newcomer').keys

  const create = write('owner', { type: 'create', spaceId, keys: identity('owner').keys }, [])
  const relay = write('owner', { type: 'add', role: 'relay', keys: identity('relay').keys }, [hash(create)])
  const offer = write('owner', { type: 'invite', inviteId, joinKey, role: 'writer', expiresMs }, [
    hash(create),
  ])
  const inviteHash = hash(offer)
  const joinSignature = signJoin({ joinSigner: invite.joinSigner, spaceId, inviteHash, keys: newcomer })
  const join = write('newcomer', { type: 'join', inviteHash, keys: newcomer, joinSignature }, [
    hash(relay),
    inviteHash,
  ])
  const announcements = makeAnnouncements(inputs, identity('owner'))
  const entries = [create, relay, offer, join]

  const team = createTeam({ spaceId, crypto })
  team.add({ entries, announcements })
  const epochs = [{ epoch: inputs.box.epoch, key: fromHex(inputs.box.key) }]
  const contents = { spaceId, tagKey: fromHex(inputs.box.tagKey), inviteHash, epochs }
  const env = { entropy: () => fromHex(inputs.box.nonce) } as Partial<Env> as Env
  const serverKey = identity('relay').keys.dhKey
  const at = { host: 'pi.example.org', port: 8080, serverKey }
  const codeId = fromHex(inputs.code.id)
  const codeSecret = fromHex(inputs.code.secret)
  return {
    deviceKeys: Object.fromEntries(
      deviceNames.map((name) => [name, toHex(encodeDeviceKeys(identity(name).keys))]),
    ),
    entries: { create: toHex(create), relay: toHex(relay), invite: toHex(offer), join: toHex(join) },
    entryHashes: entries.map(hash).map(toHex),
    order: team.entries().map(hash).map(toHex),
    announcements: announcements.map(toHex),
    teamDigest: toHex(team.digest),
    roles: rolesOf(team, inputs, crypto),
    rows: rowsOf(crypto, spaceId, entries, announcements),
    inviteKeys: {
      channel: toHex(invite.channelKey),
      box: toHex(invite.boxKey),
      joinPublic: toHex(joinKey),
    },
    box: toHex(sealBox({ crypto, env, boxKey: invite.boxKey, inviteId, contents })),
    enrolmentPsk: toHex(enrolmentPsk(crypto, { codeId, secret: codeSecret })),
    enrolmentUrl: formatCode({ kind: 'enroll', ...at, codeId, secret: codeSecret }),
    inviteUrl: formatCode({
      kind: 'invite',
      ...at,
      host: '::1',
      inviteId,
      secret: fromHex(inputs.invite.secret),
      spaceId,
      inviteHash,
    }),
  }
}

function openIdentity(inputs: Inputs, name: string, crypto: CryptoProvider): DeviceIdentity {
  const { signSeed = '', dhScalar = '' } = inputs.devices[name] ?? {}
  return openDeviceIdentity({ crypto, signSeed: fromHex(signSeed), dhScalar: fromHex(dhScalar) })
}

function makeAnnouncements(inputs: Inputs, owner: DeviceIdentity): Uint8Array[] {
  const spaceId = fromHex(inputs.spaceId)
  const { signer } = owner
  const first = fromHex(inputs.replicaIds.owner)
  const restored = fromHex(inputs.replicaIds.restored)
  const predecessor = { replicaId: first, forkPoint: 2 ** 33 + 7 }
  return [
    encodeAnnouncement({ spaceId, replicaId: first, n: 1, signer }),
    encodeAnnouncement({ spaceId, replicaId: restored, n: 2, predecessor, signer }),
  ]
}

function rolesOf(team: Team, inputs: Inputs, crypto: CryptoProvider): Record<string, string | undefined> {
  return Object.fromEntries(
    deviceNames.map((name) => [name, team.role(openIdentity(inputs, name, crypto).keys.signKey)]),
  )
}

/** Keys of the store's rows when the entries arrive one by one. */
function rowsOf(
  crypto: CryptoProvider,
  spaceId: Uint8Array,
  entries: readonly Uint8Array[],
  announcements: readonly Uint8Array[],
): string[] {
  const team = createTeam({ spaceId, crypto })
  const one = entries.flatMap((bytes) => team.add({ entries: [bytes] }).operations)
  return [...one, ...team.add({ announcements }).operations].map(({ key }) => toHex(key))
}

interface VectorFile {
  readonly comment: string
  readonly inputs: Inputs
  readonly outputs: ReturnType<typeof makeOutputs> & {
    readonly entries: Readonly<Record<'create' | 'relay' | 'invite' | 'join', string>>
    readonly announcements: readonly string[]
    readonly teamDigest: string
    readonly entryHashes: readonly string[]
    readonly inviteKeys: { readonly box: string }
    readonly box: string
    readonly enrolmentUrl: string
    readonly inviteUrl: string
  }
}

if (process.env['REWRITE'] === '1') {
  const comment =
    'Frozen bytes of the team, hex. REWRITE=1 in specs/actors/team/vector.spec.ts writes this file.'
  const inputs = makeInputs()
  writeFileSync(
    path,
    `${JSON.stringify({ comment, inputs, outputs: makeOutputs(inputs, nodeCrypto) }, null, 2)}\n`,
  )
  console.log('REWRITTEN: specs/vectors/team.json; read its diff')
}

const { inputs, outputs } = JSON.parse(readFileSync(path, 'utf8')) as VectorFile

for (const crypto of [nodeCrypto, nobleCrypto]) {
  test(`the protocol makes the frozen bytes with ${crypto.name}`, () => {
    assert.equal(makeOutputs(inputs, crypto), outputs)
  })

  test(`the frozen entries and announcements make the frozen team with ${crypto.name}`, () => {
    const team = createTeam({ spaceId: fromHex(inputs.spaceId), crypto })

    const { refused } = team.add({
      entries: Object.values(outputs.entries).map(fromHex),
      announcements: outputs.announcements.map(fromHex),
    })

    assert.equal(refused, [])
    assert.is(toHex(team.digest), outputs.teamDigest)
    assert.equal(rolesOf(team, inputs, crypto), { owner: 'owner', relay: 'relay', newcomer: 'writer' })
    assert.is(team.device(fromHex(inputs.replicaIds.restored))?.mayWrite, true)
  })

  test(`the frozen box opens with ${crypto.name}`, () => {
    const contents = openBox({
      crypto,
      boxKey: fromHex(outputs.inviteKeys.box),
      inviteId: fromHex(inputs.invite.id),
      spaceId: fromHex(inputs.spaceId),
      inviteHash: fromHex(outputs.entryHashes[2] ?? ''),
      box: fromHex(outputs.box),
    })

    assert.is(toHex(contents.tagKey), inputs.box.tagKey)
    assert.equal(
      contents.epochs.map(({ epoch, key }) => [epoch, toHex(key)]),
      [[inputs.box.epoch, inputs.box.key]],
    )
  })
}

test('the frozen URLs parse to the frozen ids', () => {
  const enrolment = parseCode(outputs.enrolmentUrl)
  const invite = parseCode(outputs.inviteUrl)

  assert.is(enrolment.kind === 'enroll' && toHex(enrolment.codeId), inputs.code.id)
  assert.is(invite.kind === 'invite' && toHex(invite.inviteHash), outputs.entryHashes[2])
  assert.is(invite.host, '::1')
})

// Fixed places of PROTOCOL §4 and §5, so that the file cannot drift together with the code.
test('the frozen bytes lie where the protocol says', () => {
  const join = outputs.entries.join
  const signed = '0104' + '018bcfe56800'
  assert.ok(join.startsWith(signed), 'version, type, created')
  assert.is(join.slice(32, 34), '02', 'two parents')
  assert.is(join.slice(34, 34 + 128), outputs.entryHashes.slice(1, 3).toSorted().join(''))
  assert.is(join.slice(162, 166), '00c1', '32 + 97 + 64 bytes of body')
  assert.is(join.length, 2 * (17 + 64 + 2 + 193 + 64))
  const second = outputs.announcements[1] ?? ''
  assert.is(second.slice(114, 122), '00000002', 'n')
  assert.is(second.slice(122, 138), inputs.replicaIds.owner, 'predecessor')
  assert.is(second.slice(138, 150), '000200000007', 'fork point')
  assert.is(second.length, 2 * 139)
})

test.run()
