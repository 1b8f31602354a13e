/**
 * The relay actor: syncs one space with one peer over one stream of a connection, and lives as long as that stream.
 * Data messages go straight to the exchange; the machine sees only changes of state.
 */
import {
  BlazeError,
  limits,
  machine,
  toHex,
  type Behaviour,
  type CryptoProvider,
  type Timer,
} from '../../runtime/index.ts'
import type { MachineContext } from '../../runtime/index.ts'
import type { StreamRank } from '../../transports/index.ts'
import type { Space } from '../team/index.ts'
import { Exchange } from './exchange.ts'
import { relayMachine, type RelayEvent } from './machine.ts'
import type { Standing } from './standing.ts'

export { clockOffset, isSkewed, isUnset } from './peer-clock.ts'
export type { PeerClock } from './peer-clock.ts'
export type { Lost, Progress } from './standing.ts'

export type RelayMessage =
  | { type: 'relay.frame'; frame: number; body: Uint8Array }
  | { type: 'relay.writable' }
  /** Something moved in the space: its data, its team, or its store failed. */
  | { type: 'relay.changed' }
  | { type: 'relay.mark'; id: number }
  | { type: 'relay.scrub' }
  | { type: 'relay.result'; settle: () => void }

/** The stream of a connection as its relay uses it. */
export interface RelayStream {
  /** False: wait for `relay.writable`. */
  send(type: number, body: Uint8Array): boolean
  consumed(bytes: number): void
  /** What is sent from now on, against other streams of the connection. */
  rank(rank: StreamRank): void
}

/** Where a relay stands. Plain data. */
export interface RelayReport extends Standing {
  readonly state: string
  /** Everything both sides had at hello, and everything since, is applied and acknowledged. */
  readonly caughtUp: boolean
  /** Everything the peer had at hello is applied here. */
  readonly peerApplied: boolean
  /** Log, announcements and vectors were exchanged. */
  readonly ready: boolean
  /** Highest mark that the peer answered. */
  readonly marked: number
  /** Own seq that the peer acknowledged durably. */
  readonly ackedSeq: number
  /** Arrivals that the peer has not acknowledged; an upper bound. */
  readonly lag: number
  readonly error: BlazeError | undefined
}

export interface RelayOptions {
  readonly space: Space
  readonly peer: Uint8Array
  readonly stream: RelayStream
  readonly crypto: CryptoProvider
  /** Absent on a supervisor. */
  readonly ownReplica?: Uint8Array
  /** The peer refused more data before (`QUOTA`): deletions go ahead of all else. */
  readonly deletesFirst?: boolean
  /** As `IncomingPort.admit`. */
  admit?(bytes: number): void
  /** Called in a turn of the cell, after anything moved. */
  report?(report: RelayReport): void
  /** The round was refused, by either side; a later stream may go on. */
  ended(error: BlazeError): void
  /** The peer broke PROTOCOL §10; the connection has to go. */
  violated(error: BlazeError): void
}

export function relay(o: RelayOptions): Behaviour<RelayMessage> {
  let current: RelayCell | undefined
  return machine<RelayMessage, RelayEvent>({
    kind: 'relay',
    definition: relayMachine,
    init: (ctx) => {
      current = new RelayCell(o, ctx)
      current.start()
    },
    receive: (message) => {
      current?.receive(message)
      return undefined
    },
    inspect: () => current?.inspect() ?? {},
  })
}

class RelayCell {
  readonly #o: RelayOptions
  readonly #ctx: MachineContext<RelayMessage, RelayEvent>
  readonly #exchange: Exchange
  #error: BlazeError | undefined
  /** What the space did since the cell looked last; looked at after every message. */
  #dataMoved = false
  #teamMoved = false
  #contested = false
  #failure: BlazeError | undefined
  #live = false
  #nextScrub: Timer | undefined
  /** What the machine will be in once it has handled the events of this turn. */
  #state = 'negotiating'

  constructor(o: RelayOptions, ctx: MachineContext<RelayMessage, RelayEvent>) {
    this.#o = o
    this.#ctx = ctx
    this.#exchange = new Exchange({
      space: o.space,
      peer: o.peer,
      env: ctx.env,
      crypto: o.crypto,
      ...(o.ownReplica === undefined ? {} : { ownReplica: o.ownReplica }),
      deletesFirst: o.deletesFirst === true,
      port: {
        send: (type, body) => o.stream.send(type, body),
        consumed: (bytes) => o.stream.consumed(bytes),
        rank: (rank) => o.stream.rank(rank),
        ...(o.admit === undefined ? {} : { admit: (bytes: number) => o.admit?.(bytes) }),
        after: (ms, work) => ctx.after(ms, { type: 'relay.result', settle: work }),
        run: (work, done, failed) =>
          ctx.run(work, (result) => ({
            type: 'relay.result',
            settle: () => (result.ok ? done(result.value) : failed(result.error)),
          })),
        negotiated: () => this.#negotiated(),
        progressed: () => this.#progressed(),
        ended: (error) => this.#ended(error),
      },
    })
  }

  start(): void {
    const ctx = this.#ctx
    const { space } = this.#o
    ctx.own(
      space.replica.onCommitted(() => {
        const woken = this.#dataMoved
        this.#dataMoved = true
        if (!woken) this.#wake()
      }),
    )
    ctx.own(
      space.onTeamChanged(() => {
        this.#teamMoved = true
        this.#wake()
      }),
    )
    ctx.own(
      space.replica.misfit.onContested(() => {
        this.#contested = true
        this.#wake()
      }),
    )
    // The space is dead to this relay then, even when it is opened again: the peer must come back to the new one.
    ctx.own(
      space.replica.onPoisoned((error) => {
        this.#failure = error
        this.#wake()
      }),
    )
    ctx.own(() => this.#exchange.end())
    this.#exchange.start()
  }

  receive(message: RelayMessage): void {
    try {
      switch (message.type) {
        case 'relay.frame':
          this.#exchange.frame(message.frame, message.body)
          break
        case 'relay.writable':
          this.#exchange.writable()
          break
        case 'relay.changed':
          break
        case 'relay.mark':
          this.#exchange.mark(message.id)
          break
        case 'relay.scrub':
          this.#scrub()
          break
        case 'relay.result':
          message.settle()
          break
      }
      this.#look()
    } catch (error) {
      if (!(error instanceof BlazeError)) throw error
      this.#exchange.end()
      this.#error = error
      this.#o.violated(error)
    }
  }

  inspect(): object {
    const { state, caughtUp, lag, ackedSeq, error } = this.#report()
    return {
      space: toHex(this.#o.space.spaceId),
      peer: toHex(this.#o.peer),
      state,
      caughtUp,
      lag,
      ackedSeq,
      ...(error === undefined ? {} : { error: error.code, reason: error.message }),
    }
  }

  /** A full mailbox loses the wake-up and nothing else: the cell looks after each of the messages that fill it. */
  #wake(): void {
    this.#ctx.self.tell({ type: 'relay.changed' })
  }

  #look(): void {
    if (this.#failure !== undefined) this.#exchange.abandon(this.#failure)
    if (this.#contested) {
      this.#contested = false
      this.#exchange.contested()
    }
    if (this.#teamMoved) {
      this.#teamMoved = false
      this.#exchange.teamChanged()
    }
    if (!this.#dataMoved) return
    this.#dataMoved = false
    this.#exchange.pump()
    this.#progressed()
  }

  #negotiated(): void {
    if (this.#exchange.rebasing) this.#enter('rebasing', { type: 'relay.rebasing' })
    else this.#enter('syncing', { type: 'relay.negotiated' })
  }

  #progressed(): void {
    const { caughtUp, standing } = this.#exchange
    if (this.#state === 'rebasing' && !this.#exchange.rebasing) this.#negotiated()
    if (caughtUp && !this.#live) {
      this.#live = true
      this.#enter('live', { type: 'relay.caughtUp' })
      this.#scrub()
    } else if (this.#live && standing.receiving) {
      this.#live = false
      this.#enter('syncing', { type: 'relay.behind' })
    }
    const { differs } = standing.scrub
    if (differs && this.#state === 'live') this.#enter('repairing', { type: 'relay.differs' })
    else if (!differs && this.#state === 'repairing') this.#enter('live', { type: 'relay.same' })
    this.#o.report?.(this.#report())
  }

  /** Now if both sides are quiet, and again after a while. */
  #scrub(): void {
    if (this.#o.ownReplica === undefined) return
    this.#nextScrub?.cancel()
    const begun = this.#exchange.scrub()
    const waitMs = begun ? limits.scrubIntervalMs : limits.scrubRetryMs
    this.#nextScrub = this.#ctx.after(waitMs * (0.75 + this.#ctx.env.random() / 2), { type: 'relay.scrub' })
  }

  #enter(state: string, event: RelayEvent): void {
    this.#state = state
    this.#ctx.send(event)
  }

  #ended(error: BlazeError): void {
    this.#error = error
    if (error.code === 'FORKED') this.#enter('diverged', { type: 'relay.forked' })
    else this.#enter('paused', { type: 'relay.spoiled' })
    this.#ctx.emit('relay.ended', { code: error.code, reason: error.message })
    this.#o.report?.(this.#report())
    this.#o.ended(error)
  }

  #report(): RelayReport {
    const exchange = this.#exchange
    return {
      state: this.#state,
      caughtUp: exchange.caughtUp && this.#error === undefined,
      peerApplied: exchange.peerApplied,
      ready: exchange.ready,
      marked: exchange.marked,
      ackedSeq: this.#o.ownReplica === undefined ? 0 : exchange.ackedSeq(this.#o.ownReplica),
      lag: exchange.lag,
      ...exchange.standing,
      error: this.#error,
    }
  }
}
