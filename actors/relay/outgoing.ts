/**
 * The sending half of a relay: rounds of parts from the peer's cursor, pulled one at a time. Holds at most
 * `limits.relayPartsInFlightMax` parts that the peer has not acknowledged; the arrival index is the queue, nothing is copied.
 */
import { BlazeError, limits } from '../../runtime/index.ts'
import type { StreamRank } from '../../transports/index.ts'
import {
  encodeItems,
  itemBytes,
  type PartItem,
  type Replica,
  type Round,
  type VectorEntry,
} from '../replica/index.ts'
import { Express } from './express.ts'
import { encodeData, RELAY_DATA, type RelayAck } from './message.ts'
import type { PeerVector } from './peer-vector.ts'

export interface OutgoingPort {
  /** False: above the mark, wait for `writable`. */
  send(type: number, body: Uint8Array): boolean
  /** Runs async work of the relay's cell; `done` is called in a turn of the cell. */
  run<T>(work: () => Promise<T>, done: (value: T) => void, failed: (error: unknown) => void): void
  /** What is sent from now on. */
  rank(rank: StreamRank): void
  /** A failed read ends the exchange. */
  failed(error: unknown): void
  /** More may be sent: calls `pump` unless something forbids it. */
  more(): void
  /** A round ended without a word to the peer: no acknowledgement will tell that this side is idle. */
  skipped(): void
  /** An entry of this side's vector leaves with the end of a round. */
  showing(entry: VectorEntry): void
  /** This side is itself in a longer round. */
  syncing(): boolean
}

interface SentPart {
  readonly round: number
  readonly part: number
  upTo: number
}

type PartRead = { readonly items: readonly PartItem[]; readonly upTo: number; readonly last: boolean }

export class Outgoing {
  readonly #replica: Replica
  readonly #port: OutgoingPort
  readonly #peerVector: PeerVector
  #round: Round | undefined
  #roundNumber = 0
  #partNumber = 0
  #reading = false
  #writable = true
  #ended = false
  /** Arrival up to which this side has sent or skipped; undefined until the first round ended. */
  #sentUpTo: number | undefined
  /** Below every arrival until the first round was acknowledged, also when it had nothing to say. */
  #ackedArrival = -1
  /** What the last round showed of the vector, and what the one under way shows. */
  #movesTold = -1
  #movesShown = -1
  /** Arrival that the last part named: where the peer's cursor will stand. */
  #toldUpTo = 0
  readonly #unacked: SentPart[] = []
  readonly #repairs: Uint8Array[] = []
  /** A round of deletions before the first. */
  #deletes: 'due' | 'sending' | 'done' = 'done'
  #express: Express | undefined
  #expressTurn = false
  /** The last part of the round was large. */
  #bulk = false
  #sent = 0
  #firstCursor: { incarnation: Uint8Array; arrival: number } | undefined

  constructor(o: { replica: Replica; port: OutgoingPort; peerVector: PeerVector }) {
    this.#replica = o.replica
    this.#port = o.port
    this.#peerVector = o.peerVector
  }

  /** `deletesFirst`: the peer has refused more data. `skip`: the peer's cursor stands at our last arrival and the vectors are equal, so no first round is due. */
  start(
    cursor: { incarnation: Uint8Array; arrival: number } | undefined,
    skip: boolean,
    deletesFirst: boolean,
  ): void {
    this.#firstCursor = cursor
    this.#deletes = deletesFirst && !skip ? 'due' : 'done'
    if (!skip || cursor === undefined) return
    this.#sentUpTo = this.#ackedArrival = this.#toldUpTo = cursor.arrival
    this.#movesTold = this.#replica.vectorMoves
  }

  /** True when all arrivals were sent and acknowledged. */
  get idle(): boolean {
    return (
      this.#round === undefined &&
      this.#unacked.length === 0 &&
      this.#repairs.length === 0 &&
      this.#sentUpTo !== undefined &&
      this.#sentUpTo >= this.#replica.lastArrival
    )
  }

  /** True when the peer has acknowledged everything up to `arrival` that it lacked. */
  reached(arrival: number): boolean {
    return this.idle || (this.#sentUpTo !== undefined && this.#ackedArrival >= arrival)
  }

  /** Arrivals that the peer has not acknowledged; an upper bound. */
  get lag(): number {
    return this.idle ? 0 : this.#replica.lastArrival - Math.max(0, this.#ackedArrival)
  }

  /** Envelopes, those included that were sent again. */
  get sent(): number {
    return this.#sent
  }

  /** Parts. */
  get unacked(): number {
    return this.#unacked.length
  }

  /** Sends what may be sent now. Cheap when there is nothing. */
  pump(): void {
    if (this.#ended || this.#reading || !this.#writable) return
    if (this.#unacked.length >= limits.relayPartsInFlightMax) return
    const round = this.#round ?? this.#begin()
    if (round === undefined) return
    this.#reading = true
    // Between two parts of the round, never two in a row.
    const [upTo, bulk] = [this.#toldUpTo, this.#bulk]
    const express =
      this.#partNumber > 0 && this.#expressTurn && this.#express?.due(upTo, bulk) === true
        ? this.#express
        : undefined
    this.#expressTurn = express === undefined
    this.#port.run(
      async () => (express === undefined ? round.next(limits.relayPartBytes) : express.next(upTo, bulk)),
      (part) => this.#partRead(part, express !== undefined),
      (error) => {
        this.#reading = false
        if (!this.#ended) this.#port.failed(error)
      },
    )
  }

  writable(): void {
    this.#writable = true
    this.#port.more()
  }

  acked(ack: RelayAck): void {
    const sent = this.#unacked.shift()
    if (sent === undefined || sent.round !== ack.round || sent.part !== ack.part) {
      throw new BlazeError(
        'PROTOCOL_VIOLATION',
        `ack of part ${ack.round}.${ack.part}, which is not the next one in flight`,
      )
    }
    this.#ackedArrival = sent.upTo
  }

  end(): void {
    this.#ended = true
    this.#round?.close()
    this.#round = undefined
  }

  /** Tags that the peer has to be sent whatever its vector says, once the first round is over. */
  repair(tags: readonly Uint8Array[]): void {
    this.#repairs.push(...tags.slice(0, Math.max(0, limits.scrubTagsMax - this.#repairs.length)))
    this.#port.more()
  }

  /** The next round, if there is something new. */
  #begin(): Round | undefined {
    const sentUpTo = this.#sentUpTo
    if (sentUpTo !== undefined && this.#repairs.length > 0)
      return this.#start(sentUpTo, this.#repairs.splice(0))
    // The end of a round of another peer may bring nothing new but its vector.
    const moved = this.#movesTold !== this.#replica.vectorMoves
    if (sentUpTo !== undefined && sentUpTo >= this.#replica.lastArrival && !moved) return undefined
    // Only the end of the peer's round says what it holds: until then its own writes would come back to it.
    if (sentUpTo !== undefined && this.#port.syncing()) return undefined
    return this.#start(sentUpTo)
  }

  #start(sentUpTo: number | undefined, tags?: readonly Uint8Array[]): Round | undefined {
    const deletes = this.#deletes === 'due'
    if (deletes) this.#deletes = 'sending'
    this.#roundNumber += 1
    this.#partNumber = 0
    const cursor =
      sentUpTo === undefined
        ? this.#firstCursor
        : { incarnation: this.#replica.incarnation, arrival: sentUpTo }
    this.#movesShown = tags === undefined ? this.#replica.vectorMoves : this.#movesTold
    try {
      const { entries: peerVector, heard } = this.#peerVector
      this.#round = this.#replica.startRound({ cursor, peerVector, heard, tags, deletes })
    } catch (error) {
      this.#port.failed(error)
    }
    const { lastArrival = 0 } = this.#round ?? {}
    this.#express = deletes ? undefined : new Express(this.#replica, this.#peerVector, lastArrival)
    return this.#round
  }

  #partRead(part: PartRead | undefined, express: boolean): void {
    this.#reading = false
    if (this.#ended) return
    if (part === undefined || express) {
      if (part !== undefined) {
        this.#partNumber += 1
        this.#port.rank('live')
        this.#send(part, false)
      }
      return this.#port.more()
    }
    const deleting = this.#deletes === 'sending'
    const first = this.#sentUpTo === undefined && !deleting
    this.#partNumber += 1
    // An echo or a change the peer is known to have: nothing to say, until its cursor would lag too far behind.
    const skipped =
      !first &&
      this.#partNumber === 1 &&
      part.last &&
      part.items.length === 0 &&
      part.upTo - this.#toldUpTo < limits.relaySkippedArrivalsMax
    if (skipped) this.#skip(part.upTo)
    else {
      const rank = rankOf(part, this.#partNumber)
      this.#bulk = rank === 'bulk'
      this.#port.rank(rank)
      this.#send(part, part.last && !deleting)
    }
    if (part.last) {
      this.#round?.close()
      this.#round = undefined
      this.#express = undefined
      this.#deletes = 'done'
      if (!deleting) this.#sentUpTo = part.upTo
      if (!deleting) this.#movesTold = this.#movesShown
    }
    if (skipped) this.#port.skipped()
    this.#port.more()
  }

  /** What the peer need not be told counts as acknowledged with what was sent before it. */
  #skip(upTo: number): void {
    const last = this.#unacked.at(-1)
    if (last === undefined) this.#ackedArrival = upTo
    else last.upTo = upTo
  }

  /** `roundEnd`: a round of deletions has none, for the one after it goes on. */
  #send(part: PartRead, roundEnd: boolean): void {
    for (const item of part.items) {
      if (item.kind === 'vector') this.#port.showing(item.entry)
      else if (item.kind === 'envelope') this.#sent += 1
    }
    this.#toldUpTo = part.upTo
    const batches = inBatches(part.items)
    for (const [at, items] of batches.entries()) {
      const last = at === batches.length - 1
      const body = encodeData({
        round: this.#roundNumber,
        part: this.#partNumber,
        partEnd: last,
        roundEnd: last && roundEnd,
        upTo: part.upTo,
        items: encodeItems(items),
      })
      if (!this.#port.send(RELAY_DATA, body)) this.#writable = false
    }
    this.#unacked.push({
      round: this.#roundNumber,
      part: this.#partNumber,
      upTo: part.upTo,
    })
  }
}

/** Live traffic is rounds of one part. */
function rankOf({ items, last }: PartRead, number: number): StreamRank {
  if (items.some((item) => item.kind === 'envelope' && item.bytes.length >= limits.relayBulkEnvelopeBytes))
    return 'bulk'
  return last && number === 1 ? 'live' : 'catchUp'
}

/** The items of a part in runs that fit a message; one empty run for a part without items. */
function inBatches(items: readonly PartItem[]): PartItem[][] {
  let batch: PartItem[] = []
  let bytes = 0
  const batches = [batch]
  for (const item of items) {
    const more = itemBytes(item)
    if (batch.length > 0 && bytes + more > limits.relayBatchBytesMax) {
      batch = []
      bytes = 0
      batches.push(batch)
    }
    batch.push(item)
    bytes += more
  }
  return batches
}
