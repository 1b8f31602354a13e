/** One state and one sentence for everything that can hold up a sync (DESIGN §8). Pure: reports in, words out. */
import type { ErrorCode } from '../../runtime/index.ts'
import type { ConnectionReport } from '../connection/index.ts'
import type { Lost, Progress } from '../relay/index.ts'
import type { SyncRates } from './sync-meter.ts'

export type SyncState =
  | 'caughtUp'
  | 'syncing'
  | 'offline'
  | 'stale'
  | 'refused'
  | 'revoked'
  | 'forked'
  | 'diverged'
  | 'rebasing'
  | 'damaged'
  | 'quota'
  | 'clockSkew'
  | 'held'
  | 'paused'
  | 'stopped'

/** Plain data; changes with every report of the connection. */
export interface SyncStatus {
  readonly state: SyncState
  /** Wall clock when this state began, ms. */
  readonly sinceMs: number
  /** Host and port as they were given. */
  readonly remote: string
  /** The address that is in use or being tried, of all that the supervisor has; undefined before the first. */
  readonly endpoint: string | undefined
  /** Machine state of the connection and of its relay, as the visualizer shows them. */
  readonly connection: string
  readonly relay: string | undefined
  /** Changes the supervisor has not confirmed yet; an upper bound. */
  readonly lag: number
  /** Own writes that the supervisor has not confirmed, and for how long the oldest of them has waited, ms. */
  readonly lagDots: number
  readonly lagMs: number
  /** What is under way: parts that are not acknowledged, and bytes that have not left. */
  readonly queue: { readonly parts: number; readonly bytes: number }
  /** Writes a second. */
  readonly rates: SyncRates
  /** Through what the supervisor had when the connection was made, in its arrivals; undefined once all of it is here. */
  readonly progress: Progress | undefined
  /** What the supervisor had lost when it was last found to lack confirmed writes, by own seq. Of this opening. */
  readonly supervisorLost: Lost | undefined
  /** Failed attempts since the last success. */
  readonly attempts: number
  /** Clock of the supervisor minus ours now, ms, as it was at the last hello. */
  readonly clockOffsetMs: number | undefined
  /** The supervisor's clock was never set, as after a power cut of a computer without a battery. */
  readonly clockUnset: boolean
  readonly roundTripMs: number | undefined
  /** Envelopes stored here but not shown yet. */
  readonly held: number
  /**
   * Ids of the devices of which a longer round is here in part, through whichever peer: until it goes on, a transaction of theirs may
   * show in part. Empty but for `syncing`, and where another state comes first.
   */
  readonly unfinished: readonly string[]
  readonly error: { readonly code: ErrorCode; readonly message: string } | undefined
}

const STATE_OF_ERROR: Partial<Record<ErrorCode, SyncState>> = {
  FORKED: 'forked',
  DAMAGED: 'damaged',
  POISONED: 'damaged',
  QUOTA: 'quota',
  CLOCK_SKEW: 'clockSkew',
  NOT_A_MEMBER: 'revoked',
  // A relay ended, on either side; another stream is opened by itself.
  CLOSED: 'syncing',
}

/** A store that failed at the supervisor is opened again there, and one that lost rows takes them back from its devices. */
const STATE_OF_PEER_ERROR: Partial<Record<ErrorCode, SyncState>> = { POISONED: 'syncing', DAMAGED: 'syncing' }

export function stateOf(
  report: ConnectionReport,
  here: {
    readonly held: number
    readonly skewed: boolean
    readonly rebasing: boolean
    readonly unfinished: number
  },
): SyncState {
  const state = whileUnfinished(stateOfReport(report, here), here.unfinished)
  return here.rebasing ? rebasingState(state) : state
}

/** What a connection in that state means while a longer round of another device is here in part (REPLICATION rule 12). */
export function whileUnfinished(state: SyncState, unfinished: number): SyncState {
  return unfinished > 0 && (state === 'caughtUp' || state === 'held') ? 'syncing' : state
}

function stateOfReport(
  report: ConnectionReport,
  { held, skewed }: { readonly held: number; readonly skewed: boolean },
): SyncState {
  if (report.state === 'refused') return 'refused'
  if (report.state === 'draining') return 'stopped'
  if (report.state !== 'syncing' && report.state !== 'authenticated') return 'offline'
  const error = report.relay?.error ?? report.error
  if (error !== undefined) {
    const byPeer = error.details['byPeer'] === true ? STATE_OF_PEER_ERROR[error.code] : undefined
    return byPeer ?? STATE_OF_ERROR[error.code] ?? (error.retryable ? 'syncing' : 'refused')
  }
  const { relay } = report
  if (skewed) return 'clockSkew'
  if (relay?.scrub.differs === true) return 'diverged'
  // While a last acknowledgement travels, nothing is missing on either side.
  if (relay === undefined || !(relay.caughtUp || (relay.peerApplied && relay.lag === 0))) return 'syncing'
  return held > 0 ? 'held' : 'caughtUp'
}

/** What a connection in that state means for a database that rebases. */
function rebasingState(state: SyncState): SyncState {
  const isConnected = state === 'syncing' || state === 'caughtUp' || state === 'held' || state === 'forked'
  return isConnected ? 'rebasing' : state
}

/** One sentence: what it waits for, and what to do. */
export function explain(status: SyncStatus): string {
  const unset = status.clockUnset ? '; its clock was never set, and invites expire by it' : ''
  return `${sentenceOf(status)}${unset}`
}

function formatOffset(offsetMs: number): string {
  const minutes = Math.round(Math.abs(offsetMs) / 60_000)
  return minutes < 120 ? `${minutes} minutes` : `${Math.round(minutes / 60)} hours`
}

function sentenceOf(status: SyncStatus): string {
  const { state, remote, error, attempts } = status
  const reason = error === undefined ? '' : ` (${error.code}: ${error.message})`
  switch (state) {
    case 'caughtUp':
      return `in sync with ${remote}: every write here is durably stored there, and everything there is visible here`
    case 'syncing':
      if (status.unfinished.length > 0 && status.lag === 0 && error === undefined)
        return `in sync with ${remote}, but writes of ${status.unfinished.join(', ')} have come in part: the rest comes when that device goes on, and until then a transaction of it may show in part`
      return `exchanging data with ${remote}, about ${status.lag} changes to send${reason}`
    case 'offline':
      if (attempts === 0) return `connecting to ${remote}${reason}; local writes are kept`
      return `${remote} cannot be reached after ${attempts} attempts${reason}; it is tried again by itself, local writes are kept`
    case 'stale':
      return `the link to ${remote} is open, but it confirms nothing${reason}; it is dialled again if it stays silent, local writes are kept`
    case 'refused':
      return `${remote} refused${reason}; retrying does not heal this`
    case 'revoked':
      return `this device is not a member of the team as ${remote} knows it${reason}; ask an owner for an invite`
    case 'forked':
      return `two histories of one device have met${reason}; the device concerned rebases by itself once it is connected, and this goes on then`
    case 'diverged':
      return `${remote} and this device say that they have everything, and hold some records differently; those are sent again and compared${reason}`
    case 'rebasing':
      return `rebasing: this directory is an older copy, a restored or a damaged one, and takes everything from ${remote} before it writes and sends again${reason}`
    case 'damaged':
      return `stored data is damaged${reason}; reopen the database, restore it if that fails`
    case 'quota':
      return `the quota on ${remote} is used up${reason}; delete data or raise it, deletions are always taken`
    case 'clockSkew':
      return `this device and ${remote} are ${formatOffset(status.clockOffsetMs ?? 0)} apart: nothing is written here until that is less than 5 minutes; set the clock that is wrong`
    case 'held':
      return `in sync with ${remote}, but ${status.held} writes of others are held until this device may show them (clock or key)`
    case 'paused':
      return 'sync was paused by the application: resume() goes on; local writes are kept'
    case 'stopped':
      return 'sync was stopped by the application; open the database again to resume it'
  }
}

/** The supervisor has confirmed something since, or has nothing to confirm. */
export function progressed(before: ConnectionReport | undefined, now: ConnectionReport): boolean {
  const was = before?.relay
  const is = now.relay
  if (was === undefined || is === undefined || is.lag === 0) return true
  return (
    is.lag < was.lag || is.ackedSeq !== was.ackedSeq || is.marked !== was.marked || is.state !== was.state
  )
}
