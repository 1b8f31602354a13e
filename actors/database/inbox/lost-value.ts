/**
 * Which values concurrent writes of one record have cost each other (REPLICATION rule 4): pure, from the live envelopes and their states.
 * Invariant: a value that its overwriter may not have seen is always told; one that is in the join, or that cannot lose, never.
 */
import { equalBytes, equalValue } from '../../../runtime/index.ts'
import type { Value } from '../../../runtime/index.ts'
import type { EnvelopeHeader } from '../../replica/index.ts'
import type { FieldState, RecordState, Stamp } from '../record/record.ts'
import { compareStamps } from '../record/record.ts'

/** One live envelope of the record, opened. */
export interface Sibling {
  readonly envelope: Pick<EnvelopeHeader, 'replicaId' | 'seq' | 'context'>
  readonly state: RecordState
}

export interface LostValue {
  readonly field: string
  readonly value: Value
  /** When it was written, and by whom. */
  readonly lost: Stamp
  /** The same of what it lost to: another value, the end of the record, or its next life. */
  readonly won: Stamp
}

/** `joined` is the join of all siblings. */
export function lostValues(siblings: readonly Sibling[], joined: RecordState): LostValue[] {
  const found = new Map<string, LostValue>()
  for (const sibling of siblings) {
    for (const [field, state] of sibling.state.fields) {
      // Values with a join of their own keep what both sides wrote.
      if (state.value === undefined || state.merge !== undefined || isIn(joined, field, state)) continue
      const winners = siblings.filter((other) => other !== sibling && wins(other.state, joined, field))
      if (winners.length === 0 || winners.some((winner) => hasSeen(winner, sibling, state.stamp))) continue
      const won = wonBy(joined, field)
      const key = `${field}\n${state.stamp.ms} ${state.stamp.counter} ${state.stamp.writer.join()}`
      if (won !== undefined) found.set(key, { field, value: state.value, lost: state.stamp, won })
    }
  }
  return [...found.values()]
}

/** Whether the join shows the same value. */
function isIn(joined: RecordState, field: string, state: FieldState): boolean {
  const value = joined.fields.get(field)?.value
  return value !== undefined && state.value !== undefined && equalValue(value, state.value)
}

/** Whether this sibling brought what the join shows of the field. */
function wins(state: RecordState, joined: RecordState, field: string): boolean {
  if (state.life !== joined.life) return false
  if (joined.deleted !== undefined) return state.deleted !== undefined
  const mine = state.fields.get(field)?.stamp
  const theirs = joined.fields.get(field)?.stamp
  // The field is not there at all: a later life began without it.
  if (mine === undefined || theirs === undefined) return mine === theirs
  return compareStamps(mine, theirs) === 0
}

function wonBy(joined: RecordState, field: string): Stamp | undefined {
  return joined.fields.get(field)?.stamp ?? joined.deleted ?? newestStamp(joined, undefined)
}

/** Whether the winner's writer had merged the value that was written at `stamp` and stands in the loser. */
function hasSeen(winner: Sibling, loser: Sibling, stamp: Stamp): boolean {
  const { writer } = stamp
  if (equalBytes(writer, winner.envelope.replicaId)) return true
  const seen = seqSeen(winner, writer)
  if (seen === undefined) return false
  const had = seqSeen(loser, writer)
  if (had !== undefined && seen >= had) return true
  const own = equalBytes(writer, loser.envelope.replicaId)
  const before = own ? seqBefore(loser) : undefined
  // Of the loser's writer, the winner lacks the last write alone, which stamped what it changed.
  if (before !== undefined && before <= seen) {
    const last = newestStamp(loser.state, writer)
    return last === undefined || compareStamps(stamp, last) < 0
  }
  // Writes of one writer are seen in order: whoever shows a later one has seen this.
  const shown = newestStamp(winner.state, writer)
  return shown !== undefined && compareStamps(shown, stamp) >= 0
}

/** Up to which of its writes of this tag the sibling has merged the writer. */
function seqSeen({ envelope }: Sibling, writer: Uint8Array): number | undefined {
  if (equalBytes(envelope.replicaId, writer)) return envelope.seq
  return envelope.context.find(({ replicaId }) => equalBytes(replicaId, writer))?.seq
}

/** The write of the same writer before this one. */
function seqBefore({ envelope }: Sibling): number | undefined {
  return envelope.context.find(({ replicaId }) => equalBytes(replicaId, envelope.replicaId))?.seq
}

function newestStamp(state: RecordState, writer: Uint8Array | undefined): Stamp | undefined {
  let newest: Stamp | undefined
  const see = (stamp: Stamp): void => {
    if (writer !== undefined && !equalBytes(stamp.writer, writer)) return
    if (newest === undefined || compareStamps(stamp, newest) > 0) newest = stamp
  }
  if (state.deleted !== undefined) see(state.deleted)
  for (const { stamp } of state.fields.values()) see(stamp)
  return newest
}
