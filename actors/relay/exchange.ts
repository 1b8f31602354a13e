/**
 * One negotiation and what follows it, over one stream: hello, team, vectors, then rounds both ways (PROTOCOL §10).
 * Invariant: no data leaves before the peer's claims about this device's own writes were compared (REPLICATION rule 23).
 */
import { BlazeError, bytesKey, equalBytes, limits, toHex, type Env } from '../../runtime/index.ts'
import type { CryptoProvider } from '../../runtime/index.ts'
import type { VectorEntry } from '../replica/index.ts'
import type { Space } from '../team/index.ts'
import { Incoming } from './incoming.ts'
import {
  encodeBlobs,
  encodeHello,
  encodeMark,
  encodeVector,
  parseAck,
  parseBlobs,
  parseData,
  parseHello,
  parseMark,
  parseSpoiled,
  parseVector,
  RELAY_ACK,
  RELAY_ANNOUNCE,
  RELAY_DATA,
  RELAY_HELLO,
  RELAY_MARK,
  RELAY_MARKED,
  RELAY_READY,
  RELAY_SPOILED,
  RELAY_TEAM,
  RELAY_VECTOR,
  spoiledError,
  type RelayHello,
} from './message.ts'
import { Outgoing } from './outgoing.ts'

export interface ExchangePort {
  send(type: number, body: Uint8Array): boolean
  consumed(bytes: number): void
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
}

export class Exchange {
  readonly #o: ExchangeOptions
  readonly #mine: RelayHello
  /** The peer's vector, as far as it is known here. Read by the sender of rounds while it grows. */
  readonly #peerVector = new Map<string, VectorEntry>()
  readonly #vectorAtHello: readonly VectorEntry[]
  /** Hashes of the entries and announcements that the peer has. */
  readonly #peerKnows = new Set<string>()
  #theirs: RelayHello | undefined
  #incoming: Incoming | undefined
  readonly #outgoing: Outgoing
  #ready = false
  #ended = false
  #caughtUpWithHello = false
  /** Marks of the peer that wait until it has everything up to `arrival`. */
  readonly #marks: { id: number; arrival: number }[] = []
  #marked = 0

  constructor(o: ExchangeOptions) {
    this.#o = o
    const { replica, team } = o.space
    this.#vectorAtHello = [...replica.vector().values()]
    this.#mine = {
      incarnation: replica.incarnation,
      lastArrival: replica.lastArrival,
      cursor: replica.cursor(o.peer),
      vectorDigest: replica.vectorDigest(),
      teamDigest: team.digest,
      clockMs: o.env.now(),
    }
    this.#outgoing = new Outgoing({
      replica,
      peerVector: this.#peerVector,
      monotonic: () => o.env.monotonic(),
      port: {
        send: (type, body) => o.port.send(type, body),
        run: (work, done, failed) => o.port.run(work, done, failed),
        failed: (error) => this.#fail(error),
        skipped: () => {
          this.#answerMarks()
          o.port.progressed()
        },
        syncing: () => this.#incoming?.syncing ?? false,
        showing: (entry) => {
          if (this.#isOwn(entry)) replica.headShown(o.peer, entry.seq)
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

  /** Difference of the wall clocks at hello, ms: positive when the peer is ahead. Contains the latency of the link. */
  get clockOffsetMs(): number | undefined {
    return this.#theirs === undefined ? undefined : this.#theirs.clockMs - this.#o.env.now()
  }

  get lag(): number {
    return this.#outgoing.lag
  }

  get receiving(): boolean {
    return this.#incoming?.syncing ?? false
  }

  /** Seq of `replicaId` up to which the peer acknowledged durably. */
  ackedSeq(replicaId: Uint8Array): number {
    return this.#peerVector.get(bytesKey(replicaId))?.seq ?? 0
  }

  /** Highest own mark that the peer answered. */
  get marked(): number {
    return this.#marked
  }

  /** Asks the peer to answer once everything that it holds now has been applied here. Ids rise. */
  mark(id: number): void {
    if (!this.#ended) this.#o.port.send(RELAY_MARK, encodeMark(id))
  }

  /** New arrivals or team entries may wait. Cheap when not. */
  pump(): void {
    if (!this.#ready || this.#ended) return
    const role = this.#o.space.team.role(this.#o.peer)
    // Data goes to members only; a device that still has to append its join waits.
    if (role === undefined || role === 'suspended') return
    this.#outgoing.pump()
  }

  writable(): void {
    if (!this.#ended) this.#outgoing.writable()
  }

  /** The team has entries that the peer may lack. */
  teamChanged(): void {
    if (this.#theirs === undefined || this.#ended) return
    this.#tellTeam()
    this.pump()
  }

  /** Throws `PROTOCOL_VIOLATION` on bytes or an order that PROTOCOL §10 does not allow: the caller closes the connection. */
  frame(type: number, body: Uint8Array): void {
    if (this.#ended) {
      this.#o.port.consumed(body.length)
      return
    }
    if (type === RELAY_HELLO) {
      this.#hello(parseHello(body))
      this.#o.port.consumed(body.length)
      return
    }
    const incoming = this.#incoming
    if (incoming === undefined)
      throw new BlazeError('PROTOCOL_VIOLATION', `relay message ${type} before hello`)
    if (type === RELAY_TEAM) incoming.team(this.#fromPeer(body))
    else if (type === RELAY_ANNOUNCE) incoming.announce(this.#fromPeer(body))
    else if (type === RELAY_VECTOR) {
      this.#learnVector(parseVector(body))
      this.#o.port.consumed(body.length)
    } else if (type === RELAY_READY) {
      incoming.ready()
      this.#o.port.consumed(body.length)
    } else if (type === RELAY_DATA) incoming.data(parseData(body), body.length)
    else if (type === RELAY_ACK) {
      const ack = parseAck(body)
      this.#outgoing.acked(ack)
      this.#learnVector(ack.vector)
      this.#o.port.consumed(body.length)
      if (!this.#ended) this.#progress()
    } else if (type === RELAY_MARK) {
      if (this.#marks.length >= limits.relayMarksMax) {
        throw new BlazeError(
          'PROTOCOL_VIOLATION',
          `more than ${limits.relayMarksMax} marks wait for their answer`,
        )
      }
      this.#marks.push({ id: parseMark(body), arrival: this.#o.space.replica.lastArrival })
      this.#o.port.consumed(body.length)
      this.#answerMarks()
    } else if (type === RELAY_MARKED) {
      this.#marked = Math.max(this.#marked, parseMark(body))
      this.#o.port.consumed(body.length)
      this.#o.port.progressed()
    } else if (type === RELAY_SPOILED) {
      this.#o.port.consumed(body.length)
      this.#fail(spoiledError(parseSpoiled(body)))
    } else throw new BlazeError('PROTOCOL_VIOLATION', `unknown relay message ${type}`)
  }

  end(): void {
    this.#ended = true
    this.#outgoing.end()
    this.#incoming?.end()
  }

  #hello(theirs: RelayHello): void {
    if (this.#theirs !== undefined) throw new BlazeError('PROTOCOL_VIOLATION', 'a second hello on one stream')
    this.#theirs = theirs
    const { port, space, peer } = this.#o
    const cursor = this.#mine.cursor
    this.#incoming = new Incoming({
      space,
      peer,
      incarnation: theirs.incarnation,
      port: {
        send: (type, body) => port.send(type, body),
        consumed: (bytes) => port.consumed(bytes),
        run: (work, done, failed) => port.run(work, done, failed),
        ready: () => this.#peerReady(),
        applied: (entries, roundEnd) => this.#applied(entries, roundEnd),
        refused: (error) => this.#fail(error),
      },
    })
    if (equalBytes(theirs.teamDigest, this.#mine.teamDigest)) this.#rememberTeam()
    else this.#tellTeam()
    const sameVector = equalBytes(theirs.vectorDigest, this.#mine.vectorDigest)
    if (sameVector) this.#learnVector(this.#vectorAtHello)
    else for (const body of encodeVector(this.#vectorAtHello)) port.send(RELAY_VECTOR, body)
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
    )
    port.send(RELAY_READY, new Uint8Array(0))
  }

  #peerReady(): void {
    if (this.#ready) throw new BlazeError('PROTOCOL_VIOLATION', 'a second ready on one stream')
    this.#ready = true
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
    this.#o.port.progressed()
  }

  #answerMarks(): void {
    for (;;) {
      const mark = this.#marks[0]
      if (mark === undefined || !this.#outgoing.reached(mark.arrival)) return
      this.#marks.shift()
      this.#o.port.send(RELAY_MARKED, encodeMark(mark.id))
    }
  }

  #learnVector(entries: readonly VectorEntry[]): void {
    const { space } = this.#o
    for (const entry of entries) {
      if (this.#isOwn(entry)) {
        if (space.replica.compareOwnHead(entry.seq, entry.commitHash) !== 'equal') {
          this.#fail(
            new BlazeError(
              'FORKED',
              `the peer holds write ${entry.seq} of this device, which this directory does not know`,
              {
                details: { seq: entry.seq, replica: toHex(entry.replicaId) },
              },
            ),
          )
          return
        }
        space.replica.headConfirmed(this.#o.peer, entry.seq)
      }
      const key = bytesKey(entry.replicaId)
      const known = this.#peerVector.get(key)
      if (known === undefined || known.seq < entry.seq) this.#peerVector.set(key, entry)
    }
  }

  #isOwn(entry: VectorEntry): boolean {
    const { ownReplica } = this.#o
    return ownReplica !== undefined && equalBytes(entry.replicaId, ownReplica)
  }

  #tellTeam(): void {
    const { team } = this.#o.space
    const { port } = this.#o
    const entries = team.entries().filter((bytes) => this.#news(bytes))
    const announcements = team.announcements().filter((bytes) => this.#news(bytes))
    for (const body of encodeBlobs(entries)) port.send(RELAY_TEAM, body)
    for (const body of encodeBlobs(announcements)) port.send(RELAY_ANNOUNCE, body)
  }

  /** What the peer sent needs no echo. */
  #fromPeer(body: Uint8Array): Uint8Array {
    for (const blob of parseBlobs(body)) this.#news(blob)
    return body
  }

  #rememberTeam(): void {
    for (const bytes of this.#o.space.team.entries()) this.#news(bytes)
    for (const bytes of this.#o.space.team.announcements()) this.#news(bytes)
  }

  /** True once per entry or announcement. */
  #news(bytes: Uint8Array): boolean {
    const key = bytesKey(this.#o.crypto.sha256(bytes))
    if (this.#peerKnows.has(key)) return false
    this.#peerKnows.add(key)
    return true
  }

  #fail(error: unknown): void {
    if (!(error instanceof BlazeError)) throw error
    if (this.#ended) return
    this.end()
    this.#o.port.ended(error)
  }
}
