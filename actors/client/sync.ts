/**
 * The handle on a database's sync with its supervisor: watches the connection actor, and answers what an application asks.
 * Invariant: every waiting call ends, by what it waits for, its deadline, its signal, or `stop`.
 */
import { BlazeError, limits, toHex, type ChildSpec, type Env, type Ref } from '../../runtime/index.ts'
import {
  dialedConnection,
  MarkTable,
  type ConnectionReport,
  type DialedMessage,
} from '../connection/index.ts'
import type { Database } from '../database/index.ts'
import type { Space } from '../team/index.ts'
import { bounded, stepwise, type StepOptions, type WaitOptions } from './deadline.ts'
import { Membership } from './membership.ts'
import { endpointsOf } from './remote-endpoints.ts'
import { encodeRemote, type RemoteRecord } from './remote-node.ts'
import { explain, rebasingState, stateOf, type SyncState, type SyncStatus } from './sync-status.ts'
import type { World } from './world.ts'

/** What the handle runs in. */
export interface SyncWorld {
  readonly database: Database
  readonly world: World
  /** Starts the connection actor. */
  spawn(spec: ChildSpec<DialedMessage>): Ref<DialedMessage>
}

export class DatabaseSync {
  readonly #database: Database
  readonly #world: SyncWorld
  readonly #env: Env
  #remote: RemoteRecord
  readonly #membership: Membership
  /** Outlive the connection actor, whose lives and stores come and go. */
  readonly #marks = new MarkTable()
  readonly #requests = new Set<(error: BlazeError) => void>()
  #space: Space | undefined
  #connection: Ref<DialedMessage> | undefined
  #report: ConnectionReport | undefined
  #state: SyncState = 'offline'
  #sinceMs: number
  /** Monotonic ms when the supervisor last confirmed something, or had nothing to confirm. */
  #progressMs: number
  #stopped = false
  #stopping: Promise<void> | undefined
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
    this.#membership = new Membership(world.database, remote)
    this.#sinceMs = this.#env.now()
    this.#progressMs = this.#env.monotonic()
  }

  /** Begins to connect, now and whenever the store was opened again. Only for the client. */
  start(): void {
    this.#forgetSpace = this.#database.onSpace((space) => this.#spaceMoved(space))
  }

  /** Where sync stands now. Plain data. */
  status(): SyncStatus {
    const report = this.#report
    const stale = this.#stale()
    const error = stale ?? report?.relay?.error ?? report?.error ?? this.#problem()
    return {
      state: stale === undefined ? this.#state : 'stale',
      sinceMs: this.#sinceMs,
      remote: `${this.#remote.host}:${this.#remote.port}`,
      endpoint: report?.endpoint,
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
    if (this.#stopped) throw new BlazeError('CLOSED', 'caughtUp: sync was stopped')
    const left = stepwise(this.#env, options, limits.waitMs)
    let wrote = await this.#syncedSeq(left)
    let answered = false
    const forget = this.#marks.add(() => {
      answered = true
      this.#wake()
    })
    // A mailbox that is full loses only the hint: marks are asked again after the next report.
    this.#connection?.tell({ type: 'dialed.mark' })
    try {
      await this.wait('caughtUp', left(), () => {
        const relay = this.#report?.relay
        const replica = this.#space?.replica
        if (relay === undefined || replica === undefined || replica.misfit.rebase !== undefined) return false
        // A rebase has made again, under another id, what was written before the call and not confirmed.
        const { replica: id } = this.#database.identity
        if (id !== wrote.id) wrote = { id, seq: replica.lastOwnSeq }
        return answered && relay.ackedSeq >= wrote.seq
      })
    } finally {
      forget()
    }
    // The echo of what just came may still be looked through; the state that is read next should be the one that was waited for.
    const timeoutMs = Math.min(limits.settleMs, left().timeoutMs ?? 0)
    await this.wait('caughtUp', { timeoutMs }, () => this.#state !== 'syncing').catch(() => undefined)
  }

  /** Ends the connection in order. Local work goes on; the next `open` resumes sync. Idempotent. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  /** It is stopped or stopping, and will not start again. For the client. */
  get ended(): boolean {
    return this.#stopped
  }

  /** A request of PROTOCOL §9. Rejects with `OFFLINE` without a connection. */
  request(
    operation: number,
    body: Uint8Array,
    timeoutMs: number = limits.requestTimeoutMs,
  ): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const fail = (error: BlazeError): void => {
        end()
        reject(error)
      }
      // The actor may crash with the message in its hands: then nobody else ends the call.
      const timer = this.#env.after(timeoutMs, () =>
        fail(new BlazeError('TIMEOUT', `no answer within ${timeoutMs} ms: ${this.why()}`)),
      )
      const end = (): void => {
        timer.cancel()
        this.#requests.delete(fail)
      }
      this.#requests.add(fail)
      const told = this.#connection?.tell({
        type: 'dialed.request',
        operation,
        body,
        timeoutMs,
        settle: (result) => {
          if ('error' in result) return fail(result.error)
          end()
          resolve(result.body)
        },
      })
      if (told === 'full')
        fail(new BlazeError('OVERLOADED', 'the connection has more requests than it can queue'))
      else if (told !== 'ok') fail(new BlazeError('OFFLINE', 'there is no connection to the supervisor now'))
    })
  }

  /** Resolves when `until` holds; it is asked after every report. For the client. */
  wait(what: string, options: StepOptions, until: () => boolean): Promise<void> {
    const env = this.#env
    const { timeoutMs = limits.waitMs, callMs = timeoutMs, signal } = options
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
          else if (this.#state === 'refused') finish(this.#failure(what))
        } catch (error) {
          finish(error)
        }
      }
      const abort = (): void => finish(new BlazeError('ABORTED', `${what}: the caller aborted`))
      const timer = env.after(timeoutMs, () => {
        finish(
          new BlazeError('TIMEOUT', `${what}: not within ${callMs} ms: ${this.why()}`, {
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

  /**
   * This device and its supervisor are both in the team as it is known here. Throws what waiting cannot heal, once the supervisor
   * has told its log: `CODE_INVALID`, `CODE_USED`, `NOT_A_MEMBER`.
   */
  isMember(): boolean {
    const problem = this.#problem()
    if (problem !== undefined) throw problem
    return this.#space !== undefined && this.#membership.holds(this.#space)
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

  /** The last own seq, when all that was written before the call is synced or lost. A store that failed is opened again by itself. */
  async #syncedSeq(left: () => WaitOptions): Promise<{ id: Uint8Array; seq: number }> {
    let failed: Space | undefined
    for (;;) {
      await this.wait('caughtUp', left(), () => this.#space !== undefined && this.#space !== failed)
      const space = this.#space
      if (space === undefined) continue
      try {
        await bounded(this.#env, 'caughtUp', left(), space.replica.settled())
        return { id: this.#database.identity.replica, seq: space.replica.lastOwnSeq }
      } catch (error) {
        if (!(error instanceof BlazeError) || error.code !== 'POISONED') throw error
        failed = space
      }
    }
  }

  /** Writes wait, and for a while nothing has been confirmed: said before the link counts as silent and is dialled again. */
  #stale(): BlazeError | undefined {
    const quietMs = this.#env.monotonic() - this.#progressMs
    if (this.#state !== 'syncing' || (this.#report?.relay?.lag ?? 0) === 0 || quietMs < limits.staleMs)
      return undefined
    return new BlazeError('TIMEOUT', `nothing was confirmed for ${Math.floor(quietMs / 1000)} s`)
  }

  #problem(): BlazeError | undefined {
    const told = this.#report?.relay?.ready === true
    return told && this.#space !== undefined ? this.#membership.problem(this.#space) : undefined
  }

  async #stop(): Promise<void> {
    this.#stopped = true
    this.#forgetSpace()
    this.#forgetTeam()
    await this.#connection?.stop()
    for (const fail of [...this.#requests]) fail(new BlazeError('CLOSED', 'sync was stopped'))
    this.#enter('stopped')
    this.#wake()
  }

  #spaceMoved(space: Space | undefined): void {
    this.#forgetTeam()
    const old = this.#connection
    this.#connection = undefined
    this.#space = space
    // Whatever was under way belongs to a store that is closed.
    void old?.stop()
    this.#report = undefined
    if (!this.#stopped) this.#enter('offline')
    // The store is closed for good: whoever waits is told so.
    if (space === undefined && this.#database.status().state === 'closing') void this.stop()
    this.#wake()
    if (space === undefined || this.#stopped) return
    this.#forgetTeam = space.onTeamChanged(() => this.#teamMoved())
    const { world } = this.#world
    const { serverKey, serverDevice, database } = this.#remote
    this.#connection = this.#world.spawn({
      name: `connection-${toHex(space.spaceId).slice(0, 12)}-${toHex(space.replica.incarnation).slice(0, 8)}`,
      behaviour: dialedConnection({
        transport: world.transport,
        endpoints: endpointsOf(world, this.#remote, serverDevice),
        serverKey,
        successor: { serverDevice, store: (key) => this.#pin(key) },
        staticKey: this.#membership.device.dhScalar,
        device: this.#membership.device.signer,
        marks: this.#marks,
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

  /** The supervisor has proven by its old key that this is its new one. */
  async #pin(serverKey: Uint8Array): Promise<void> {
    const formerKeys = [...(this.#remote.formerKeys ?? []), this.#remote.serverKey].slice(
      -limits.formerKeysMax,
    )
    const remote = { ...this.#remote, serverKey, formerKeys }
    await this.#database.updateIdentity({ remote: encodeRemote(remote) })
    this.#remote = remote
  }

  #moved(report: ConnectionReport): void {
    if (progressed(this.#report, report)) this.#progressMs = this.#env.monotonic()
    this.#report = report
    const offsetMs = report.relay?.clockOffsetMs
    if (offsetMs !== undefined) this.#database.clockOffset(offsetMs)
    if (!this.#stopped) this.#enter(this.#problem() === undefined ? this.#stateOf(report) : 'revoked')
    if (report.registered && report.state === 'syncing') this.#teamMoved()
    else this.#wake()
  }

  #stateOf(report: ConnectionReport): SyncState {
    const state = stateOf(report, this.#held())
    return this.#space?.replica.misfit.rebase === undefined ? state : rebasingState(state)
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
    const registered = this.#report?.registered === true
    const news =
      this.#signing || this.#stopped || space === undefined
        ? undefined
        : this.#membership.owed(space, registered)
    if (news === undefined || space === undefined) {
      this.#wake()
      return
    }
    this.#signing = true
    space
      .learn(news)
      .catch((error: unknown) => {
        this.#membership.withdraw()
        this.#env.log.error('sync.team', { error: error instanceof Error ? error.message : String(error) })
      })
      .finally(() => {
        this.#signing = false
        this.#wake()
      })
  }
}

function progressed(before: ConnectionReport | undefined, now: ConnectionReport): boolean {
  const was = before?.relay
  const is = now.relay
  if (was === undefined || is === undefined || is.lag === 0) return true
  return (
    is.lag < was.lag || is.ackedSeq !== was.ackedSeq || is.marked !== was.marked || is.state !== was.state
  )
}
