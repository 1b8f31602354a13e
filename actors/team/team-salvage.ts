/**
 * Loads the team of a damaged store as far as its rows verify, and puts them in order again; peers tell the rest.
 * Invariant: what stays is authentic and has all its parents; it may be cut off anywhere and begun again.
 */
import { BlazeError, bytesKey, equalBytes, limits } from '../../runtime/index.ts'
import type { CryptoProvider } from '../../runtime/index.ts'
import type { Authority, AuthorityDevice, OrderedStore, StoreOperation, StoreRow } from '../replica/index.ts'
import { parseAnnouncement, verifyAnnouncement } from './announcement.ts'
import { teamRowRanges } from './row.ts'
import type { Team, TeamAdditions } from './team.ts'

export interface SalvagedTeam {
  /** Answers for every id with an authentic announcement, whether the log still names its device or not. */
  readonly authority: Authority
  /** Rows that had to go. */
  readonly lost: number
}

/** `team` is empty. `own`: an id of this device, and its key, which need no row. */
export async function salvageTeam(
  team: Team,
  store: OrderedStore,
  o: {
    readonly crypto: CryptoProvider
    readonly own?: { readonly replicaId: Uint8Array; readonly signKey: Uint8Array }
  },
): Promise<SalvagedTeam> {
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

  const devices = new Map<string, AuthorityDevice>()
  for (const [, bytes] of announcements) {
    const announced = authentic(bytes, team, o.crypto)
    if (announced !== undefined)
      devices.set(bytesKey(announced.replicaId), deviceOf(announced.signKey, o.crypto))
  }
  if (o.own !== undefined) devices.set(bytesKey(o.own.replicaId), deviceOf(o.own.signKey, o.crypto))
  return { authority: { device: (replicaId) => devices.get(bytesKey(replicaId)) }, lost: gone.length }
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

function authentic(
  bytes: Uint8Array,
  { spaceId }: Team,
  crypto: CryptoProvider,
): { readonly replicaId: Uint8Array; readonly signKey: Uint8Array } | undefined {
  try {
    const announcement = parseAnnouncement(bytes)
    const right =
      equalBytes(announcement.spaceId, spaceId) &&
      verifyAnnouncement(announcement, crypto.createVerifier(announcement.signKey))
    return right ? announcement : undefined
  } catch (error) {
    if (error instanceof BlazeError) return undefined
    throw error
  }
}

function deviceOf(signKey: Uint8Array, crypto: CryptoProvider): AuthorityDevice {
  const verifier = crypto.createVerifier(signKey)
  return { mayWrite: true, verify: (message, signature) => verifier.verify(message, signature) }
}
