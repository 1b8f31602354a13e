/**
 * The relay of a dialled connection: one at a time, opened again after a while when a round was refused.
 * Invariant: what a relay that is over tells changes nothing, and its reports wait in one place, however many they are.
 */
import { BlazeError, limits, type MachineContext, type Ref, type Timer } from '../../runtime/index.ts'
import { relay, type RelayMessage, type RelayReport } from '../relay/index.ts'
import type { DialedMessage, DialedOptions } from './dialed-message.ts'
import { ceilingOf } from './fault.ts'
import type { ConnectionEvent } from './machine.ts'
import type { Session } from './session.ts'

interface OpenRelay {
  /** Of this life; streams begin again with every session. */
  readonly number: number
  readonly session: Session
  readonly stream: number
  readonly ref: Ref<RelayMessage>
  /** The mark that it was asked, until it is answered. */
  asked: number
}

export class RelaySlot {
  readonly #o: DialedOptions
  readonly #ctx: MachineContext<DialedMessage, ConnectionEvent>
  /** On the system lane, which is never full. */
  readonly #post: (message: DialedMessage) => void
  #open: OpenRelay | undefined
  #report: RelayReport | undefined
  /** What the relay told last, until the cell has its turn. */
  #told: RelayReport | undefined
  #number = 0
  #attempts = 0
  /** Last arrival here when the peer refused more data, until it takes some. */
  #refusedAt: number | undefined
  #reopen: Timer | undefined
  /** It is caught up each time before it fails again, and comparing costs a pass over the store. */
  #repairFailed = false

  constructor(
    o: DialedOptions,
    ctx: MachineContext<DialedMessage, ConnectionEvent>,
    post: (message: DialedMessage) => void,
  ) {
    this.#o = o
    this.#ctx = ctx
    this.#post = post
  }

  /** As the relay told in the last turn. */
  get report(): RelayReport | undefined {
    return this.#report
  }

  /** Bytes of its stream that have not left. */
  queuedBytes(): number {
    const open = this.#open
    return open === undefined ? 0 : open.session.channel.queuedBytes(open.stream)
  }

  open(session: Session, peer: Uint8Array): void {
    const { space, crypto, ownReplica } = this.#o
    const stream = session.openStream(space.spaceId)
    this.#number += 1
    const number = this.#number
    this.#report = undefined
    this.#told = undefined
    const ref = this.#ctx.spawn({
      name: `relay-${number}`,
      restart: 'temporary',
      behaviour: relay({
        space,
        peer,
        ownReplica,
        crypto,
        deletesFirst: this.#refusedAt !== undefined && this.#refusedAt !== space.replica.lastArrival,
        stream: session.stream(stream),
        report: (report) => this.#tell(number, report),
        ended: (error) => this.#post({ type: 'dialed.relayEnded', relay: number, error }),
        violated: (error) => session.close(error),
      }),
    })
    this.#open = { number, session, stream, ref, asked: 0 }
    this.#ctx.watch(ref, (reason) => {
      const error = new BlazeError('CLOSED', 'the relay has ended', { cause: reason.error })
      return { type: 'dialed.relayEnded', relay: number, error }
    })
    session.route(stream, ref)
  }

  /** The peer ended the stream. */
  reset(session: Session, stream: number, error: BlazeError): void {
    const open = this.#open
    if (open?.session === session && open.stream === stream)
      this.#post({ type: 'dialed.relayEnded', relay: open.number, error })
  }

  /** With its session. */
  close(): void {
    this.#reopen?.cancel()
    this.#reopen = undefined
    void this.#open?.ref.stop()
    this.#open = undefined
    this.#report = undefined
    this.#told = undefined
  }

  /** Takes over what was told. Whether that was news. */
  moved(): RelayReport | undefined {
    const open = this.#open
    const report = this.#told
    this.#told = undefined
    if (open === undefined || report === undefined) return undefined
    this.#report = report
    if (report.marked >= open.asked) open.asked = 0
    if (report.scrub.compared > 0 && !report.scrub.differs) this.#repairFailed = false
    if (report.caughtUp && !this.#repairFailed) {
      this.#attempts = 0
      this.#refusedAt = undefined
    }
    return report
  }

  /** One question at a time, so that however many callers give up, the peer has one to answer. Looked at after every report. */
  ask(): void {
    const open = this.#open
    const id = this.#o.marks.due
    if (open === undefined || open.asked > 0 || id === 0 || this.#report?.ready !== true) return
    if (open.ref.tell({ type: 'relay.mark', id }) === 'ok') open.asked = id
  }

  /** A refused round leaves the connection up; a fresh stream negotiates again after a while. False: it was over already. */
  ended(number: number, error: BlazeError): boolean {
    const open = this.#open
    if (open === undefined || open.number !== number) return false
    open.session.reset(open.stream, error)
    this.#open = undefined
    void open.ref.stop()
    if (this.#report?.scrub.differs === true) this.#repairFailed = true
    const ceilingMs = ceilingOf(limits.relayRetryFirstMs, limits.relayRetryMaxMs, this.#attempts)
    this.#attempts += 1
    // The deletions that were sent before then are there; only later ones are worth another try.
    if (error.code === 'QUOTA')
      this.#refusedAt = this.#refusedAt === undefined ? -1 : this.#o.space.replica.lastArrival
    this.#reopen = this.#ctx.after(ceilingMs * (0.5 + this.#ctx.env.random() / 2), { type: 'dialed.reopen' })
    return true
  }

  #tell(number: number, report: RelayReport): void {
    if (this.#open?.number !== number) return
    // In a turn of the relay: many reports may become one.
    if (this.#told === undefined) this.#post({ type: 'dialed.relay' })
    this.#told = report
  }
}
