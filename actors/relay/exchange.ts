/**
 * One negotiation and what follows it, over one stream: hello, team, vectors, then rounds both ways (PROTOCOL §10).
 * Invariant: no data leaves before the peer's claims about this device's own writes were compared (REPLICATION rule 23), and a misfit
 * sends and acknowledges nothing but to another misfit (rule 21), which takes its writes and no vector from it.
 */
import { BlazeError, equalBytes, type CryptoProvider, type Env } from '../../runtime/index.ts'
import type { StreamRank } from '../../transports/index.ts'
import type { VectorEntry } from '../replica/index.ts'
import type { Space } from '../team/index.ts'
import { claimsOn, forkError } from './fork-claim.ts'
import { helloOf } from './hello.ts'
import { Incoming, type IncomingPort } from './incoming.ts'
import { Marks } from './marks.ts'
import {
  AFTER_READY,
  encodeHello,
  encodeSpoiled,
  encodeVector,
  parseAck,
  parseData,
  parseHello,
  parseSpoiled,
  parseVector,
  RELAY_ACK,
  RELAY_ANNOUNCE,
  RELAY_DATA,
  RELAY_HELLO,
  RELAY_MARK,
  RELAY_MARKED,
  RELAY_READY,
  RELAY_SCRUB,
  RELAY_SCRUBBED,
  RELAY_SPOILED,
  RELAY_TEAM,
  RELAY_VECTOR,
  spoiledError,
  violation,
  type RelayHello,
} from './message.ts'
import { Outgoing } from './outgoing.ts'
import type { PeerClock } from './peer-clock.ts'
import { PeerVector } from './peer-vector.ts'
import { Scrub } from './scrub.ts'
import { progressOf, type Lost, type Standing } from './standing.ts'
import { TeamNews } from './team-news.ts'

export interface ExchangePort extends Pick<IncomingPort, 'after' | 'admit'> {
  send(type: number, body: Uint8Array): boolean
  consumed(bytes: number): void
  rank(rank: StreamRank): void
  run<T>(work: () => Promise<T>, done: (value: T) => void, failed: (error: unknown) => void): void
  negotiated(): void
  /** Something moved: acknowledgements, applied parts, team. */
  progressed(): void
  /** The exchange is over; `error` says why. */
  ended(error: BlazeError): void
}

export interface ExchangeOptions {
  readonly space: Space
  /** The peer's Ed25519 key: names its cursor, and its role in the team. */
  readonly peer: Uint8Array
  readonly env: Env
  readonly crypto: CryptoProvider
  readonly port: ExchangePort
  /** This device's own replica id, absent on a supervisor. */
  readonly ownReplica?: Uint8Array
  /** The peer refused more data before: deletions go ahead of all else. */
  readonly deletesFirst?: boolean
}

export class Exchange {
  readonly #o: ExchangeOptions
  readonly #mine: RelayHello
  readonly #peerVector: PeerVector
  readonly #vectorAtHello: readonly VectorEntry[]
  readonly #teamNews: TeamNews
  #theirs: RelayHello | undefined
  #peerClock: PeerClock | undefined
  #incoming: Incoming | undefined
  readonly #outgoing: Outgoing
  /** The peer's log, announcements and vector were taken over; before, nothing but they may come. */
  #ready = false
  #readyCame = false
  #ended = false
  #caughtUpWithHello = false
  #claimsTold = false
  /** What the peer had confirmed of this device's writes before this exchange. */
  readonly #confirmedBefore: number
  readonly #marks: Marks
  readonly #scrub: Scrub
  #lost: Lost | undefined

  constructor(o: ExchangeOptions) {
    this.#o = o
    const { replica, team } = o.space
    this.#confirmedBefore = replica.confirmedSeq
    this.#vectorAtHello = replica.misfit.rebase === undefined ? [...replica.vector().values()] : []
    this.#teamNews = new TeamNews({
      team,
      crypto: o.crypto,
      send: (type, body) => void o.port.send(type, body),
    })
    this.#peerVector = new PeerVector(replica, o.peer, o.ownReplica)
    this.#marks = new Marks((type, body) => void o.port.send(type, body))
    this.#scrub = new Scrub({
      replica,
      env: o.env,
      port: {
        ...o.port,
        quiet: () => this.caughtUp && !this.rebasing,
        repair: (tags) => this.#outgoing.repair(tags),
        moved: () => o.port.progressed(),
        failed: (error) => this.abandon(error),
      },
    })
    this.#mine = helloOf(o.space, o.peer, o)
    this.#outgoing = new Outgoing({
      replica,
      peerVector: this.#peerVector,
      port: {
        ...o.port,
        send: (type, body) => {
          // What was read may be of a replica that was announced since.
          this.#teamNews.tell()
          return o.port.send(type, body)
        },
        more: () => this.pump(),
        failed: (error) => this.abandon(error),
        skipped: () => {
          this.#answerMarks()
          o.port.progressed()
        },
        syncing: () => this.#incoming?.syncing ?? false,
        showing: (entry) => {
          if (this.#peerVector.isOwn(entry)) replica.headShown(o.peer, entry.seq)
        },
      },
    })
  }

  start(): void {
    this.#o.port.send(RELAY_HELLO, encodeHello(this.#mine))
  }

  /** Both sides told all they had at hello, and everything of it is applied and acknowledged. */
  get caughtUp(): boolean {
    return this.#caughtUpWithHello && this.#outgoing.idle && this.#incoming?.idle === true
  }

  /** Everything that the peer had at its hello is applied here. */
  get peerApplied(): boolean {
    return this.#caughtUpWithHello
  }

  get ready(): boolean {
    return this.#ready
  }

  /** This side takes one whole round before it serves and acknowledges. */
  get rebasing(): boolean {
    return this.#o.space.replica.misfit.rebase !== undefined
  }

  /** Another history of the peer's own ids is known here by now: it has to be told, and is at the next hello. */
  contested(): void {
    const [entry] = claimsOn(this.#o.peer, this.#o.space)
    if (entry === undefined || this.#ended || this.#theirs === undefined || this.#claimsTold) return
    this.abandon(forkError(entry, `write ${entry.seq} of the peer is known here with another history`))
  }

  get lag(): number {
    return this.#outgoing.lag
  }

  /** Compares what both sides hold; false when there is no quiet moment. Only the dialling side asks. */
  scrub(): boolean {
    return this.#scrub.start()
  }

  get standing(): Standing {
    const { sent, unacked } = this.#outgoing
    const theirs = this.#caughtUpWithHello ? undefined : this.#theirs
    return {
      receiving: this.#incoming?.syncing ?? false,
      counts: { received: this.#incoming?.received ?? 0, sent, unacked },
      progress: theirs && progressOf(theirs, this.#mine.cursor, this.#incoming?.upTo ?? 0),
      lost: this.#lost,
      peerClock: this.#peerClock,
      scrub: this.#scrub.report,
    }
  }

  /** Seq of `replicaId` up to which the peer acknowledged durably. */
  ackedSeq(replicaId: Uint8Array): number {
    return this.#peerVector.ackedSeq(replicaId)
  }

  /** Highest own mark that the peer answered. */
  get marked(): number {
    return this.#marks.answered
  }

  /** Asks the peer to answer once everything that it holds now has been applied here. Ids rise. */
  mark(id: number): void {
    if (!this.#ended) this.#marks.ask(id)
  }

  /** New arrivals or team entries may wait. Cheap when not. */
  pump(): void {
    if (!this.#ready || this.#ended) return
    const role = this.#o.space.team.role(this.#o.peer)
    // Data goes to members only; a device that still has to append its join waits.
    if (role === undefined || role === 'suspended') return
    // Two misfits would wait for each other for ever.
    if (this.rebasing && this.#theirs?.rebasing !== true) return
    this.#outgoing.pump()
  }

  writable(): void {
    this.#outgoing.writable()
  }

  /** Ends the exchange for a fault of this side, and tells the peer: it would wait for ever. A bug is thrown. */
  abandon(error: unknown): void {
    if (!(error instanceof BlazeError)) throw error
    if (this.#ended) return
    const { code, message: text } = error
    this.#o.port.send(RELAY_SPOILED, encodeSpoiled({ round: 0, part: 0, code, text }))
    this.#fail(error)
  }

  /** The team has entries that the peer may lack. */
  teamChanged(): void {
    if (this.#theirs === undefined || this.#ended) return
    this.#teamNews.tell()
    this.pump()
  }

  /** Throws `PROTOCOL_VIOLATION` on bytes or an order that PROTOCOL §10 does not allow: the caller closes the connection. */
  frame(type: number, body: Uint8Array): void {
    if (this.#ended) {
      this.#o.port.consumed(body.length)
      return
    }
    const incoming = this.#incoming
    if (incoming !== undefined) {
      this.#checkOrder(type)
      // These give their credit back when they were worked off.
      if (type === RELAY_TEAM) return incoming.team(this.#teamNews.fromPeer(body))
      if (type === RELAY_ANNOUNCE) return incoming.announce(this.#teamNews.fromPeer(body))
      if (type === RELAY_DATA) return incoming.data(parseData(body), body.length)
    }
    this.#o.port.consumed(body.length)
    if (type === RELAY_HELLO) this.#hello(parseHello(body))
    else if (incoming === undefined) throw violation(`relay message ${type} before hello`)
    else this.#small(type, body, incoming)
  }

  #small(type: number, body: Uint8Array, incoming: Incoming): void {
    switch (type) {
      case RELAY_VECTOR:
        return this.#learnVector(parseVector(body))
      case RELAY_READY:
        this.#readyCame = true
        return incoming.ready()
      case RELAY_ACK: {
        const ack = parseAck(body)
        this.#outgoing.acked(ack)
        this.#learnVector(ack.vector)
        if (!this.#ended) this.#progress()
        return
      }
      case RELAY_MARK:
        this.#marks.wait(body, this.#o.space.replica.lastArrival)
        return this.#answerMarks()
      case RELAY_MARKED:
        this.#marks.take(body)
        return this.#o.port.progressed()
      case RELAY_SCRUB:
        return this.#scrub.asked(body)
      case RELAY_SCRUBBED:
        return this.#scrub.answered(body)
      case RELAY_SPOILED:
        return this.#fail(spoiledError(parseSpoiled(body)))
      default:
        throw violation(`unknown relay message ${type}`)
    }
  }

  end(): void {
    this.#ended = true
    this.#scrub.end()
    this.#outgoing.end()
    this.#incoming?.end()
  }

  #hello(theirs: RelayHello): void {
    if (this.#theirs !== undefined) throw violation('a second hello on one stream')
    this.#theirs = theirs
    this.#peerClock = { wallMs: theirs.clockMs, monotonicMs: this.#o.env.monotonic() }
    const { port, space, peer } = this.#o
    const cursor = this.#mine.cursor
    this.#incoming = new Incoming({
      space,
      peer,
      incarnation: theirs.incarnation,
      told: this.#vectorAtHello,
      heard: this.#peerVector.heard,
      port: {
        ...port,
        ready: () => this.#peerReady(),
        taken: () => port.progressed(),
        applied: (entries, roundEnd) => this.#applied(entries, roundEnd),
        refused: (error) => this.#fail(error),
      },
    })
    this.#teamNews.start(equalBytes(theirs.teamDigest, this.#mine.teamDigest))
    const claims = claimsOn(this.#o.peer, this.#o.space)
    this.#claimsTold = claims.length > 0
    // What a misfit says of itself is not what it holds.
    const sameVector =
      equalBytes(theirs.vectorDigest, this.#mine.vectorDigest) &&
      !this.#claimsTold &&
      theirs.rebasing !== true &&
      !this.rebasing
    if (sameVector) this.#learnVector(this.#vectorAtHello)
    else for (const body of encodeVector(this.#vectorAtHello)) port.send(RELAY_VECTOR, body)
    // Behind what is held, so that the peer sees both.
    for (const body of encodeVector(claims)) port.send(RELAY_VECTOR, body)
    // No round is due from a peer whose last arrival this side has applied, while both hold the same writes.
    this.#caughtUpWithHello =
      sameVector &&
      cursor !== undefined &&
      equalBytes(cursor.incarnation, theirs.incarnation) &&
      cursor.arrival === theirs.lastArrival
    this.#outgoing.start(
      theirs.cursor,
      sameVector &&
        theirs.cursor !== undefined &&
        equalBytes(theirs.cursor.incarnation, this.#mine.incarnation) &&
        theirs.cursor.arrival === this.#mine.lastArrival,
      this.#o.deletesFirst === true,
    )
    port.send(RELAY_READY, new Uint8Array(0))
  }

  #peerReady(): void {
    this.#ready = true
    const { ownReplica } = this.#o
    const held = this.#peerVector.ackedSeq()
    const known = ownReplica !== undefined && this.#mine.cursor !== undefined && !this.rebasing
    if (known && this.#theirs?.rebasing !== true && held < this.#confirmedBefore)
      this.#lost = { confirmed: this.#confirmedBefore, held }
    this.#o.port.negotiated()
    this.#progress()
  }

  #applied(entries: readonly VectorEntry[], roundEnd: boolean): void {
    if (roundEnd) {
      this.#caughtUpWithHello = true
      this.#learnVector(entries)
    }
    if (!this.#ended) this.#progress()
  }

  #progress(): void {
    this.pump()
    this.#answerMarks()
    this.#scrub.poll()
    this.#o.port.progressed()
  }

  #answerMarks(): void {
    this.#marks.answer((arrival) => this.#outgoing.reached(arrival))
  }

  /** Before ready nothing but team, announcements and vector; after it no vector and no ready. */
  #checkOrder(type: number): void {
    const early = type === RELAY_VECTOR || type === RELAY_READY
    const late = AFTER_READY.has(type)
    if (this.#readyCame ? early : late) {
      const when = this.#readyCame ? 'after' : 'before'
      throw violation(`relay message ${type} ${when} ready`)
    }
  }

  #learnVector(entries: readonly VectorEntry[]): void {
    const fork = this.#peerVector.learn(entries, this.#readyCame)
    if (fork !== undefined) this.#fail(fork)
  }

  #fail(error: unknown): void {
    if (!(error instanceof BlazeError)) throw error
    if (this.#ended) return
    this.end()
    this.#o.port.ended(error)
    this.#o.space.exchangeEnded(error, this.#peerVector.ownShown)
  }
}
