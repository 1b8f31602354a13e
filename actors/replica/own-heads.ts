/**
 * The heads of this device's own history that a peer may show again (REPLICATION rule 23): each batch of own writes ends in one.
 * Invariant: a head that was sent to a peer stays until that peer has confirmed a later one; only heads that nobody was shown, and
 * those that all have confirmed, are forgotten by number.
 */
import { bytesKey, equalBytes, limits } from '../../runtime/index.ts'
import type { OwnHeadComparison } from './replica.ts'

interface PeerHeads {
  confirmed: number
  /** Sent after `confirmed`, ascending; the peer may hold any of them. */
  shown: number[]
}

export class OwnHeads {
  /** Found at opening, or sent to a peer. */
  readonly #kept: Map<number, Uint8Array>
  /** Below what every peer has confirmed, oldest first: only a peer that was restored from an older copy shows one. */
  readonly #settled = new Map<number, Uint8Array>()
  /** Of this opening and sent to nobody, oldest first. */
  readonly #fresh = new Map<number, Uint8Array>()
  readonly #peers = new Map<string, PeerHeads>()
  /** No peer can show these any more; their rows go with the next batches. */
  #done: number[] = []

  /** The last seq that every peer has confirmed, and whether its row says so. */
  #confirmed: number
  #stored: number

  /** `found`: any of them may have been sent before, by an opening that has forgotten to whom. `confirmed`: as its row says. */
  constructor(found: ReadonlyMap<number, Uint8Array>, confirmed = 0) {
    this.#kept = new Map(found)
    this.#confirmed = confirmed
    this.#stored = confirmed
  }

  /** The last seq that every peer has confirmed, as far as this opening and the ones before know. */
  get confirmedSeq(): number {
    return this.#confirmed
  }

  /** What the row of the confirmed head should say, when it says something else. */
  unstored(): number | undefined {
    return this.#confirmed > this.#stored ? this.#confirmed : undefined
  }

  /** The batch that says so was synced. */
  stored(confirmed: number): void {
    this.#stored = Math.max(this.#stored, confirmed)
  }

  get(seq: number): Uint8Array | undefined {
    return this.#kept.get(seq) ?? this.#fresh.get(seq) ?? this.#settled.get(seq)
  }

  compare(seq: number, commitHash: Uint8Array): OwnHeadComparison {
    const known = this.get(seq)
    if (known === undefined) return 'unknown'
    return equalBytes(known, commitHash) ? 'equal' : 'different'
  }

  /** The head leaves for a peer: from now on the peer may show it. */
  shown(peer: Uint8Array, seq: number): void {
    const heads = this.#of(peer)
    if (seq <= (heads.shown.at(-1) ?? heads.confirmed)) return
    heads.shown.push(seq)
    this.#keep(seq)
  }

  /** The peer holds this head, so it will show no earlier one. */
  confirmed(peer: Uint8Array, seq: number): void {
    const heads = this.#of(peer)
    if (seq < heads.confirmed) return
    heads.confirmed = seq
    heads.shown = heads.shown.filter((later) => later > seq)
    this.#keep(seq)
    // No peer shows less than it confirmed; what is later may still be sent, or on its way.
    const lowest = Math.min(...[...this.#peers.values()].map((peerHeads) => peerHeads.confirmed))
    this.#confirmed = Math.max(this.#confirmed, lowest)
    for (const [kept, hash] of this.#kept) {
      if (kept >= lowest) continue
      this.#kept.delete(kept)
      this.#settled.set(kept, hash)
    }
    for (const settled of this.#settled.keys()) {
      if (this.#settled.size <= limits.ownHeadsConfirmedMax) return
      this.#settled.delete(settled)
      this.#done.push(settled)
    }
  }

  /** Rows that the next batch removes, for one head more. */
  surplus(): number[] {
    const rows = this.#done.slice(0, limits.ownHeadsDroppedMax)
    for (const [heads, max] of [
      [this.#fresh, limits.ownHeadsMax],
      [this.#kept, limits.ownHeadsKeptMax],
    ] as const) {
      const oldest = heads.keys().next().value
      if (heads.size >= max && oldest !== undefined) rows.push(oldest)
    }
    return rows
  }

  /** The batch that ends in this head, and removes these rows, was synced. */
  landed(head: { readonly seq: number; readonly commitHash: Uint8Array }, removed: readonly number[]): void {
    for (const seq of removed) {
      this.#fresh.delete(seq)
      this.#kept.delete(seq)
      this.#settled.delete(seq)
    }
    if (this.#done.length > 0) {
      const gone = new Set(removed)
      this.#done = this.#done.filter((seq) => !gone.has(seq))
    }
    this.#fresh.set(head.seq, head.commitHash)
  }

  #keep(seq: number): void {
    const hash = this.#fresh.get(seq)
    if (hash === undefined) return
    this.#fresh.delete(seq)
    this.#kept.set(seq, hash)
  }

  #of(peer: Uint8Array): PeerHeads {
    const key = bytesKey(peer)
    let heads = this.#peers.get(key)
    if (heads === undefined) {
      heads = { confirmed: 0, shown: [] }
      this.#peers.set(key, heads)
    }
    return heads
  }
}
