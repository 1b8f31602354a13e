/**
 * What a replica knows of its store without reading it: numbers, vector, own heads, recent arrivals.
 * Invariant: it shows the last synced batch and changes only when a batch has landed.
 */
import { equalBytes, limits } from '../../runtime/index.ts'
import type { Ahead } from './ahead.ts'
import type { BatchWindow } from './batch-window.ts'
import type { OwnHeads } from './own-heads.ts'
import type { Rebase } from './rebase/rebase.ts'
import type { Arrival } from './replica.ts'
import type { Incarnation, SoundnessRow, StoredVectorEntry } from './row.ts'
import type { SetHash } from './set-hash.ts'

/** As found on the disk, or as a batch leaves it. */
export interface ReplicaNumbers {
  readonly lastArrival: number
  /** Number of the newest batch record. */
  readonly batch: number
  readonly setHash: SetHash
  readonly liveEnvelopes: number
  readonly tags: number
  /** Of all live envelopes. */
  readonly liveBytes: number
}

/** Of a store in which nothing is. */
export const NO_NUMBERS: Omit<ReplicaNumbers, 'setHash'> = {
  lastArrival: 0,
  batch: 0,
  liveEnvelopes: 0,
  tags: 0,
  liveBytes: 0,
}

export interface ReplicaState {
  numbers: ReplicaNumbers
  /** By `bytesKey(replicaId)`. */
  readonly vector: Map<string, StoredVectorEntry>
  /** Batches that moved the vector, of this opening. */
  vectorMoves: number
  readonly heads: OwnHeads
  readonly ahead: Ahead
  /** Newest last. */
  readonly incarnations: readonly Incarnation[]
  readonly recent: RecentArrivals
  /** What this replica still owes before it may write, serve or acknowledge. */
  rebase: Rebase | undefined
  /** The batch records that the store keeps. */
  readonly window: BatchWindow
  /** As the opening stored it. */
  readonly soundness: SoundnessRow
}

/** The last arrival of an incarnation, or undefined when it is not listed (rule 14). */
export function lastArrivalOf(state: ReplicaState, incarnation: Uint8Array): number | undefined {
  const at = state.incarnations.findIndex(({ id }) => equalBytes(id, incarnation))
  if (at === -1) return undefined
  const next = state.incarnations[at + 1]
  return next === undefined ? state.numbers.lastArrival : next.firstArrival - 1
}

/** The newest synced arrivals in a ring: arrivals have no gaps, so their number is their place. */
export class RecentArrivals {
  readonly #tags: Uint8Array[] = []
  #first: number
  #last: number

  constructor(lastArrival: number) {
    this.#first = lastArrival + 1
    this.#last = lastArrival
  }

  add({ arrival, tag }: Arrival): void {
    this.#tags[arrival % limits.recentArrivalsMax] = tag
    this.#last = arrival
    this.#first = Math.max(this.#first, arrival - limits.recentArrivalsMax + 1)
  }

  /** The arrivals after that one, at most `limit`, or undefined when some are no longer here. */
  since(arrival: number, limit: number = limits.recentArrivalsMax): Arrival[] | undefined {
    if (arrival + 1 < this.#first) return undefined
    const found: Arrival[] = []
    const last = Math.min(this.#last, arrival + limit)
    for (let next = arrival + 1; next <= last; next += 1) {
      const tag = this.#tags[next % limits.recentArrivalsMax]
      if (tag !== undefined) found.push({ arrival: next, tag })
    }
    return found
  }
}
