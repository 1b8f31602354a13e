/** What an exchange says of itself beside its states: how far it is, and what the peer has lost. Pure. */
import { equalBytes } from '../../runtime/index.ts'
import type { Cursor } from '../replica/index.ts'
import type { RelayHello } from './message.ts'
import type { PeerClock } from './peer-clock.ts'
import type { ScrubReport } from './scrub.ts'

/** In arrivals of the peer, from where this side stood at hello to what the peer had at hello. */
export interface Progress {
  readonly applied: number
  readonly of: number
}

/**
 * The peer came back without writes of this device that it had confirmed: its directory was deleted, or restored from an older copy. It is
 * sent them again like everything else that its vector lacks.
 */
export interface Lost {
  /** Last own seq that the peer had confirmed, and that it holds now. */
  readonly confirmed: number
  readonly held: number
}

interface Counts {
  /** Writes since hello, those that were known included. */
  readonly received: number
  readonly sent: number
  /** Parts that the peer has not acknowledged. */
  readonly unacked: number
}

export interface Standing {
  /** In the middle of a round of more than one part. */
  readonly receiving: boolean
  readonly counts: Counts
  /** Undefined once what the peer had at hello is applied. */
  readonly progress: Progress | undefined
  readonly lost: Lost | undefined
  readonly scrub: ScrubReport
  /** At hello. */
  readonly peerClock: PeerClock | undefined
}

/** `upTo`: arrival of the peer up to which this side has applied its parts. */
export function progressOf(
  { incarnation, lastArrival }: RelayHello,
  cursor: Cursor | undefined,
  upTo: number,
): Progress {
  const resumes = cursor !== undefined && equalBytes(cursor.incarnation, incarnation)
  const from = resumes ? Math.min(cursor.arrival, lastArrival) : 0
  return { applied: Math.min(Math.max(upTo, from), lastArrival) - from, of: lastArrival - from }
}
