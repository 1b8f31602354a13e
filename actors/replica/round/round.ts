/**
 * A round being sent: the tags that a peer may lack, part by part, in order of arrival (REPLICATION rules 10–14, PROTOCOL §10).
 * Invariant: everything a round says was true at one moment, and was synced then.
 */
import { assert, BlazeError, limits } from '../../../runtime/index.ts'
import { PartAssembler } from './part-assembler.ts'
import type { RecentArrivals } from '../replica-state.ts'
import type { Arrival, HeardWrites, Round, RoundPart } from '../replica.ts'
import type { RoundSource, SnapshotSource } from './round-source.ts'
import { arrivalKey, numberOfKey } from '../row.ts'
import type { Held, StoredVectorEntry, TagRow } from '../row.ts'
import type { StoreSnapshot } from '../store.ts'
import { covers } from '../vector.ts'
import type { Vector } from '../vector.ts'

/** What a round needs of its replica. */
export interface RoundHost {
  /** Throws once the replica is closed or poisoned. */
  check(): void
  /** The synced present, valid for this turn of the event loop only. */
  present(): RoundSource
  readonly recent: RecentArrivals
  /** A snapshot of just what is synced. */
  snapshot(): Promise<OpenedSnapshot>
}

interface OpenedSnapshot {
  readonly snapshot: StoreSnapshot
  readonly source: SnapshotSource
}

export interface RoundFrom {
  readonly after: number
  readonly peerVector: Vector
  readonly heard?: HeardWrites | undefined
  /** A repair: these, and nothing else. */
  readonly tags?: readonly Uint8Array[] | undefined
  /** Only tags that are deleted; cursor and vector of the peer stay. */
  readonly deletes?: boolean | undefined
}

/** Sends what arrived after `after`, without the tags whose live dots `peerVector` covers. */
export function createRound(host: RoundHost, from: RoundFrom): Round {
  return from.tags === undefined
    ? new OutgoingRound(host, from)
    : new RepairRound(host, from.after, from.tags)
}

class OutgoingRound implements Round {
  readonly #host: RoundHost
  readonly #peerVector: Vector
  readonly #heard: HeardWrites | undefined
  /** Everything up to here is sent or skipped. */
  #position: number
  #lastArrival: number
  /** Of a round of deletions: the arrival that all its parts name. */
  readonly #held: number | undefined
  #page: Arrival[] = []
  /** Arrivals that a round over everything has passed: a tag that the index lost would be missing for good at the peer. */
  #passed: number | undefined
  #opened: OpenedSnapshot | undefined
  #state: 'ready' | 'busy' | 'done' | 'closed' = 'ready'

  constructor(host: RoundHost, { after, peerVector, heard, deletes = false }: RoundFrom) {
    this.#host = host
    this.#position = after
    this.#held = deletes ? after : undefined
    if (after === 0) this.#passed = 0
    this.#peerVector = peerVector
    this.#heard = heard
    this.#lastArrival = host.present().lastArrival
  }

  get lastArrival(): number {
    return this.#lastArrival
  }

  async next(bytesMax: number): Promise<RoundPart> {
    if (this.#state === 'closed') throw new BlazeError('CLOSED', 'the round is closed')
    assert(this.#state === 'ready', `the next part of a round that is ${this.#state}`)
    this.#host.check()
    this.#state = 'busy'
    const part =
      (this.#opened === undefined ? this.#atOnce(bytesMax) : undefined) ??
      (await this.#fromSnapshot(bytesMax))
    // It may have been closed while it read.
    if (this.#is('closed')) throw new BlazeError('CLOSED', 'the round is closed')
    this.#state = part.last ? 'done' : 'ready'
    return part
  }

  close(): void {
    this.#state = 'closed'
    this.#page = []
    void this.#opened?.snapshot.close()
    this.#opened = undefined
  }

  #is(state: string): boolean {
    return this.#state === state
  }

  /** The whole round without a snapshot, when it is small and recent: between two turns nothing changes. */
  #atOnce(bytesMax: number): RoundPart | undefined {
    const arrivals = this.#host.recent.since(this.#position)
    if (arrivals === undefined) return undefined
    const source = this.#host.present()
    const assembler = new PartAssembler(source)
    for (const { arrival, tag } of arrivals) {
      const row = source.tag(tag)
      // A later arrival of the same tag comes further on.
      if (row === undefined || row.arrival !== arrival || this.#skips(row)) continue
      if (!assembler.add(row.live, bytesMax)) return undefined
    }
    if (!assembler.addVector(this.#lacking(source), bytesMax)) return undefined
    this.#lastArrival = source.lastArrival
    return { items: assembler.items(), upTo: this.#held ?? source.lastArrival, last: true }
  }

  async #fromSnapshot(bytesMax: number): Promise<RoundPart> {
    const { snapshot, source } = await this.#open()
    const assembler = new PartAssembler(source)
    let max = bytesMax
    for (;;) {
      if (this.#page.length === 0) this.#page = await this.#fetch(snapshot)
      if (this.#is('closed') || this.#page.length === 0) break
      for (const [index, { arrival, tag }] of this.#page.entries()) {
        const row = source.tag(tag)
        if (row?.arrival !== arrival) throw damaged(`arrival ${arrival} leads to no tag`)
        if (!this.#skips(row) && row.live.some(isBulk)) max = Math.min(bytesMax, limits.relayBulkPartBytes)
        if (!this.#skips(row) && !assembler.add(row.live, max)) {
          this.#page = this.#page.slice(index)
          return { items: assembler.items(), upTo: this.#held ?? this.#position, last: false }
        }
        this.#position = arrival
        if (this.#passed !== undefined) this.#passed += 1
      }
      this.#page = []
    }
    if (!this.#is('closed') && this.#passed !== undefined && this.#passed !== source.tags)
      throw damaged(`${this.#passed} arrivals lead to ${source.tags} tags`)
    if (!assembler.addVector(this.#lacking(source), bytesMax)) {
      return { items: assembler.items(), upTo: this.#held ?? this.#position, last: false }
    }
    return { items: assembler.items(), upTo: this.#held ?? source.lastArrival, last: true }
  }

  async #open(): Promise<OpenedSnapshot> {
    if (this.#opened !== undefined) return this.#opened
    const opened = await this.#host.snapshot()
    if (this.#is('closed')) {
      void opened.snapshot.close()
      throw new BlazeError('CLOSED', 'the round is closed')
    }
    this.#opened = opened
    this.#lastArrival = opened.source.lastArrival
    await this.#skipAll(opened.source)
    return opened
  }

  /** After a long round of the peer itself, all that arrived here is its own: nothing of it has to be read to know that. */
  async #skipAll(source: SnapshotSource): Promise<void> {
    if (this.#lastArrival - this.#position <= limits.rangeRowsMax) return
    if (!(await source.isCoveredBy(this.#peerVector))) return
    this.#position = this.#lastArrival
    this.#passed = undefined
  }

  async #fetch(snapshot: StoreSnapshot): Promise<Arrival[]> {
    const rows = await snapshot.range({
      gte: arrivalKey(this.#position + 1),
      lt: arrivalKey(this.#lastArrival + 1),
      limit: limits.rangeRowsMax,
    })
    return rows.map(([key, tag]) => ({ arrival: numberOfKey(key), tag }))
  }

  /** No echo: the peer has seen each of them, or what killed it. */
  #skips(row: TagRow): boolean {
    if (this.#held !== undefined && !row.live.every(({ envelope }) => envelope.deleted)) return true
    return row.live.every(
      ({ envelope: { replicaId, seq } }) =>
        covers(this.#peerVector, replicaId, seq) || this.#heard?.has(replicaId, seq) === true,
    )
  }

  #lacking(source: RoundSource): StoredVectorEntry[] {
    if (this.#held !== undefined) return []
    return [...source.vector.values()].filter(
      (entry) => !covers(this.#peerVector, entry.replicaId, entry.seq),
    )
  }
}

/** Some tags as they are when their part is made. It moves neither cursor nor vector of the peer. */
class RepairRound implements Round {
  readonly lastArrival: number
  readonly #host: RoundHost
  #tags: readonly Uint8Array[]

  constructor(host: RoundHost, lastArrival: number, tags: readonly Uint8Array[]) {
    this.#host = host
    this.lastArrival = lastArrival
    this.#tags = tags
  }

  async next(bytesMax: number): Promise<RoundPart> {
    this.#host.check()
    const source = this.#host.present()
    const assembler = new PartAssembler(source)
    for (const [index, tag] of this.#tags.entries()) {
      const row = source.tag(tag)
      if (row === undefined || assembler.add(row.live, bytesMax)) continue
      this.#tags = this.#tags.slice(index)
      return { items: assembler.items(), upTo: this.lastArrival, last: false }
    }
    return { items: assembler.items(), upTo: this.lastArrival, last: true }
  }

  close(): void {
    this.#tags = []
  }
}

function isBulk({ envelope }: Held): boolean {
  return envelope.bytes.length >= limits.relayBulkEnvelopeBytes
}

function damaged(problem: string): BlazeError {
  return new BlazeError('DAMAGED', `the store is damaged: ${problem}; restore from a peer or a backup`, {
    details: { problems: [problem], count: 1 },
  })
}
