/**
 * What goes ahead of a round under way: small records that arrived since the round began, so that a large value does not hold them up.
 * Such a part names the arrival that the one before it named and no vector entry: it moves nothing but records (docs/decisions/0018).
 * Invariant: each arrival is looked at once a round; the round after it sends these tags again, in their order.
 */
import { limits } from '../../runtime/index.ts'
import { covers, type Replica, type RoundPart } from '../replica/index.ts'
import type { PeerVector } from './peer-vector.ts'

export class Express {
  readonly #replica: Replica
  readonly #peerVector: PeerVector
  #lookedUpTo: number

  /** `after`: the last arrival that the round itself covers. */
  constructor(replica: Replica, peerVector: PeerVector, after: number) {
    this.#replica = replica
    this.#peerVector = peerVector
    this.#lookedUpTo = after
  }

  get due(): boolean {
    return this.#replica.lastArrival > this.#lookedUpTo
  }

  /** Undefined when nothing of what is new is small, or all of it is known to the peer. */
  async next(upTo: number): Promise<RoundPart | undefined> {
    const { arrivals } = await this.#replica.arrivals(this.#lookedUpTo, limits.relayExpressArrivals)
    this.#lookedUpTo = arrivals.at(-1)?.arrival ?? this.#replica.lastArrival
    const tags = arrivals.map(({ tag }) => tag).filter((tag) => this.#goesAhead(tag))
    if (tags.length === 0) return undefined
    const cursor = { incarnation: this.#replica.incarnation, arrival: upTo }
    const round = this.#replica.startRound({ cursor, peerVector: this.#peerVector.entries, tags })
    const part = await round.next(limits.relayBulkPartBytes)
    round.close()
    // What did not fit comes with the next round.
    return { ...part, last: false }
  }

  #goesAhead(tag: Uint8Array): boolean {
    const live = this.#replica.committed(tag)
    if (live.some(({ bytes }) => bytes.length >= limits.relayBulkEnvelopeBytes)) return false
    const { entries, heard } = this.#peerVector
    return !live.every(({ replicaId, seq }) => covers(entries, replicaId, seq) || heard.has(replicaId, seq))
  }
}
