/**
 * Which batch records a store keeps (REPLICATION rule 26): enough of the newest that no batch can be lost without a gap among them.
 *
 * LevelDB holds what it has not yet written into a table file in at most two logs, each as long as its write buffer and one batch,
 * and it writes all of it into tables at every opening. So a byte that flips in a log can take batches of that stretch only, whole
 * ones, and a store that keeps the records of more than that sees the gap. What lies in tables is the pass's to find.
 *
 * Invariant: the kept records follow each other, and their number is bounded because a small batch counts more than it has.
 */
import { limits } from '../../runtime/index.ts'

export class BatchWindow {
  #firstKept: number
  /** Of the kept records, oldest first, from `#from` on. */
  #weights: number[]
  #from = 0
  #total = 0

  /** The records that were found: of the batches from `firstKept` on, by their bytes. */
  constructor(firstKept: number, bytes: readonly number[] = []) {
    this.#firstKept = firstKept
    this.#weights = bytes.map(weightOf)
    for (const weight of this.#weights) this.#total += weight
  }

  get firstKept(): number {
    return this.#firstKept
  }

  /** How many of the oldest records may go with a batch of so many bytes. */
  surplus(bytes: number): number {
    let total = this.#total + weightOf(bytes)
    let kept = this.#weights.length - this.#from + 1
    let surplus = 0
    while (kept > limits.batchRecordsMin && surplus < limits.batchRecordsDroppedMax) {
      total -= this.#weights[this.#from + surplus] ?? 0
      if (total < limits.batchRecordsBytes) break
      surplus += 1
      kept -= 1
    }
    return surplus
  }

  /** A batch of so many bytes was synced, and took that many of the oldest records away. */
  landed(bytes: number, dropped: number): void {
    this.#weights.push(weightOf(bytes))
    this.#total += weightOf(bytes)
    for (let left = dropped; left > 0; left -= 1) {
      this.#total -= this.#weights[this.#from] ?? 0
      this.#from += 1
      this.#firstKept += 1
    }
    // Half of it is gone: what is copied now pays for that many batches.
    if (this.#from > 64 && this.#from * 2 > this.#weights.length) {
      this.#weights = this.#weights.slice(this.#from)
      this.#from = 0
    }
  }
}

/** A huge batch must not push its neighbours in the same log out, and tiny ones must not pile up without bound. */
function weightOf(bytes: number): number {
  return Math.min(Math.max(bytes, limits.batchWeightBytesMin), limits.batchWeightBytesMax)
}
