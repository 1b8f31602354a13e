/**
 * The handle on a database's sync with its supervisor: watches the connection actor, and answers what an application asks.
 * Invariant: every waiting call ends, by what it waits for, its deadline, its signal, or `stop`.
 */
import {
  BlazeError,
  equalBytes,
  limits,
  toHex,
  type ChildSpec,
  type Env,
  type Ref,
} from '../../runtime/index.ts'
import type { Transport } from '../../transports/index.ts'
import { dialedConnection, type ConnectionReport, type DialedMessage } from '../connection/index.ts'
import { deviceOf, type Database, type DatabaseIdentity } from '../database/index.ts'
import { deriveInviteKeys, encodeAnnouncement, parseCode, signJoin } from '../team/index.ts'
import type { DeviceIdentity, InviteCode, Space, TeamAdditions } from '../team/index.ts'
import type { WaitOptions } from './deadline.ts'
import type { RemoteRecord } from './remote-node.ts'
import { explain, stateOf, type SyncState, type SyncStatus } from './sync-status.ts'

/** What the handle runs in. */
export interface SyncWorld {
  readonly database: Database
  readonly transport: Transport
  /** Starts the connection actor. */
  spawn(spec: ChildSpec<DialedMessage>): Ref<DialedMessage>
}

export class DatabaseSync {
  readonly #database: Database
  readonly #world: SyncWorld
  readonly #env: Env
  readonly #remote: RemoteRecord
  readonly #device: DeviceIdentity
  #space: Space | undefined
  #connection: Ref<DialedMessage> | undefined
  #report: ConnectionReport | undefined
  #state: SyncState = 'offline'
  #sinceMs: number
  #stopped = false
  #signing = false
  readonly #watchers = new Set<() => void>()
  #forgetSpace: () => void = () => {}
  #forgetTeam: () => void = () => {}

  /** Only for the client. */
  constructor(world: SyncWorld, remote: RemoteRecord) {
    this.#world = world
    this.#database = world.database
    this.#env = world.database.env
    this.#remote = remote
    this.#device = deviceOf(world.database.identity, world.database.crypto)
    this.#sinceMs = this.#env.now()
  }

  /** Begins to connect, now and whenever the store was opened again. Only for the client. */
  start(): void {
    this.#forgetSpace = this.#database.onSpace((space) => this.#spaceMoved(space))
  }

  /** Where sync stands now. Plain data. */
  status(): SyncStatus {
    const report = this.#report
    const error = report?.relay?.error ?? report?.error
    return {
      state: this.#state,
      sinceMs: this.#sinceMs,
      endpoint: `${this.#remote.host}:${this.#remote.port}`,
      connection: report?.state ?? 'connecting',
      relay: report?.relay?.state,
      lag: report?.relay?.lag ?? 0,
      attempts: report?.attempts ?? 0,
      clockOffsetMs: report?.relay?.clockOffsetMs,
      roundTripMs: report?.roundTripMs,
      held: this.#held(),
      error: error === undefined ? undefined : { code: error.code, message: error.message },
    }
  }

  /** One sentence: what sync waits for, and what to do. */
  why(): string {
    return explain(this.status())
  }

  /**
   * Resolves when the supervisor durably holds all writes made here before the call, and everything it held when it was asked is
   * visible or held here. Waits while offline. Rejects with `TIMEOUT` (default 30 s; the message says why), `ABORTED`, `CLOSED`
   * after `stop`, or the code of a state that retrying does not heal.
   */
  async caughtUp(options: WaitOptions = {}): Promise<void> {
    const space = this.#space
    if (space === undefined) throw new BlazeError('CLOSED', 'caughtUp: the database is not open')
    await space.replica.settled()
    const seq = space.replica.lastOwnSeq
    const mark = { done: false, givenUp: false, error: undefined as BlazeError | undefined }
    this.#tell({
      type: 'dialed.mark',
      waiting: {
        get givenUp() {
          return mark.givenUp
        },
        settle: (error) => {
          mark.done = true
          mark.error = error
          this.#wake()
        },
      },
    })
    try {
      await this.wait('caughtUp', options, () => {
        if (mark.error !== undefined) throw mark.error
        const relay = this.#report?.relay
        return mark.done && relay !== undefined && relay.ackedSeq >= seq
      })
    } finally {
      mark.givenUp = true
    }
  }

  /** Ends the connection in order. Local work goes on; the next `open` resumes sync. Idempotent. */
  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    this.#forgetSpace()
    this.#forgetTeam()
    await this.#connection?.stop()
    this.#enter('stopped')
    this.#wake()
  }

  /** A request of PROTOCOL §9. Rejects with `OFFLINE` without a connection. */
  request(
    operation: number,
    body: Uint8Array,
    timeoutMs: number = limits.requestTimeoutMs,
  ): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      this.#tell({
        type: 'dialed.request',
        operation,
        body,
        timeoutMs,
        settle: (result) => ('body' in result ? resolve(result.body) : reject(result.error)),
      })
    })
  }

  /** Resolves when `until` holds; it is asked after every report. For the client. */
  wait(what: string, options: WaitOptions, until: () => boolean): Promise<void> {
    const env = this.#env
    const { timeoutMs = limits.waitMs, signal } = options
    return new Promise((resolve, reject) => {
      const finish = (error?: unknown): void => {
        this.#watchers.delete(check)
        timer.cancel()
        signal?.removeEventListener('abort', abort)
        if (error === undefined) resolve()
        else reject(error)
      }
      const check = (): void => {
        try {
          if (until()) finish()
          else if (this.#stopped) finish(new BlazeError('CLOSED', `${what}: sync was stopped`))
          else if (this.#state === 'refused' || this.#state === 'forked') finish(this.#failure(what))
        } catch (error) {
          finish(error)
        }
      }
      const abort = (): void => finish(new BlazeError('ABORTED', `${what}: the caller aborted`))
      const timer = env.after(timeoutMs, () => {
        finish(
          new BlazeError('TIMEOUT', `${what}: not within ${timeoutMs} ms: ${this.why()}`, {
            details: { ...this.status() },
          }),
        )
      })
      if (signal?.aborted === true) return abort()
      signal?.addEventListener('abort', abort)
      this.#watchers.add(check)
      check()
    })
  }

  /** This device and its supervisor are both in the team as it is known here. */
  isMember(): boolean {
    const team = this.#space?.team
    if (team === undefined) return false
    const role = team.role(this.#device.keys.signKey)
    return role !== undefined && role !== 'suspended' && team.role(this.#remote.serverDevice) === 'relay'
  }

  /** There is an authenticated connection whose relay works. */
  isOnline(): boolean {
    return this.#report?.state === 'syncing' && this.#report.relay?.ready === true
  }

  /** As the connection last told. For the client. */
  get report(): ConnectionReport | undefined {
    return this.#report
  }

  #failure(what: string): BlazeError {
    const error = this.#report?.relay?.error ?? this.#report?.error
    return new BlazeError(error?.code ?? 'REFUSED', `${what}: ${this.why()}`, { cause: error })
  }

  #tell(message: DialedMessage): void {
    const told = this.#connection?.tell(message) ?? 'dead'
    if (told === 'ok') return
    const error =
      told === 'full'
        ? new BlazeError('OVERLOADED', 'the connection has more requests than it can queue')
        : new BlazeError('CLOSED', 'sync was stopped')
    if (message.type === 'dialed.request') message.settle({ error })
    else if (message.type === 'dialed.mark') message.waiting.settle(error)
  }

  #spaceMoved(space: Space | undefined): void {
    this.#forgetTeam()
    const old = this.#connection
    this.#connection = undefined
    this.#space = space
    // Whatever was under way belongs to a store that is closed.
    void old?.stop()
    if (space === undefined || this.#stopped) return
    this.#forgetTeam = space.onTeamChanged(() => this.#teamMoved())
    const { transport, spawn } = this.#world
    const { host, port, serverKey, database } = this.#remote
    this.#connection = spawn({
      name: `connection-${toHex(space.spaceId).slice(0, 12)}-${toHex(space.replica.incarnation).slice(0, 8)}`,
      behaviour: dialedConnection({
        transport,
        endpoints: [{ transport: transport.name === 'memory' ? 'memory' : 'tls', host, port }],
        serverKey,
        staticKey: this.#device.dhScalar,
        device: this.#device.signer,
        crypto: this.#database.crypto,
        space,
        ownReplica: this.#database.identity.replica,
        ...(database === '' ? {} : { register: database }),
        report: (report) => {
          if (space === this.#space) this.#moved(report)
        },
      }),
    })
  }

  #moved(report: ConnectionReport): void {
    this.#report = report
    const offsetMs = report.relay?.clockOffsetMs
    if (offsetMs !== undefined) this.#database.clockOffset(offsetMs)
    if (!this.#stopped) this.#enter(stateOf(report, this.#held()))
    if (report.registered && report.state === 'syncing') this.#teamMoved()
    else this.#wake()
  }

  #held(): number {
    const { clock, key, life, bad } = this.#database.status().held
    return clock + key + life + bad
  }

  #enter(state: SyncState): void {
    if (state === this.#state) return
    this.#state = state
    this.#sinceMs = this.#env.now()
  }

  #wake(): void {
    for (const check of [...this.#watchers]) check()
  }

  /** Signs what the team lacks from this device: the supervisor as a relay, or this device's own join. */
  #teamMoved(): void {
    const space = this.#space
    const news = this.#signing || this.#stopped || space === undefined ? undefined : this.#unsigned(space)
    if (news === undefined || space === undefined) {
      this.#wake()
      return
    }
    this.#signing = true
    space
      .learn(news)
      .catch((error: unknown) => {
        this.#env.log.error('sync.team', { error: error instanceof Error ? error.message : String(error) })
      })
      .finally(() => {
        this.#signing = false
        this.#wake()
      })
  }

  #unsigned(space: Space): TeamAdditions | undefined {
    const { team, spaceId } = space
    const { identity, crypto } = this.#database
    const { keys, signer } = this.#device
    const nowMs = this.#env.now()
    const role = team.role(keys.signKey)
    if (role === undefined) {
      const invite = inviteOf(identity)
      if (invite === undefined || !team.has(invite.inviteHash)) return undefined
      const { inviteHash, secret } = invite
      const { joinSigner } = deriveInviteKeys({ crypto, secret, spaceId })
      const joinSignature = signJoin({ joinSigner, spaceId, inviteHash, keys })
      const entry = team.authorEntry({
        body: { type: 'join', inviteHash, keys, joinSignature },
        signer,
        nowMs,
      })
      const { replica, replicaN } = identity
      return {
        entries: [entry],
        announcements: [encodeAnnouncement({ spaceId, replicaId: replica, n: replicaN, signer })],
      }
    }
    const { serverDevice, serverKey } = this.#remote
    if ((role !== 'owner' && role !== 'admin') || this.#report?.registered !== true) return undefined
    if (team.role(serverDevice) !== undefined) return undefined
    const relayKeys = { signKey: serverDevice, dhKey: serverKey }
    return {
      entries: [team.authorEntry({ body: { type: 'add', role: 'relay', keys: relayKeys }, signer, nowMs })],
    }
  }
}

/** The invite of a join that is under way, as the identity keeps it. */
export function inviteOf(identity: DatabaseIdentity): InviteCode | undefined {
  if (typeof identity.join !== 'string') return undefined
  const code = parseCode(identity.join)
  return code.kind === 'invite' && equalBytes(code.spaceId, identity.space) ? code : undefined
}
