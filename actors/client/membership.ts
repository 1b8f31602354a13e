/**
 * This device's part in the team's log: what it still has to sign there, and whether it is a member.
 * Invariant: each entry is signed once per opening; one that turned out void is reported, never repeated, or the log would fill up.
 */
import { BlazeError, describeError, equalBytes } from '../../runtime/index.ts'
import { announcementOf, deviceOf, type Database, type DatabaseIdentity } from '../database/index.ts'
import { deriveInviteKeys, parseCode, signJoin } from '../team/index.ts'
import type { DeviceIdentity, InviteCode, Space, TeamAdditions } from '../team/index.ts'
import type { RemoteRecord } from './remote-node.ts'

export class Membership {
  readonly #database: Database
  readonly #remote: RemoteRecord
  readonly #device: DeviceIdentity
  #join: Uint8Array | undefined
  #relaySigned = false
  #signing = false

  constructor(database: Database, remote: RemoteRecord) {
    this.#database = database
    this.#remote = remote
    this.#device = deviceOf(database.identity, database.crypto)
  }

  get device(): DeviceIdentity {
    return this.#device
  }

  /** This device and its supervisor are both in the team as it is known here. */
  holds({ team }: Space): boolean {
    const role = team.role(this.#device.keys.signKey)
    return role !== undefined && role !== 'suspended' && team.role(this.#remote.serverDevice) === 'relay'
  }

  /** Why this device will not become a member by waiting. Ask when the supervisor has told its whole log. */
  problem({ team }: Space): BlazeError | undefined {
    const role = team.role(this.#device.keys.signKey)
    if (role === 'suspended')
      return new BlazeError('NOT_A_MEMBER', 'two devices used one invite: an admin has to confirm this one')
    if (role !== undefined) return undefined
    const invite = inviteOf(this.#database.identity)
    if (invite === undefined) return new BlazeError('NOT_A_MEMBER', 'this device is not in the team')
    if (!team.has(invite.inviteHash))
      return new BlazeError(
        'CODE_INVALID',
        'the supervisor’s log of the team does not have this invite: remove the directory and ask for a new invite',
      )
    const reason = this.#join && team.voidReason(this.#join)
    return reason === undefined
      ? undefined
      : new BlazeError(
          'CODE_USED',
          `the join has no effect: ${reason}; remove the directory, ask for a new invite`,
        )
  }

  /** Signs what is owed, one thing at a time; `settled` is called when that is done, and at once when there is nothing to do. */
  contribute(space: Space, registered: boolean, settled: () => void): void {
    const news = this.#signing ? undefined : this.owed(space, registered)
    if (news === undefined) return settled()
    this.#signing = true
    space
      .learn(news)
      .catch((error: unknown) => {
        this.withdraw()
        this.#database.env.log.error('sync.team', { error: describeError(error) })
      })
      .finally(() => {
        this.#signing = false
        settled()
      })
  }

  /** What `owed` gave last did not reach the store: it is owed again. */
  withdraw(): void {
    this.#join = undefined
    this.#relaySigned = false
  }

  /** What the team lacks from this device: its replica id, the supervisor as a relay, or this device's own join. */
  owed(space: Space, registered: boolean): TeamAdditions | undefined {
    const { team } = space
    const { keys, signer } = this.#device
    const role = team.role(keys.signKey)
    if (role === undefined) return this.#joinOf(space)
    const { identity, crypto } = this.#database
    // Its row, or the log that makes it count, was lost when the database was opened.
    if (team.device(identity.replica) === undefined)
      return { announcements: [announcementOf(identity, crypto)] }
    const { serverDevice, serverKey } = this.#remote
    if ((role !== 'owner' && role !== 'admin') || !registered || this.#relaySigned) return undefined
    if (team.role(serverDevice) !== undefined) return undefined
    this.#relaySigned = true
    const relayKeys = { signKey: serverDevice, dhKey: serverKey }
    const nowMs = this.#database.env.now()
    return {
      entries: [team.authorEntry({ body: { type: 'add', role: 'relay', keys: relayKeys }, signer, nowMs })],
    }
  }

  #joinOf({ team, spaceId }: Space): TeamAdditions | undefined {
    const { identity, crypto, env } = this.#database
    const invite = inviteOf(identity)
    if (invite === undefined || this.#join !== undefined || !team.has(invite.inviteHash)) return undefined
    const { keys, signer } = this.#device
    const { inviteHash, secret } = invite
    const { joinSigner } = deriveInviteKeys({ crypto, secret, spaceId })
    const joinSignature = signJoin({ joinSigner, spaceId, inviteHash, keys })
    const body = { type: 'join', inviteHash, keys, joinSignature } as const
    const entry = team.authorEntry({ body, signer, nowMs: env.now() })
    this.#join = crypto.sha256(entry)
    return {
      entries: [entry],
      announcements: [announcementOf(identity, crypto)],
    }
  }
}

/** The invite of a join that is under way, as the identity keeps it. */
function inviteOf(identity: DatabaseIdentity): InviteCode | undefined {
  if (typeof identity.join !== 'string') return undefined
  const code = parseCode(identity.join)
  return code.kind === 'invite' && equalBytes(code.spaceId, identity.space) ? code : undefined
}
