/**
 * The handle on a database's sync with its supervisor: watches the connection actor, and answers what an application asks.
 * Invariant: every waiting call ends, by what it waits for, its deadline, its signal, or `stop`.
 */
import { BlazeError, limits, toHex, type Env, type Ref } from '../../runtime/index.ts'
import {
  dialedConnection,
  MarkTable,
  type ConnectionReport,
  type DialedMessage,
} from '../connection/index.ts'
import type { Database } from '../database/index.ts'
import { formatDeviceId, type Space } from '../team/index.ts'
import { bounded, stepwise, type StepOptions, type WaitOptions } from './deadline.ts'
import { Membership } from './membership.ts'
import { clockOffset, isSkewed, isUnset, type RelayReport } from '../relay/index.ts'
import { endpointsOf } from './remote-endpoints.ts'
import { encodeRemote, type RemoteRecord } from './remote-node.ts'
import { SyncListeners, type SyncEvent } from './sync-events.ts'
import { SyncMeter } from './sync-meter.ts'
import { SyncRequests } from './sync-requests.ts'
import { SyncWaits } from './sync-waits.ts'
import { explain, progressed, stateOf, whileUnfinished } from './sync-status.ts'
import type { SyncState, SyncStatus } from './sync-status.ts'
import type { World } from './world.ts'

/** Own writes up to one. */
interface Wrote {
  readonly id: Uint8Array
  readonly seq: number
}

export class DatabaseSync {
  readonly #database: Database
  readonly #world: World
  readonly #env: Env
  #remote: RemoteRecord
  readonly #membership: Membership
  /** Outlive the connection actor, whose lives and stores come and go. */
  readonly #marks = new MarkTable()
  readonly #requests: SyncRequests
  readonly #meter: SyncMeter
  readonly #listeners: SyncListeners
  #paused = false
  /** What a connection of an earlier one reports is over. */
  #life = 0
  #space: Space | undefined
  #connection: Ref<DialedMessage> | undefined
  #report: ConnectionReport | undefined
  #state: SyncState = 'offline'
  #sinceMs: number
  /** Monotonic ms when the supervisor last confirmed something, or had nothing to confirm. */
  #progressMs: number
  #stopped = false
  #stopping: Promise<void> | undefined
  readonly #waits: SyncWaits
  #forgetSpace: () => void = () => {}
  #forgetTeam: () => void = () => {}

  /** Only for the client. */
  constructor(world: World, database: Database, remote: RemoteRecord) {
    this.#world = world
    this.#database = database
    this.#env = database.env
    this.#remote = remote
    this.#membership = new Membership(database, remote)
    this.#waits = new SyncWaits(this.#env, {
      ended: (what) => this.#whyEnded(what),
      late: (what, callMs) => this.#late(what, callMs),
    })
    this.#requests = new SyncRequests(this.#env, () => this.why())
    this.#meter = new SyncMeter(this.#env)
    this.#listeners = new SyncListeners(this.#env)
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
    const peerClock = report?.relay?.peerClock
    const unfinished = this.#unfinished()
    const error = stale ?? report?.relay?.error ?? report?.error ?? this.#problem()
    return {
      state: stale === undefined ? whileUnfinished(this.#state, unfinished.length) : 'stale',
      sinceMs: this.#sinceMs,
      remote: `${this.#remote.host}:${this.#remote.port}`,
      endpoint: report?.endpoint,
      connection: report?.state ?? 'connecting',
      relay: report?.relay?.state,
      lag: report?.relay?.lag ?? 0,
      lagDots: this.#lagDots(),
      lagMs: this.#meter.lagMs(),
      queue: { parts: report?.relay?.counts.unacked ?? 0, bytes: report?.queuedBytes ?? 0 },
      rates: this.#meter.rates(),
      progress: report?.relay?.progress,
      supervisorLost: this.#listeners.lost,
      attempts: report?.attempts ?? 0,
      clockOffsetMs: peerClock && clockOffset(this.#env, peerClock),
      clockUnset: peerClock !== undefined && isUnset(peerClock),
      roundTripMs: report?.roundTripMs,
      held: this.#held(),
      unfinished,
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
    const holds = this.#holding(await this.#syncedSeq('caughtUp', left))
    let answered = false
    const forget = this.#marks.add(() => {
      answered = true
      this.#waits.wake()
    })
    // A mailbox that is full loses only the hint: marks are asked again after the next report.
    this.#connection?.tell({ type: 'dialed.mark' })
    try {
      await this.wait('caughtUp', left(), () => answered && holds())
    } finally {
      forget()
    }
    // The echo of what just came may still be looked through; the state that is read next should be the one that was waited for.
    const timeoutMs = Math.min(limits.settleMs, left().timeoutMs ?? 0)
    await this.wait('caughtUp', { timeoutMs }, () => this.#state !== 'syncing').catch(() => undefined)
  }

  /**
   * Resolves when the supervisor durably holds all writes made here before the call. Waits while offline or paused. Rejects as
   * `caughtUp`.
   */
  async flushed(options: WaitOptions = {}): Promise<void> {
    if (this.#stopped) throw new BlazeError('CLOSED', 'flushed: sync was stopped')
    const left = stepwise(this.#env, options, limits.waitMs)
    const holds = this.#holding(await this.#syncedSeq('flushed', left))
    await this.wait('flushed', left(), holds)
  }

  /** Hears of every event from now on; returns what ends that. `TypeError`. */
  on(listener: (event: SyncEvent) => void): () => void {
    return this.#listeners.add(listener)
  }

  /** Ends the connection in order until `resume`; the next `open` begins without a pause. Local work goes on. */
  async pause(): Promise<void> {
    if (this.#stopped || this.#paused) return
    this.#paused = true
    await this.#hangUp()
  }

  resume(): void {
    if (this.#stopped || !this.#paused) return
    this.#paused = false
    this.#spaceMoved(this.#space)
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

  /** A request of PROTOCOL §9. Rejects with `OFFLINE` without a connection. For the client. */
  request(operation: number, body: Uint8Array, timeoutMs?: number): Promise<Uint8Array> {
    return this.#requests.send(this.#connection, operation, body, timeoutMs)
  }

  /** Resolves when `until` holds; it is asked after every report. For the client. */
  wait(what: string, options: StepOptions, until: () => boolean): Promise<void> {
    return this.#waits.wait(what, options, until)
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

  #whyEnded(what: string): BlazeError | undefined {
    if (this.#stopped) return new BlazeError('CLOSED', `${what}: sync was stopped`)
    if (this.#state !== 'refused') return undefined
    const error = this.#report?.relay?.error ?? this.#report?.error
    return new BlazeError(error?.code ?? 'REFUSED', `${what}: ${this.why()}`, { cause: error })
  }

  #late(what: string, callMs: number): BlazeError {
    const details = { ...this.status() }
    return new BlazeError('TIMEOUT', `${what}: not within ${callMs} ms: ${this.why()}`, { details })
  }

  /** Whether the supervisor holds all own writes up to there. */
  #holding(wrote: Wrote): () => boolean {
    let upTo = wrote
    return () => {
      const relay = this.#report?.relay
      const replica = this.#space?.replica
      if (relay === undefined || replica === undefined || replica.misfit.rebase !== undefined) return false
      // A rebase has made again, under another id, what was written before the call and not confirmed.
      const { replica: id } = this.#database.identity
      if (id !== upTo.id) upTo = { id, seq: replica.lastOwnSeq }
      return relay.ackedSeq >= upTo.seq
    }
  }

  /** The last own seq, when all that was written before the call is synced or lost. A store that failed is opened again by itself. */
  async #syncedSeq(what: string, left: () => WaitOptions): Promise<Wrote> {
    let failed: Space | undefined
    for (;;) {
      await this.wait(what, left(), () => this.#space !== undefined && this.#space !== failed)
      const space = this.#space
      if (space === undefined) continue
      try {
        await bounded(this.#env, what, left(), space.replica.settled())
        return { id: this.#database.identity.replica, seq: space.replica.lastOwnSeq }
      } catch (error) {
        if (!(error instanceof BlazeError) || error.code !== 'POISONED') throw error
        failed = space
      }
    }
  }

  #lagDots(): number {
    const replica = this.#space?.replica
    const acked = this.#report?.relay?.ackedSeq
    return replica === undefined || acked === undefined ? 0 : Math.max(0, replica.lastOwnSeq - acked)
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
    this.#requests.end(new BlazeError('CLOSED', 'sync was stopped'))
    this.#enter('stopped')
    this.#waits.wake()
  }

  async #hangUp(): Promise<void> {
    this.#forgetTeam()
    const old = this.#connection
    this.#connection = undefined
    this.#life += 1
    this.#report = undefined
    this.#meter.counted(undefined)
    if (!this.#stopped) this.#enter(this.#paused ? 'paused' : 'offline')
    this.#waits.wake()
    await old?.stop()
  }

  #spaceMoved(space: Space | undefined): void {
    this.#space = space
    // Whatever was under way belongs to a store that is closed.
    void this.#hangUp()
    // The store is closed for good: whoever waits is told so.
    if (space === undefined && this.#database.status().state === 'closing') void this.stop()
    this.#waits.wake()
    if (space === undefined || this.#stopped || this.#paused) return
    this.#forgetTeam = space.onTeamChanged(() => {
      if (this.#report !== undefined) this.#enterReported(this.#report)
      this.#teamMoved()
    })
    const life = this.#life
    const world = this.#world
    const { serverKey, serverDevice, database } = this.#remote
    this.#connection = world.system.spawn({
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
          if (life === this.#life) this.#moved(report)
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
    const before = this.#report?.relay
    this.#report = report
    this.#count(report.relay, before)
    const peerClock = report.relay?.peerClock
    if (peerClock !== undefined) this.#database.clockMeasured(peerClock)
    this.#enterReported(report)
    if (report.registered && report.state === 'syncing') this.#teamMoved()
    else this.#waits.wake()
  }

  #count(relay: RelayReport | undefined, before: RelayReport | undefined): void {
    this.#meter.counted(relay?.counts)
    const replica = this.#space?.replica
    if (relay === undefined || replica === undefined) return
    this.#meter.wrote(this.#database.identity.replica, replica.lastOwnSeq, relay.ackedSeq)
    this.#listeners.reported(relay, before)
  }

  #stateOf(report: ConnectionReport): SyncState {
    const { peerClock } = report.relay ?? {}
    const skewed = peerClock !== undefined && isSkewed(this.#env, peerClock)
    const rebasing = this.#space?.replica.misfit.rebase !== undefined
    return stateOf(report, { held: this.#held(), skewed, rebasing, unfinished: this.#unfinished().length })
  }

  #unfinished(): readonly string[] {
    return (this.#space?.unfinished ?? []).map((key) => formatDeviceId(this.#database.crypto, key))
  }

  #held(): number {
    const { clock, key, life, bad } = this.#database.status().held
    return clock + key + life + bad
  }

  #enterReported(report: ConnectionReport): void {
    if (!this.#stopped) this.#enter(this.#problem() === undefined ? this.#stateOf(report) : 'revoked')
  }

  #enter(state: SyncState): void {
    if (state === this.#state) return
    const before = this.#state
    this.#state = state
    this.#sinceMs = this.#env.now()
    this.#listeners.tell({ type: 'state', before, status: this.status() })
  }

  /** Signs what the team lacks from this device: the supervisor as a relay, or this device's own join. */
  #teamMoved(): void {
    const space = this.#space
    const registered = this.#report?.registered === true
    if (space === undefined || this.#stopped) this.#waits.wake()
    else this.#membership.contribute(space, registered, () => this.#waits.wake())
  }
}
