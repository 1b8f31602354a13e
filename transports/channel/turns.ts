/**
 * Whose turn it is to send: what is live before what catches up, that before bulk, and the streams of one rank in turn.
 * Invariant: of `limits.rankRunFragments` fragments in a row one belongs to a lower rank that waits, so that none waits for ever.
 */
import { limits } from '../../runtime/index.ts'
import type { Stream } from './stream.ts'

/** Of a stream; `live` unless its sender says otherwise. */
export type StreamRank = 'live' | 'catchUp' | 'bulk'

const RANKS: readonly StreamRank[] = ['live', 'catchUp', 'bulk']

export class Turns {
  readonly #byRank: Readonly<Record<StreamRank, Stream[]>> = { live: [], catchUp: [], bulk: [] }
  /** Fragments in a row that a higher rank had while a lower one waited. */
  #run = 0

  /** The stream has something to send. */
  add(stream: Stream): void {
    this.#byRank[stream.rank].push(stream)
  }

  remove(stream: Stream): void {
    const streams = this.#byRank[stream.rank]
    const at = streams.indexOf(stream)
    if (at >= 0) streams.splice(at, 1)
  }

  rank(stream: Stream, rank: StreamRank): void {
    if (stream.rank === rank) return
    const waits = this.#byRank[stream.rank].includes(stream)
    this.remove(stream)
    stream.rank = rank
    if (waits) this.add(stream)
  }

  /** Calls `lay` for one stream after the other until it says that a fragment went; false when it said so of none. */
  next(lay: (stream: Stream) => 'went' | 'blocked' | 'stop'): boolean {
    const ranks = this.#run >= limits.rankRunFragments ? LOWEST_FIRST : RANKS
    for (const rank of ranks) {
      const streams = this.#byRank[rank]
      for (let left = streams.length; left > 0; left--) {
        const stream = streams[0]
        if (stream === undefined) break
        const how = lay(stream)
        if (how === 'stop') return false
        // It becomes the last, or leaves.
        if (streams.length > 1 || stream.queue.first === undefined) streams.shift()
        if (stream.queue.first !== undefined && streams[0] !== stream) streams.push(stream)
        if (how === 'blocked') continue
        this.#count(rank)
        return true
      }
    }
    return false
  }

  #count(rank: StreamRank): void {
    const lower = RANKS.slice(RANKS.indexOf(rank) + 1)
    const waiting = lower.some((other) => this.#byRank[other].length > 0)
    this.#run = waiting && this.#run < limits.rankRunFragments ? this.#run + 1 : 0
  }
}

const LOWEST_FIRST: readonly StreamRank[] = [...RANKS].reverse()
