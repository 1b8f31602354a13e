/**
 * The members of one space, from its signed log and the announcements of their replicas.
 * Invariant: what it says is a function of the set of entries it holds; nothing unauthentic is ever held.
 */
import {
  BlazeError,
  bytesKey,
  compareBytes,
  concatBytes,
  equalBytes,
  limits,
  toHex,
} from '../../runtime/index.ts'
import type { CryptoProvider, ErrorCode, Signer } from '../../runtime/index.ts'
import type { StoreReader } from '../replica/index.ts'
import { parseAnnouncement, verifyAnnouncement } from './announcement.ts'
import type { Announcement } from './announcement.ts'
import { encodeEntry, ENTRY_PARENTS_MAX, entryHash } from './entry.ts'
import type { EntryBody } from './entry.ts'
import { MembershipLog } from './log.ts'
import { judge } from './member.ts'
import type { Invite, Member, Standing } from './member.ts'
import { mayAdminister, mayWrite } from './role.ts'
import type { Role } from './role.ts'
import { announcementRow, entryRow, parseTeamRowKey, teamRowRanges } from './row.ts'
import type { TeamPut } from './row.ts'

/** A device of the team behind a replica id. */
export interface TeamDevice {
  readonly signKey: Uint8Array
  readonly role: Role | 'suspended'
  readonly mayWrite: boolean
  /** It has left this id for another, past this seq: the lowest fork point that it has announced. */
  readonly closedAfter: number | undefined
  /** Did this device sign the message? Never throws. */
  verify(message: Uint8Array, signature: Uint8Array): boolean
}

export interface TeamAdditions {
  /** In any order. */
  readonly entries?: readonly Uint8Array[]
  readonly announcements?: readonly Uint8Array[]
}

export interface TeamChange {
  readonly added: { readonly entries: number; readonly announcements: number }
  /** To be stored before anything relies on them. */
  readonly operations: TeamPut[]
  /** Well-formed announcements that do not count here, now. */
  readonly refused: { readonly code: ErrorCode; readonly message: string }[]
}

export interface Team {
  readonly spaceId: Uint8Array
  /** Over all entries and announcements, PROTOCOL §5. Equal on two replicas that hold the same. */
  readonly digest: Uint8Array
  /** Hashes of the entries that no other names, ascending. */
  readonly heads: readonly Uint8Array[]
  /** Takes what was stored, authenticating it again. Once, on an empty team. Rejects with `DAMAGED`. */
  loadFrom(store: StoreReader): Promise<void>
  /** The same from rows in order of their keys. Throws `DAMAGED`. */
  load(rows: Iterable<readonly [key: Uint8Array, value: Uint8Array]>): void
  /**
   * Takes what a peer or this device made. Throws, and then nothing was added: `PROTOCOL_VIOLATION`, `BAD_SIGNATURE`,
   * `NOT_SUPPORTED` (reserved entry type), `TOO_LARGE` (full). Refused in the answer: `NOT_A_MEMBER`, and `FORBIDDEN` for a
   * replica id that is announced already.
   */
  add(additions: TeamAdditions): TeamChange
  /** In the one order of the log: parents before children. */
  entries(): Uint8Array[]
  announcements(): Uint8Array[]
  /** Is this entry in the log, with or without effect? */
  has(entryHash: Uint8Array): boolean
  /** Why an entry of the log has no effect; undefined when it has. */
  voidReason(entryHash: Uint8Array): string | undefined
  role(signKey: Uint8Array): Role | 'suspended' | undefined
  members(): Member[]
  invite(inviteId: Uint8Array): Invite | undefined
  /** Undefined for an id that no device of the team has announced. */
  device(replicaId: Uint8Array): TeamDevice | undefined
  /**
   * Signs an entry onto the present heads; `add` takes it. `FORBIDDEN` when the signer may not author it, so that no void
   * entry is made knowingly.
   */
  authorEntry(draft: { body: EntryBody; signer: Signer; nowMs: number }): Uint8Array
}

export function createTeam(options: { spaceId: Uint8Array; crypto: CryptoProvider }): Team {
  if (options.spaceId.length !== 16)
    throw new TypeError(`spaceId: expected 16 bytes, got ${options.spaceId.length}`)
  return new LoggedTeam(options.spaceId, options.crypto)
}

interface KeptAnnouncement {
  readonly bytes: Uint8Array
  readonly replicaId: Uint8Array
  readonly signKey: Uint8Array
  readonly predecessor: Announcement['predecessor']
}

/** Everything computed from what is held; thrown away by every change. */
interface View {
  readonly standing: Standing
  readonly entries: Uint8Array[]
  readonly heads: Uint8Array[]
  digest: Uint8Array | undefined
  /** By replica id. */
  readonly devices: Map<string, TeamDevice | undefined>
}

class LoggedTeam implements Team {
  readonly spaceId: Uint8Array
  readonly #crypto: CryptoProvider
  readonly #log: MembershipLog
  /** By replica id. */
  readonly #announcements = new Map<string, KeptAnnouncement>()
  #view: View | undefined

  constructor(spaceId: Uint8Array, crypto: CryptoProvider) {
    this.spaceId = spaceId
    this.#crypto = crypto
    this.#log = new MembershipLog(spaceId, crypto)
  }

  get digest(): Uint8Array {
    const view = this.#read()
    view.digest ??= this.#crypto.sha256(
      concatBytes(
        [...view.entries, ...this.announcements()]
          .map((bytes) => this.#crypto.sha256(bytes))
          .sort(compareBytes),
      ),
    )
    return view.digest
  }

  get heads(): readonly Uint8Array[] {
    return this.#read().heads
  }

  async loadFrom(store: StoreReader): Promise<void> {
    const limit = limits.teamEntriesMax + limits.announcementsMax
    for (const rows of await Promise.all(teamRowRanges.map((range) => store.range({ ...range, limit }))))
      this.load(rows)
  }

  load(rows: Iterable<readonly [key: Uint8Array, value: Uint8Array]>): void {
    try {
      const entries: Uint8Array[] = []
      for (const [key, bytes] of rows) {
        const row = parseTeamRowKey(key)
        if (row.kind === 'announcement') this.#keep(this.#authentic(bytes, row.replicaId))
        else if (row.order === entries.length && equalBytes(row.hash, entryHash(bytes, this.#crypto)))
          entries.push(bytes)
        else throw new BlazeError('DAMAGED', `log entry ${entries.length} is missing or not its own`)
      }
      this.#log.insert(entries)
      this.#view = undefined
    } catch (cause) {
      if (!(cause instanceof BlazeError)) throw cause
      throw new BlazeError('DAMAGED', `the stored team does not verify: ${cause.message}`, { cause })
    }
  }

  add(additions: TeamAdditions): TeamChange {
    const operations: TeamPut[] = []
    const refused: { code: ErrorCode; message: string }[] = []
    const news = (additions.announcements ?? []).filter((bytes) => !this.#holds(bytes))
    if (this.#announcements.size + news.length > limits.announcementsMax)
      throw new BlazeError('TOO_LARGE', `a team takes at most ${limits.announcementsMax} announcements`)
    // Everything that throws for announcements comes before the log changes.
    const claims = news.map((bytes) => this.#authentic(bytes))
    const fresh = this.#log.insert(additions.entries ?? [])
    for (const { order, hash, bytes } of fresh) operations.push(entryRow(order, hash, bytes))
    if (fresh.length > 0) this.#view = undefined
    let kept = 0
    for (const claim of claims) {
      if (this.#holds(claim.bytes)) continue
      const name = toHex(claim.replicaId)
      if (this.#announcements.has(bytesKey(claim.replicaId))) {
        refused.push({ code: 'FORBIDDEN', message: `replica id ${name} is announced already` })
      } else if (this.role(claim.signKey) === undefined) {
        refused.push({ code: 'NOT_A_MEMBER', message: `replica id ${name} is announced by a stranger` })
      } else {
        this.#keep(claim)
        operations.push(announcementRow(claim.replicaId, claim.bytes))
        kept += 1
      }
    }
    return { added: { entries: fresh.length, announcements: kept }, operations, refused }
  }

  entries(): Uint8Array[] {
    return [...this.#read().entries]
  }

  announcements(): Uint8Array[] {
    return [...this.#announcements.values()].map(({ bytes }) => bytes)
  }

  has(entryHash: Uint8Array): boolean {
    return this.#log.has(entryHash)
  }

  voidReason(entryHash: Uint8Array): string | undefined {
    return this.#read().standing.voids.get(toHex(entryHash))
  }

  role(signKey: Uint8Array): Role | 'suspended' | undefined {
    const member = this.#read().standing.members.get(toHex(signKey))
    return member?.suspended === true ? 'suspended' : member?.role
  }

  members(): Member[] {
    return [...this.#read().standing.members.values()].map(({ keys, role, suspended }) => ({
      keys,
      role,
      suspended,
    }))
  }

  invite(inviteId: Uint8Array): Invite | undefined {
    return this.#read().standing.invites.get(toHex(inviteId))
  }

  device(replicaId: Uint8Array): TeamDevice | undefined {
    const { devices } = this.#read()
    const key = bytesKey(replicaId)
    const cached = devices.get(key)
    if (cached !== undefined) return cached
    const device = this.#deviceOf(this.#announcements.get(key))
    // Strangers are not cached: their number has no bound.
    if (device !== undefined) devices.set(key, device)
    return device
  }

  authorEntry({ body, signer, nowMs }: { body: EntryBody; signer: Signer; nowMs: number }): Uint8Array {
    const role = this.role(signer.publicKey)
    const changesTeam = body.type === 'add' || body.type === 'invite'
    if (changesTeam && (role === undefined || role === 'suspended' || !mayAdminister(role)))
      throw new BlazeError(
        'FORBIDDEN',
        `expected an owner or admin to author "${body.type}", got ${role ?? 'a stranger'}`,
      )
    const parents = this.heads.slice(0, ENTRY_PARENTS_MAX)
    return encodeEntry({ spaceId: this.spaceId, createdMs: nowMs, parents, body, signer }, this.#crypto)
  }

  #read(): View {
    if (this.#view === undefined) {
      const ordered = this.#log.ordered()
      this.#view = {
        standing: judge(ordered),
        entries: ordered.map(({ bytes }) => bytes),
        heads: this.#log.heads(),
        digest: undefined,
        devices: new Map(),
      }
    }
    return this.#view
  }

  #deviceOf(announcement: KeptAnnouncement | undefined): TeamDevice | undefined {
    if (announcement === undefined) return undefined
    const member = this.#read().standing.members.get(toHex(announcement.signKey))
    if (member === undefined) return undefined
    const { verifier } = member.device
    return {
      signKey: announcement.signKey,
      role: member.suspended ? 'suspended' : member.role,
      mayWrite: !member.suspended && mayWrite(member.role),
      closedAfter: this.#closedAfter(announcement),
      verify: (message, signature) => verifier.verify(message, signature),
    }
  }

  /** Only the device itself can leave an id. */
  #closedAfter({ replicaId, signKey }: KeptAnnouncement): number | undefined {
    let lowest: number | undefined
    for (const { predecessor, signKey: by } of this.#announcements.values()) {
      if (predecessor === undefined || !equalBytes(predecessor.replicaId, replicaId)) continue
      if (equalBytes(by, signKey)) lowest = Math.min(lowest ?? Infinity, predecessor.forkPoint)
    }
    return lowest
  }

  /** A copy of what its device signed for this space (and this replica id), member or not. */
  #authentic(received: Uint8Array, expectedId?: Uint8Array): KeptAnnouncement {
    const bytes = received.slice()
    const announcement = parseAnnouncement(bytes)
    const { replicaId, signKey, spaceId, predecessor } = announcement
    if (!equalBytes(spaceId, this.spaceId))
      throw new BlazeError('PROTOCOL_VIOLATION', 'an announcement is for another space')
    if (expectedId !== undefined && !equalBytes(replicaId, expectedId))
      throw new BlazeError('PROTOCOL_VIOLATION', 'an announcement is for another replica id')
    if (!verifyAnnouncement(announcement, this.#crypto.createVerifier(signKey)))
      throw new BlazeError(
        'BAD_SIGNATURE',
        `the announcement of replica id ${toHex(replicaId)} does not verify`,
      )
    return { bytes, replicaId, signKey, predecessor }
  }

  #holds(bytes: Uint8Array): boolean {
    const known = this.#announcements.get(bytesKey(parseAnnouncement(bytes).replicaId))
    return known !== undefined && equalBytes(known.bytes, bytes)
  }

  #keep(announcement: KeptAnnouncement): void {
    this.#announcements.set(bytesKey(announcement.replicaId), announcement)
    // The standing does not depend on announcements; only what is computed from them is thrown away.
    if (this.#view === undefined) return
    this.#view.digest = undefined
    if (announcement.predecessor !== undefined)
      this.#view.devices.delete(bytesKey(announcement.predecessor.replicaId))
  }
}
