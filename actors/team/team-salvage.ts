/**
 * Loads the team of a damaged store as far as its rows verify, and puts them in order again; peers tell the rest.
 * Invariant: what stays is authentic and has all its parents; it may be cut off anywhere and begun again.
 */
import { BlazeError, equalBytes, limits } from '../../runtime/index.ts'
import type { OrderedStore, StoreOperation, StoreRow } from '../replica/index.ts'
import { teamRowRanges } from './row.ts'
import type { Team, TeamAdditions } from './team.ts'

/** `team` is empty. Resolves with the number of rows that had to go. */
export async function salvageTeam(team: Team, store: OrderedStore): Promise<number> {
  const limit = limits.teamEntriesMax + limits.announcementsMax
  const [entries = [], announcements = []] = await Promise.all(
    teamRowRanges.map((range) => store.range({ ...range, limit })),
  )
  const right: StoreOperation[] = []
  for (const [, bytes] of entries) right.push(...tryAdd(team, { entries: [bytes] }))
  for (const [, bytes] of announcements) right.push(...tryAdd(team, { announcements: [bytes] }))
  const found: readonly StoreRow[] = [...entries, ...announcements]
  const wrong = found.filter(([key]) => !right.some((put) => equalBytes(put.key, key)))
  const gone = wrong.map(([key]): StoreOperation => ({ type: 'del', key }))
  if (gone.length > 0) await store.batch([...gone, ...right])
  return found.length - right.length
}

/** What it adds to the store; nothing for what does not verify. */
function tryAdd(team: Team, additions: TeamAdditions): readonly StoreOperation[] {
  try {
    return team.add(additions).operations
  } catch (error) {
    if (error instanceof BlazeError) return []
    throw error
  }
}
