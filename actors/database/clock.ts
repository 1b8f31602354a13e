/**
 * The hybrid logical clock that stamps writes (Kulkarni et al., 2014).
 * Invariant: stamps of one clock only grow, exceed every stamp it observed, and never lead the wall clock by more than the limit. What was
 * shown once stays shown, wherever the wall clock goes.
 */
import { BlazeError, equalBytes, limits } from '../../runtime/index.ts'
import type { Env } from '../../runtime/index.ts'
import { clockOffset, isSkewed, type PeerClock } from '../relay/index.ts'
import type { RecordState, Stamp } from './record/record.ts'

const COUNTER_MAX = 0xffff
export class HybridClock {
  readonly #env: Env
  #writer: Uint8Array
  #ms = 0
  #counter = 0
  #shownBefore = 0
  #peer: PeerClock | undefined

  /** `writer` is the replica id that the stamps carry. */
  constructor(env: Env, writer: Uint8Array) {
    this.#env = env
    this.#writer = writer
  }

  /** The database has another replica id from now on. */
  writeAs(writer: Uint8Array): void {
    this.#writer = writer
  }

  /** The latest time of a stamp that was shown, also before this opening; survives in the state of the indexes (PROTOCOL §6.3). */
  get shownMs(): number {
    return Math.max(this.#ms, this.#shownBefore)
  }

  /** What an earlier opening has shown. */
  wasShown(ms: number): void {
    this.#shownBefore = Math.max(this.#shownBefore, ms)
  }

  /**
   * The same of a write of this replica id, or nothing of another's: whoever makes a write shows it and what it merges, also when a
   * crash took the note of that.
   */
  showed(replicaId: Uint8Array, state: RecordState): boolean {
    if (!equalBytes(replicaId, this.#writer)) return false
    this.wasShown(latestMs(state))
    return true
  }

  measured(peer: PeerClock): void {
    this.#peer = peer
  }

  /** A stamp for one write. `CLOCK_SKEW` while the wall clock is too far from a peer's, or behind what this clock has seen. */
  tick(): Stamp {
    const now = this.#env.now()
    const peer = this.#peer
    if (peer !== undefined && isSkewed(this.#env, peer)) {
      throw new BlazeError(
        'CLOCK_SKEW',
        'the wall clock differs from that of the supervisor by more than the limit',
        {
          details: { offsetMs: clockOffset(this.#env, peer), offsetMsMax: limits.clockAheadMsMax },
        },
      )
    }
    if (this.#ms - now > limits.clockAheadMsMax) throw behind(this.#ms - now)
    if (now > this.#ms) {
      this.#ms = Math.floor(now)
      this.#counter = 0
    } else if (this.#counter < COUNTER_MAX) {
      this.#counter += 1
    } else {
      this.#ms += 1
      this.#counter = 0
    }
    return { ms: this.#ms, counter: this.#counter, writer: this.#writer }
  }

  /**
   * Later stamps will exceed this one. One that is too far ahead is ignored: its envelope is held, or was shown by an opening when the
   * wall clock was further, and then `expectPast` is what keeps a write of now from losing to it.
   */
  observe(stamp: Stamp): void {
    if (stamp.ms < this.#ms || (stamp.ms === this.#ms && stamp.counter <= this.#counter)) return
    if (stamp.ms - this.#env.now() > limits.clockAheadMsMax) return
    this.#ms = stamp.ms
    this.#counter = stamp.counter
  }

  /** `CLOCK_SKEW` when a write to the record would be the earlier one, because the wall clock was set back. */
  expectPast(state: RecordState): void {
    const latest = this.#env.now() + limits.clockAheadMsMax
    if (this.shownMs <= latest) return
    const ms = latestMs(state)
    if (ms > latest) throw behind(ms - this.#env.now())
  }

  /** Milliseconds until the stamp may be shown; 0 when it may be now. */
  aheadMs(stamp: Stamp): number {
    if (stamp.ms <= this.shownMs) return 0
    return Math.max(0, stamp.ms - this.#env.now() - limits.clockAheadMsMax)
  }
}

function latestMs({ deleted, fields }: RecordState): number {
  return Math.max(deleted?.ms ?? 0, ...[...fields.values()].map(({ stamp }) => stamp.ms))
}

function behind(behindMs: number): BlazeError {
  return new BlazeError('CLOCK_SKEW', 'the wall clock is behind earlier writes by more than the limit', {
    details: { behindMs, behindMsMax: limits.clockAheadMsMax },
  })
}
