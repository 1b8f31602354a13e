/**
 * Who may do what on this supervisor: enrolment codes, hosts, database names and invites, all small, in one store and in memory.
 *
 * Invariant: nothing is granted before its batch was synced, so a grant survives a power cut; changes run one after the other, so a
 * code is claimed once. It never holds an invite secret, and no enrolment secret but that of the first code until it is claimed.
 */
import { enrolmentPsk } from '../../actors/index.ts'
import type { OrderedStore, StoreOperation } from '../../actors/index.ts'
import type { CryptoProvider, Env } from '../../runtime/index.ts'
import { BlazeError, equalBytes, limits, toHex } from '../../runtime/index.ts'
import type { CodeRow, DatabaseRow, HostRow, InviteRow, RowKind, SpaceRow } from './row.ts'
import {
  encodeCode,
  encodeDatabase,
  encodeHost,
  encodeInvite,
  encodeSpace,
  ID_BYTES,
  KEY_BYTES,
  parseCode,
  parseDatabase,
  parseHost,
  parseInvite,
  parseSpace,
  rowKey,
} from './row.ts'

export interface EnrolmentSecret {
  readonly id: Uint8Array
  readonly secret: Uint8Array
}

/** What a code or invite gave its device. `grant` is the pairing result of PROTOCOL §8: the box of an invite, else empty. */
export type Redemption =
  | { readonly ok: true; readonly grant: Uint8Array }
  | {
      readonly ok: false
      readonly code: 'CODE_INVALID' | 'CODE_USED' | 'CODE_EXPIRED' | 'QUOTA'
      readonly message: string
    }

export type InviteRegistration = Omit<InviteRow, 'claimedBy'>

const noGrant = new Uint8Array(0)
const pageRows = 1_000
const namePattern = /^[a-z0-9._-]+$/

export class AccessStore {
  readonly #store: OrderedStore
  readonly #env: Env
  readonly #crypto: CryptoProvider
  readonly #codes = new Map<string, CodeRow>()
  readonly #hosts = new Map<string, HostRow>()
  readonly #databases = new Map<string, DatabaseRow>()
  readonly #spaces = new Map<string, SpaceRow>()
  readonly #invites = new Map<string, InviteRow>()
  #turn: Promise<unknown> = Promise.resolve()
  #failed: ((error: unknown) => void) | undefined

  private constructor(options: { store: OrderedStore; env: Env; crypto: CryptoProvider }) {
    this.#store = options.store
    this.#env = options.env
    this.#crypto = options.crypto
  }

  /** Reads everything; on the very first opening it makes the first enrolment code. `DAMAGED`, `POISONED`. */
  static async open(options: {
    store: OrderedStore
    env: Env
    crypto: CryptoProvider
  }): Promise<AccessStore> {
    const access = new AccessStore(options)
    await access.#load()
    if (access.#codes.size === 0 && access.#hosts.size === 0) await access.#createCode(true)
    return access
  }

  /** Key of the handshake for a code or invite. Also of a used or expired one, so that its device hears the exact reason. */
  psk(id: Uint8Array): Uint8Array | undefined {
    const key = toHex(id)
    return this.#codes.get(key)?.psk ?? this.#invites.get(key)?.channelKey
  }

  /** The first enrolment code while nobody has claimed it. */
  enrolment(): EnrolmentSecret | undefined {
    for (const { id, secret } of this.#codes.values()) if (secret !== undefined) return { id, secret }
    return undefined
  }

  /** Another enrolment code; its secret is kept nowhere. `QUOTA` when too many wait. */
  createCode(): Promise<EnrolmentSecret> {
    return this.#inTurn(() => this.#createCode(false))
  }

  mayHost(deviceKey: Uint8Array): boolean {
    return this.#hosts.has(toHex(deviceKey))
  }

  get hostCount(): number {
    return this.#hosts.size
  }

  databases(): readonly DatabaseRow[] {
    return [...this.#databases.values()]
  }

  /** The device that registered the space. */
  spaceHost(spaceId: Uint8Array): Uint8Array | undefined {
    return this.#spaces.get(toHex(spaceId))?.deviceKey
  }

  /** Did this device redeem an invite of the space? It may come before its join has reached the team. */
  hasRedeemed(spaceId: Uint8Array, deviceKey: Uint8Array): boolean {
    for (const { spaceId: space, claimedBy } of this.#invites.values())
      if (claimedBy !== undefined && equalBytes(space, spaceId) && equalBytes(claimedBy, deviceKey))
        return true
    return false
  }

  /** Gives a code or invite to the device, durably. The same device may ask again. */
  redeem(id: Uint8Array, deviceKey: Uint8Array): Promise<Redemption> {
    return this.#inTurn(async () => {
      const key = toHex(id)
      const code = this.#codes.get(key)
      if (code !== undefined) return this.#redeemCode(code, deviceKey)
      const invite = this.#invites.get(key)
      if (invite !== undefined) return this.#redeemInvite(invite, deviceKey)
      return { ok: false, code: 'CODE_INVALID', message: 'the code is not known here' }
    })
  }

  /**
   * Binds a name to a space; again for the same pair is harmless. The caller has checked that the device may host, and that it belongs
   * to the space when that is here already. `BAD_VALUE`, `DATABASE_EXISTS`, `QUOTA`.
   */
  registerDatabase(row: { name: string; spaceId: Uint8Array; deviceKey: Uint8Array }): Promise<void> {
    return this.#inTurn(async () => {
      const { name, spaceId, deviceKey } = row
      checkName(name)
      const known = this.#databases.get(name)
      if (known !== undefined && !equalBytes(known.spaceId, spaceId))
        throw new BlazeError('DATABASE_EXISTS', `the name ${name} is bound to another space here`, {
          details: { name },
        })
      if (known !== undefined) return
      if (this.#databases.size >= limits.databasesMax)
        throw new BlazeError('QUOTA', `this supervisor holds at most ${limits.databasesMax} databases`)
      const sinceMs = this.#env.now()
      const database: DatabaseRow = { name, spaceId: spaceId.slice(), sinceMs }
      const space: SpaceRow = this.#spaces.get(toHex(spaceId)) ?? {
        spaceId: spaceId.slice(),
        deviceKey: deviceKey.slice(),
        sinceMs,
      }
      await this.#write([put('n', name, encodeDatabase(database)), put('s', spaceId, encodeSpace(space))])
      this.#databases.set(name, database)
      this.#spaces.set(toHex(spaceId), space)
    })
  }

  /** Keeps an invite for whoever proves its channel key; again with the same content is harmless. `REFUSED`, `QUOTA`, `TOO_LARGE`. */
  registerInvite(invite: InviteRegistration): Promise<void> {
    return this.#inTurn(async () => {
      if (invite.box.length > limits.inviteBoxBytesMax)
        throw new BlazeError(
          'TOO_LARGE',
          `an invite's box has at most ${limits.inviteBoxBytesMax} bytes, got ${invite.box.length}`,
        )
      const known = this.#invites.get(toHex(invite.id))
      if (known !== undefined && sameInvite(known, invite)) return
      if (known !== undefined || this.#codes.has(toHex(invite.id)))
        throw new BlazeError('REFUSED', 'an invite with this id and other content is registered already')
      const dropped = this.#makeRoom(invite.spaceId)
      const row: InviteRow = { ...invite, claimedBy: undefined }
      await this.#write([
        ...dropped.map(({ id }): StoreOperation => ({ type: 'del', key: rowKey('i', id) })),
        put('i', row.id, encodeInvite(row)),
      ])
      for (const { id } of dropped) this.#invites.delete(toHex(id))
      this.#invites.set(toHex(row.id), row)
    })
  }

  /** Called once, when the store refuses an operation: from then on this object must be closed and opened anew. */
  onFailed(listener: (error: unknown) => void): void {
    this.#failed = listener
  }

  async close(): Promise<void> {
    await this.#turn
    await this.#store.close()
  }

  async #createCode(kept: boolean): Promise<EnrolmentSecret> {
    const open = [...this.#codes.values()].filter(({ claimedBy }) => claimedBy === undefined).length
    if (open >= limits.codesOpenMax || this.#codes.size >= limits.codesOpenMax + limits.hostsMax)
      throw new BlazeError(
        'QUOTA',
        `${open} enrolment codes wait to be claimed; at most ${limits.codesOpenMax} may`,
      )
    const id = this.#env.entropy(ID_BYTES)
    const secret = this.#env.entropy(KEY_BYTES)
    const row: CodeRow = {
      id,
      psk: enrolmentPsk(this.#crypto, { codeId: id, secret }),
      createdMs: this.#env.now(),
      claimedBy: undefined,
      secret: kept ? secret : undefined,
    }
    await this.#write([put('c', id, encodeCode(row))])
    this.#codes.set(toHex(id), row)
    return { id, secret }
  }

  async #redeemCode(code: CodeRow, deviceKey: Uint8Array): Promise<Redemption> {
    if (code.claimedBy !== undefined) {
      if (equalBytes(code.claimedBy, deviceKey)) return { ok: true, grant: noGrant }
      return { ok: false, code: 'CODE_USED', message: 'the enrolment code was claimed by another device' }
    }
    const key = toHex(deviceKey)
    if (!this.#hosts.has(key) && this.#hosts.size >= limits.hostsMax)
      return { ok: false, code: 'QUOTA', message: `at most ${limits.hostsMax} devices may host here` }
    const claimed: CodeRow = { ...code, claimedBy: deviceKey.slice(), secret: undefined }
    const host = this.#hosts.get(key) ?? {
      deviceKey: deviceKey.slice(),
      sinceMs: this.#env.now(),
      codeId: code.id,
    }
    await this.#write([put('c', code.id, encodeCode(claimed)), put('h', deviceKey, encodeHost(host))])
    this.#codes.set(toHex(code.id), claimed)
    this.#hosts.set(key, host)
    return { ok: true, grant: noGrant }
  }

  async #redeemInvite(invite: InviteRow, deviceKey: Uint8Array): Promise<Redemption> {
    if (invite.claimedBy !== undefined) {
      if (equalBytes(invite.claimedBy, deviceKey)) return { ok: true, grant: invite.box }
      return { ok: false, code: 'CODE_USED', message: 'the invite was used by another device' }
    }
    if (this.#env.now() > invite.expiresMs)
      return { ok: false, code: 'CODE_EXPIRED', message: 'the invite is past its expiry: ask for a new one' }
    const claimed: InviteRow = { ...invite, claimedBy: deviceKey.slice() }
    await this.#write([put('i', invite.id, encodeInvite(claimed))])
    this.#invites.set(toHex(invite.id), claimed)
    return { ok: true, grant: invite.box }
  }

  /** The kept invites to drop so that one more fits. Those that are open or lately expired stay as long as there is room. */
  #makeRoom(spaceId: Uint8Array): InviteRow[] {
    const now = this.#env.now()
    const rows = [...this.#invites.values()]
    const dropped = new Set(rows.filter(({ expiresMs }) => now > expiresMs + limits.inviteKeptMs))
    const ofSpace = rows.filter((row) => !dropped.has(row) && equalBytes(row.spaceId, spaceId))
    if (ofSpace.length >= limits.invitesPerSpaceMax) {
      const oldest = ofSpace
        .filter(({ expiresMs }) => now > expiresMs)
        .sort((a, b) => a.expiresMs - b.expiresMs)[0]
      if (oldest === undefined)
        throw new BlazeError(
          'QUOTA',
          `a space has at most ${limits.invitesPerSpaceMax} open invites: let some expire`,
        )
      dropped.add(oldest)
    }
    if (rows.length - dropped.size >= limits.invitesMax)
      throw new BlazeError('QUOTA', `this supervisor holds at most ${limits.invitesMax} invites`)
    return [...dropped]
  }

  async #load(): Promise<void> {
    await this.#readAll('c', (key, value) => this.#codes.set(hexOf(key), parseCode(key, value)))
    await this.#readAll('h', (key, value) => this.#hosts.set(hexOf(key), parseHost(key, value)))
    await this.#readAll('s', (key, value) => this.#spaces.set(hexOf(key), parseSpace(key, value)))
    await this.#readAll('i', (key, value) => this.#invites.set(hexOf(key), parseInvite(key, value)))
    await this.#readAll('n', (key, value) => {
      const row = parseDatabase(key, value)
      this.#databases.set(row.name, row)
    })
  }

  async #readAll(kind: RowKind, row: (key: Uint8Array, value: Uint8Array) => void): Promise<void> {
    let gte = rowKey(kind, '')
    const lt = gte.map((byte) => byte + 1)
    for (;;) {
      const rows = await this.#store.range({ gte, lt, limit: pageRows })
      for (const [key, value] of rows) row(key, value)
      const last = rows.at(-1)
      if (last === undefined || rows.length < pageRows) return
      // The smallest key after the last one.
      gte = new Uint8Array([...last[0], 0])
    }
  }

  async #write(operations: StoreOperation[]): Promise<void> {
    try {
      await this.#store.batch(operations)
    } catch (error) {
      this.#failed?.(error)
      throw error
    }
  }

  /** One change after the other: each sees what the one before it made durable. */
  #inTurn<R>(work: () => Promise<R>): Promise<R> {
    const result = this.#turn.then(work)
    this.#turn = result.catch(() => undefined)
    return result
  }
}

/** `BAD_VALUE` unless the name has 1 to 64 of `a-z 0-9 . _ -`. */
function checkName(name: string): void {
  if (name.length < 1 || name.length > limits.databaseNameCharsMax || !namePattern.test(name))
    throw new BlazeError(
      'BAD_VALUE',
      `expected a database name of 1 to ${limits.databaseNameCharsMax} characters of a-z, 0-9, dot, underscore and dash`,
    )
}

function put(kind: RowKind, rest: Uint8Array | string, value: Uint8Array): StoreOperation {
  return { type: 'put', key: rowKey(kind, rest), value }
}

function hexOf(key: Uint8Array): string {
  return toHex(key.subarray(1))
}

function sameInvite(row: InviteRow, other: InviteRegistration): boolean {
  return (
    equalBytes(row.spaceId, other.spaceId) &&
    equalBytes(row.channelKey, other.channelKey) &&
    equalBytes(row.box, other.box) &&
    row.role === other.role &&
    row.expiresMs === other.expiresMs
  )
}
