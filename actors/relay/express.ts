/**
 * What goes ahead of a round under way: small records that arrived since the round began, and while the round sends what is large also
 * those that it comes to later itself, so that a large value does not hold them up. Such a part names the arrival that the one before it
 * named and no vector entry: it moves nothing but records (docs/decisions/0018).
 * Invariant: each arrival is looked at once a round; the round or the one after it sends these tags again, in their order.
 */
import { limits } from '../../runtime/index.ts'
import { covers, type Replica, type RoundPart } from '../replica/index.ts'
import type { PeerVector } from './peer-vector.ts'

export class Express {
  readonly #replica: Replica
  readonly #peerVector: PeerVector
  /** The last arrival that the round itself covers. */
  readonly #end: number
  #lookedUpTo: number
  /** The same of what the round covers. */
  #aheadUpTo = 0

  /** `end`: the last arrival that the round itself covers. */
  constructor(replica: Replica, peerVector: PeerVector, end: number) {
    this.#replica = replica
    this.#peerVector = peerVector
    this.#end = end
    this.#lookedUpTo = end
  }

  /** `upTo`: what the part before named; `bulk`: it was large. */
  due(upTo: number, bulk: boolean): boolean {
    return this.#replica.lastArrival > this.#lookedUpTo || this.#isAhead(upTo, bulk)
  }

  /** Undefined when nothing of what was looked at is small, or all of it is known to the peer. */
  async next(upTo: number, bulk: boolean): Promise<RoundPart | undefined> {
    const ahead = this.#isAhead(upTo, bulk)
    const from = ahead ? Math.max(this.#aheadUpTo, upTo) : this.#lookedUpTo
    const { arrivals } = await this.#replica.arrivals(from, limits.relayExpressArrivals)
    const last = arrivals.at(-1)?.arrival ?? this.#replica.lastArrival
    if (ahead) this.#aheadUpTo = last
    this.#lookedUpTo = Math.max(this.#lookedUpTo, last)
    const tags = arrivals.map(({ tag }) => tag).filter((tag) => this.#goesAhead(tag))
    if (tags.length === 0) return undefined
    const cursor = { incarnation: this.#replica.incarnation, arrival: upTo }
    const round = this.#replica.startRound({ cursor, peerVector: this.#peerVector.entries, tags })
    const part = await round.next(limits.relayBulkPartBytes)
    round.close()
    // What did not fit comes with the next round.
    return { ...part, last: false }
  }

  /** Where nothing is large the round itself comes to them as fast, and would only send them twice. */
  #isAhead(upTo: number, bulk: boolean): boolean {
    return bulk && Math.max(this.#aheadUpTo, upTo) < this.#end
  }

  #goesAhead(tag: Uint8Array): boolean {
    const live = this.#replica.committed(tag)
    if (live.some(({ bytes }) => bytes.length >= limits.relayBulkEnvelopeBytes)) return false
    const { entries, heard } = this.#peerVector
    return !live.every(({ replicaId, seq }) => covers(entries, replicaId, seq) || heard.has(replicaId, seq))
  }
}
