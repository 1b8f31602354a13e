/** Devices and entries that anyone can make again, for the specs of the team. */
import { nodeCrypto } from '../../../runtime/index.ts'
import type { Env } from '../../../runtime/index.ts'
import {
  createTeam,
  deriveInviteKeys,
  encodeAnnouncement,
  encodeEntry,
  entryHash,
  openDeviceIdentity,
  signJoin,
} from '../../../actors/team/index.ts'
import type { DeviceIdentity, EntryBody, InviteKeys, Role, Team } from '../../../actors/team/index.ts'

/** 32 bytes, or fewer, that follow from the label alone. */
export function derive(label: string, length = 32): Uint8Array {
  return nodeCrypto.sha256(new TextEncoder().encode(`blazedb team: ${label}`)).slice(0, length)
}

export const spaceId: Uint8Array = derive('space', 16)
export const startMs = 1_700_000_000_000

const made = new Map<string, DeviceIdentity>()
const derived = new Map<string, InviteKeys>()

export function device(name: string): DeviceIdentity {
  const known = made.get(name)
  if (known !== undefined) return known
  const identity = openDeviceIdentity({
    crypto: nodeCrypto,
    signSeed: derive(`${name} sign seed`),
    dhScalar: derive(`${name} dh scalar`),
  })
  made.set(name, identity)
  return identity
}

/** An `Env` that gives the same entropy every time; nothing else of it is used here. */
export function fixedEntropy(label: string): Env {
  let drawn = 0
  const entropy = (length: number): Uint8Array => derive(`${label} entropy ${drawn++}`, length)
  return { entropy } as Partial<Env> as Env
}

/** An entry of any author onto any parents, rightful or not. */
export function entry(author: string, body: EntryBody, parents: readonly Uint8Array[]): Uint8Array {
  const draft = { spaceId, createdMs: startMs, parents, body, signer: device(author).signer }
  return encodeEntry(draft, nodeCrypto)
}

export function hashOf(bytes: Uint8Array): Uint8Array {
  return entryHash(bytes, nodeCrypto)
}

export const create: Uint8Array = entry('owner', { type: 'create', spaceId, keys: device('owner').keys }, [])

export function addBody(name: string, role: Role): EntryBody {
  return { type: 'add', role, keys: device(name).keys }
}

function inviteKeys(name: string): InviteKeys {
  const known = derived.get(name)
  if (known !== undefined) return known
  const keys = deriveInviteKeys({ crypto: nodeCrypto, secret: derive(`${name} secret`), spaceId })
  derived.set(name, keys)
  return keys
}

export function inviteBody(name: string, role: Role = 'writer'): EntryBody {
  const joinKey = inviteKeys(name).joinSigner.publicKey
  return { type: 'invite', inviteId: derive(`${name} id`, 16), joinKey, role, expiresMs: startMs + 900_000 }
}

/** The body of a join by the invite `name`, whose entry has this hash. */
export function joinBody(name: string, inviteHash: Uint8Array, newcomer: string): EntryBody {
  const { joinSigner } = inviteKeys(name)
  const { keys } = device(newcomer)
  return {
    type: 'join',
    inviteHash,
    keys,
    joinSignature: signJoin({ joinSigner, spaceId, inviteHash, keys }),
  }
}

export function announcement(name: string, replica: string = name): Uint8Array {
  return encodeAnnouncement({ spaceId, replicaId: replicaId(replica), n: 1, signer: device(name).signer })
}

export function replicaId(name: string): Uint8Array {
  return derive(`${name} replica`, 8)
}

/** A team that holds these entries. */
export function teamOf(...entries: Uint8Array[]): Team {
  const team = createTeam({ spaceId, crypto: nodeCrypto })
  team.add({ entries })
  return team
}

export function roleOf(team: Team, name: string): Role | 'suspended' | undefined {
  return team.role(device(name).keys.signKey)
}

/** Authors by the team's own means, adds, and returns the entry. */
export function act(team: Team, author: string, body: EntryBody): Uint8Array {
  const bytes = team.authorEntry({ body, signer: device(author).signer, nowMs: startMs })
  team.add({ entries: [bytes] })
  return bytes
}
