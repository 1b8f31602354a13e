/**
 * Writes that the peer has sent over this exchange and that its vector does not cover yet: it has them, or what killed them, so they are
 * not sent back.
 * Invariant: only what the peer sent is named. Of more ranges than there is room for the lowest are forgotten, and sent back.
 */
import { bytesKey, limits } from '../../runtime/index.ts'

interface Range {
  from: number
  to: number
}

export class Heard {
  /** By `bytesKey` of the replica id: ascending, with gaps between them. */
  readonly #ranges = new Map<string, Range[]>()
  #count = 0

  add(replicaId: Uint8Array, seq: number): void {
    const key = bytesKey(replicaId)
    const ranges = this.#ranges.get(key) ?? []
    if (ranges.length === 0) this.#ranges.set(key, ranges)
    const at = firstEnding(ranges, seq)
    const [before, here] = [ranges[at - 1], ranges[at]]
    if (here !== undefined && here.from <= seq) return
    const follows = before?.to === seq - 1
    const precedes = here?.from === seq + 1
    if (follows && precedes) {
      before.to = here.to
      ranges.splice(at, 1)
      this.#count -= 1
    } else if (follows) before.to = seq
    else if (precedes) here.from = seq
    else {
      ranges.splice(at, 0, { from: seq, to: seq })
      this.#count += 1
      if (this.#count > limits.relayHeardRangesMax) this.#forget(ranges)
    }
  }

  has(replicaId: Uint8Array, seq: number): boolean {
    if (this.#count === 0) return false
    const ranges = this.#ranges.get(bytesKey(replicaId))
    const range = ranges?.[firstEnding(ranges, seq)]
    return range !== undefined && range.from <= seq
  }

  /** The peer's vector covers the writes of this replica up to here: they need not be named. */
  covered(replicaId: Uint8Array, seq: number): void {
    if (this.#count === 0) return
    const key = bytesKey(replicaId)
    const ranges = this.#ranges.get(key)
    if (ranges === undefined) return
    const first = firstEnding(ranges, seq + 1)
    ranges.splice(0, first)
    this.#count -= first
    if (ranges.length === 0) this.#ranges.delete(key)
  }

  #forget(ranges: Range[]): void {
    ranges.shift()
    this.#count -= 1
  }
}

/** Index of the first range that ends at `seq` or later. */
function firstEnding(ranges: readonly Range[], seq: number): number {
  let [low, high] = [0, ranges.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((ranges[middle]?.to ?? 0) < seq) low = middle + 1
    else high = middle
  }
  return low
}
