/** The wall clock of a peer as it was told at hello, carried on by our monotonic clock. Pure. */
import { limits, type Env } from '../../runtime/index.ts'

/** 2024-01-01: no clock that was ever set is before it, and one that was not says nothing about ours. */
const UNSET_BEFORE_MS = 1_704_067_200_000

/** What a peer's clock showed. */
export interface PeerClock {
  /** Its wall clock, ms. */
  readonly wallMs: number
  /** Our monotonic clock at that moment, ms. */
  readonly monotonicMs: number
}

/** The peer's clock minus ours now, ms, as far as both have run evenly since; contains the latency of the link. */
export function clockOffset(env: Pick<Env, 'now' | 'monotonic'>, { wallMs, monotonicMs }: PeerClock): number {
  return Math.round(wallMs + (env.monotonic() - monotonicMs) - env.now())
}

/** Whether our clock is too far from the peer's to write by it (REPLICATION rule 15). */
export function isSkewed(env: Pick<Env, 'now' | 'monotonic'>, peer: PeerClock): boolean {
  return !isUnset(peer) && Math.abs(clockOffset(env, peer)) > limits.clockAheadMsMax
}

/** As a small computer without a battery shows it after it was switched on. */
export function isUnset({ wallMs }: PeerClock): boolean {
  return wallMs < UNSET_BEFORE_MS
}
