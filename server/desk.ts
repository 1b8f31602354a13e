/**
 * What one connection may ask of this supervisor: pairing keys, admission, requests of PROTOCOL §9, and spaces.
 *
 * Invariant: a space is handed out only to a device of its team, to the device that registered it, or to one that redeemed an invite
 * of it; what is granted was made durable first.
 */
import {
  DATABASE_REGISTER,
  INVITE_REGISTER,
  mayAdminister,
  parseDatabaseRegistration,
  parseIntroduction,
  parseInviteRegistration,
  roleNumber,
  TEAM_INTRODUCE,
} from '../actors/index.ts'
import type { Admission, ConnectionAccess, ConnectionClient } from '../actors/index.ts'
import { BlazeError, equalBytes, toHex } from '../runtime/index.ts'
import type { Env } from '../runtime/index.ts'
import type { AccessStore, AttemptTable, RateTable, RefusalLog } from './access/index.ts'
import type { Lease, Storage } from './storage.ts'

export interface DeskOptions {
  readonly env: Env
  /** The access store while it is open. */
  access(): AccessStore | undefined
  readonly storage: Storage
  readonly attempts: AttemptTable
  readonly refusals: RefusalLog
  /** Absent: devices may send as fast as they can. */
  readonly rates?: RateTable | undefined
}

export interface Visitor {
  /** Without the port. */
  readonly address: string
  /** Called when the device has proven its keys. */
  proven(): void
  /** Called when a space that it uses is gone: only a new connection gets at its successor. */
  lost(): void
}

export interface Desk extends ConnectionAccess {
  /** The connection is gone: gives back every lease that it did not. */
  close(): void
}

export function createDesk(options: DeskOptions, visitor: Visitor): Desk {
  return new ConnectionDesk(options, visitor)
}

class ConnectionDesk implements Desk {
  readonly #options: DeskOptions
  readonly #visitor: Visitor
  readonly #leases = new Set<Lease>()
  #closed = false
  /** A psk was given out and its owner has not proven that it knows it. */
  #unprovenCode = false
  #device: string | undefined

  constructor(options: DeskOptions, visitor: Visitor) {
    this.#options = options
    this.#visitor = visitor
  }

  psk(id: Uint8Array): Uint8Array | undefined {
    const { attempts } = this.#options
    const { address } = this.#visitor
    if (attempts.exhausted(address))
      throw new BlazeError(
        'BUSY',
        `too many wrong codes came from this address: wait ${Math.ceil(attempts.waitMs(address) / 1_000)} s`,
      )
    const psk = this.#access().psk(id)
    if (psk === undefined) attempts.failed(address)
    else this.#unprovenCode = true
    return psk
  }

  async authorize(client: Omit<ConnectionClient, 'mayHost'>): Promise<Admission> {
    this.#visitor.proven()
    this.#unprovenCode = false
    this.#device = toHex(client.deviceKey)
    const access = this.#access()
    let pairing: Uint8Array = new Uint8Array(0)
    if (client.pattern === 'XXpsk3') {
      const redemption = await access.redeem(client.id, client.deviceKey)
      if (!redemption.ok) return redemption
      this.#options.env.log.info('code.redeemed', { device: this.#device, id: toHex(client.id) })
      pairing = redemption.grant
    }
    return { ok: true, mayHost: access.mayHost(client.deviceKey), pairing }
  }

  async request(client: ConnectionClient, operation: number, body: Uint8Array): Promise<Uint8Array> {
    switch (operation) {
      case DATABASE_REGISTER:
        await this.#registerDatabase(client, body)
        break
      case INVITE_REGISTER:
        await this.#registerInvite(client, body)
        break
      case TEAM_INTRODUCE:
        await this.#introduce(client, body)
        break
      default:
        throw new BlazeError('NOT_SUPPORTED', `operation ${operation} is not known here`)
    }
    return new Uint8Array(0)
  }

  async openSpace(client: ConnectionClient, spaceId: Uint8Array): Promise<Lease> {
    const access = this.#access()
    const host = access.spaceHost(spaceId)
    if (host === undefined) throw new BlazeError('UNKNOWN_SPACE', 'this supervisor does not host the space')
    const lease = await this.#options.storage.lease(spaceId, () => this.#visitor.lost())
    const invited = (): boolean => access.hasRedeemed(spaceId, client.deviceKey)
    if (
      equalBytes(host, client.deviceKey) ||
      lease.space.team.role(client.deviceKey) !== undefined ||
      invited()
    )
      return this.#keep(lease)
    lease.release()
    throw new BlazeError('FORBIDDEN', 'this device does not belong to the space')
  }

  admit(client: ConnectionClient, bytes: number): void {
    this.#options.rates?.take(toHex(client.deviceKey), bytes)
  }

  ended(error: BlazeError, secured: boolean): void {
    // A device that was let in and is gone has done nothing wrong; one whose records are not its own may have.
    const gone = error.code === 'LINK_CLOSED' || error.code === 'TRUNCATED'
    if (secured && gone && error.details['damaged'] !== true) return
    const { address } = this.#visitor
    const { attempts, refusals } = this.#options
    if (this.#unprovenCode && error.code === 'HANDSHAKE_FAILED') attempts.failed(address)
    const device = this.#device === undefined ? {} : { device: this.#device }
    refusals.add({ address, code: error.code, reason: error.message, ...device })
  }

  close(): void {
    this.#closed = true
    for (const lease of this.#leases) lease.release()
    this.#leases.clear()
  }

  #keep(lease: Lease): Lease {
    if (this.#closed) lease.release()
    else this.#leases.add(lease)
    return {
      space: lease.space,
      release: () => {
        this.#leases.delete(lease)
        lease.release()
      },
    }
  }

  async #registerDatabase(client: ConnectionClient, body: Uint8Array): Promise<void> {
    const access = this.#access()
    if (!access.mayHost(client.deviceKey))
      throw new BlazeError(
        'FORBIDDEN',
        'this device may not host spaces here: redeem an enrolment code first',
      )
    const { name, spaceId } = parseDatabaseRegistration(body)
    const bound = access.databases().find((database) => database.name === name)
    if (bound !== undefined && !equalBytes(bound.spaceId, spaceId))
      throw new BlazeError('DATABASE_EXISTS', `the name ${name} is bound to another space here`, {
        details: { name },
      })
    const host = access.spaceHost(spaceId)
    // Whoever learns a space id of others must not hang names on it.
    if (host !== undefined && !equalBytes(host, client.deviceKey))
      (await this.openSpace(client, spaceId)).release()
    await access.registerDatabase({ name, spaceId, deviceKey: client.deviceKey })
    if (bound === undefined)
      this.#options.env.log.info('database.registered', { name, space: toHex(spaceId) })
  }

  async #registerInvite(client: ConnectionClient, body: Uint8Array): Promise<void> {
    const { inviteId, spaceId, channelKey, role, expiresMs, box } = parseInviteRegistration(body.slice())
    const lease = await this.openSpace(client, spaceId)
    try {
      const own = lease.space.team.role(client.deviceKey)
      if (own === undefined || own === 'suspended' || !mayAdminister(own))
        throw new BlazeError('FORBIDDEN', 'only an owner or admin of the space may invite')
      const entry = lease.space.team.invite(inviteId)
      if (entry === undefined)
        throw new BlazeError(
          'NOT_SYNCED',
          'the invite entry has not reached this supervisor: sync the team first',
        )
      if (roleNumber(entry.role) !== role || entry.expiresMs !== expiresMs)
        throw new BlazeError(
          'PROTOCOL_VIOLATION',
          'role or expiry of the invite differ from its signed entry',
        )
    } finally {
      lease.release()
    }
    await this.#access().registerInvite({ id: inviteId, spaceId, channelKey, role, expiresMs, box })
    this.#options.env.log.info('invite.registered', { space: toHex(spaceId), id: toHex(inviteId) })
  }

  /** A member that joined at a supervisor which the others have left: nobody here has heard of it. */
  async #introduce(client: ConnectionClient, body: Uint8Array): Promise<void> {
    const { spaceId, entries } = parseIntroduction(body.slice())
    if (this.#access().spaceHost(spaceId) === undefined)
      throw new BlazeError('UNKNOWN_SPACE', 'this supervisor does not host the space')
    const lease = await this.#options.storage.lease(spaceId, () => this.#visitor.lost())
    const isMember = (): boolean => lease.space.team.role(client.deviceKey) !== undefined
    try {
      if (!isMember()) await lease.space.learn({ entries })
      if (!isMember())
        throw new BlazeError('FORBIDDEN', 'these entries do not make this device a member of the space')
    } finally {
      lease.release()
    }
    this.#options.env.log.info('member.introduced', {
      space: toHex(spaceId),
      device: toHex(client.deviceKey),
    })
  }

  #access(): AccessStore {
    const access = this.#options.access()
    if (access === undefined) throw new BlazeError('BUSY', 'the access store is being opened: try again')
    return access
  }
}
