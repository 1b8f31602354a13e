/**
 * Who stands where in a team, judged from the ordered log alone.
 * Invariant: pure; an entry whose author lacks the right at its place is void: it stays in the log and changes nothing.
 */
import { assert, toHex } from '../../runtime/index.ts'
import type { DeviceKeys } from './device.ts'
import { isAncestor } from './log.ts'
import type { EntryDevice, LogEntry } from './log.ts'
import { mayAdminister, mayBeInvited, mayGrant } from './role.ts'
import type { Role } from './role.ts'

export interface Member {
  readonly keys: DeviceKeys
  /** What was granted; without effect while suspended. */
  readonly role: Role
  /** One of several concurrent joins on one invite: holds until an owner or admin adds the device. */
  readonly suspended: boolean
}

export interface Invite {
  readonly inviteId: Uint8Array
  readonly entryHash: Uint8Array
  readonly role: Role
  readonly expiresMs: number
  /** `contested`: several devices joined by it concurrently. */
  readonly state: 'open' | 'used' | 'contested'
}

export interface Standing {
  /** By Ed25519 key, hexadecimal. */
  readonly members: ReadonlyMap<string, Member & { readonly device: EntryDevice }>
  /** By invite id, hexadecimal. */
  readonly invites: ReadonlyMap<string, Invite>
  /** Why an entry has no effect, by entry id. */
  readonly voids: ReadonlyMap<string, string>
}

/** A member while the log is read. */
interface Place {
  readonly device: EntryDevice
  readonly role: Role
  suspended: boolean
}

interface Offer {
  readonly entry: LogEntry
  readonly inviteId: Uint8Array
  readonly role: Role
  readonly expiresMs: number
  /** Joins that were not void, in order; `place` is what each gave. */
  readonly joins: { readonly entry: LogEntry; readonly place: Place }[]
}

/** What the entries read so far amount to. */
interface Table {
  /** By Ed25519 key, hexadecimal. */
  readonly places: Map<string, Place>
  /** By id of the invite entry. */
  readonly offers: Map<string, Offer>
  /** Hexadecimal. */
  readonly inviteIds: Set<string>
}

/** `log` in the order of REPLICATION rule 27. */
export function judge(log: readonly LogEntry[]): Standing {
  const table: Table = { places: new Map(), offers: new Map(), inviteIds: new Set() }
  const { places, offers } = table
  const voids = new Map<string, string>()
  for (const entry of log) {
    const reason = apply(entry, table)
    if (reason !== undefined) voids.set(entry.id, reason)
  }
  return {
    members: new Map(
      [...places].map(([id, { device, role, suspended }]) => [
        id,
        { keys: device.keys, role, suspended, device },
      ]),
    ),
    invites: new Map(
      [...offers.values()].map((offer) => [toHex(offer.inviteId), describeOffer(offer)] as const),
    ),
    voids,
  }
}

/** Changes the places, or returns why the entry is void. */
function apply(entry: LogEntry, { places, offers, inviteIds }: Table): string | undefined {
  const { body } = entry.entry
  const { device } = entry
  switch (body.type) {
    case 'create':
      assert(device !== undefined, 'a create names a device')
      places.set(device.id, { device, role: 'owner', suspended: false })
      return undefined
    case 'add': {
      assert(device !== undefined, 'an add names a device')
      if (!mayGrant(rightOf(entry.author, places), body.role)) return 'its author may not give this role'
      const known = places.get(device.id)
      if (known !== undefined && !known.suspended) return 'the device is already a member'
      // A new place, not a changed one: a later rival on the old invite cannot suspend what an admin confirmed.
      places.set(device.id, { device, role: body.role, suspended: false })
      return undefined
    }
    case 'invite': {
      if (!mayAdminister(rightOf(entry.author, places))) return 'its author may not invite'
      if (!mayBeInvited(body.role)) return 'an invite gives writer or reader only'
      const id = toHex(body.inviteId)
      if (inviteIds.has(id)) return 'the invite id is taken'
      inviteIds.add(id)
      const { inviteId, role, expiresMs } = body
      offers.set(entry.id, { entry, inviteId, role, expiresMs, joins: [] })
      return undefined
    }
    case 'join': {
      assert(device !== undefined, 'a join names a device')
      return applyJoin(entry, device, places, offers.get(toHex(body.inviteHash)))
    }
  }
}

function applyJoin(
  entry: LogEntry,
  device: EntryDevice,
  places: Map<string, Place>,
  offer: Offer | undefined,
): string | undefined {
  if (offer === undefined) return 'its invite is void'
  if (places.has(device.id)) return 'the device is already in the team'
  if (offer.joins.some((earlier) => isAncestor(earlier.entry, entry))) return 'the invite was already used'
  const contested = offer.joins.length > 0
  const place: Place = { device, role: offer.role, suspended: contested }
  if (contested) for (const rival of offer.joins) rival.place.suspended = true
  offer.joins.push({ entry, place })
  places.set(device.id, place)
  return undefined
}

/** The author's role at this place in the order; a reader has no right and stands for everyone without. */
function rightOf(author: string, places: ReadonlyMap<string, Place>): Role {
  const place = places.get(author)
  return place === undefined || place.suspended ? 'reader' : place.role
}

function describeOffer({ entry, inviteId, role, expiresMs, joins }: Offer): Invite {
  const state = joins.length === 0 ? 'open' : joins.length === 1 ? 'used' : 'contested'
  return { inviteId, entryHash: entry.hash, role, expiresMs, state }
}
