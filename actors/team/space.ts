/**
 * A space as a relay sees it: a replica together with the team that says whose writes count.
 * Invariant: what the team learned is in the store before any data that depends on it is acknowledged (one group commit, in order).
 */
import { BlazeError, equalBytes, fromHex } from '../../runtime/index.ts'
import type { CryptoProvider, Env, ErrorCode } from '../../runtime/index.ts'
import { checkFormat, openReplica, prepareRebase, readRebase } from '../replica/index.ts'
import type {
  LeftReplica,
  OrderedStore,
  RebaseOrder,
  Replica,
  ReplicaOptions,
  RowRange,
  StoreOperation,
} from '../replica/index.ts'
import { salvageTeam } from './team-salvage.ts'
import { createTeam, type Team, type TeamAdditions } from './team.ts'

export interface SpaceOptions {
  readonly store: OrderedStore
  readonly spaceId: Uint8Array
  readonly env: Env
  readonly crypto: CryptoProvider
  /** The device's own replica; absent on a supervisor, which writes nothing. */
  readonly own?: ReplicaOptions['own']
  /** The rebase that this opening begins or goes on with; `own` is the new id then. */
  readonly rebase?: RebaseOrder
  /** Rows of others that are made from arrivals: gone when these are numbered anew. */
  readonly derived?: readonly RowRange[]
  /** For a supervisor: damage leads to a rebase at once. A device takes a new replica id first. */
  readonly heals?: boolean
  /** As `ReplicaOptions.quotaBytes`. */
  readonly quotaBytes?: number | undefined
}

export interface Learned {
  readonly entries: number
  readonly announcements: number
}

/** A row of ours does not read, or a peer cannot verify what we sent: then what is stored here may be wrong (REPLICATION rule 24). */
const SUSPICIOUS: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['DAMAGED', 'BAD_SIGNATURE', 'FORKED'])

export class Space {
  readonly spaceId: Uint8Array
  readonly replica: Replica
  readonly team: Team
  readonly #own: Uint8Array | undefined
  #suspected = false
  readonly #listeners = new Set<() => void>()
  readonly #forkListeners = new Set<(left: LeftReplica) => void>()
  /** Rows that wait for room in the replica, in order. */
  readonly #unstored: StoreOperation[] = []

  /** `own`: the replica id of this device; absent on a supervisor. */
  constructor(spaceId: Uint8Array, replica: Replica, team: Team, own?: Uint8Array) {
    this.spaceId = spaceId
    this.replica = replica
    this.team = team
    this.#own = own
  }

  /**
   * Takes over log entries and announcements; what is known already is ignored. Resolves when it is synced, with the numbers of
   * what was new; an announcement of a stranger, or of an id that is taken, is not. Rejects with `PROTOCOL_VIOLATION`,
   * `BAD_SIGNATURE`, `NOT_SUPPORTED`, `TOO_LARGE`, having kept nothing of the call, and with `POISONED` or `CLOSED`.
   */
  async learn(news: TeamAdditions): Promise<Learned> {
    const { added, operations } = this.team.add(news)
    if (operations.length > 0) await this.#store(operations)
    if (added.entries + added.announcements > 0) for (const listener of this.#listeners) listener()
    if (added.announcements > 0) this.leaveClosed()
    return added
  }

  /**
   * Another copy of this device has left the replica id that is written here, so histories of it part. A supervisor refuses none of
   * them (PROTOCOL §5): only the announcement says it for sure.
   */
  leaveClosed(): void {
    const replicaId = this.#own
    const closedAfter = replicaId && this.team.device(replicaId)?.closedAfter
    if (replicaId === undefined || closedAfter === undefined) return
    const forkPoint = this.replica.misfit.forkPoint({ seq: closedAfter, contested: false })
    this.#leave({ replicaId, forkPoint })
  }

  /** The team holds these by now: what it holds must reach the store, in order, or the next opening finds it damaged. */
  async #store(operations: readonly StoreOperation[]): Promise<void> {
    this.#unstored.push(...operations)
    for (;;) {
      const rows = this.#unstored.splice(0)
      // Another call took them along.
      if (rows.length === 0) return this.replica.settled()
      try {
        return await this.replica.extra(rows)
      } catch (error) {
        if (!(error instanceof BlazeError) || error.code !== 'OVERLOADED') throw error
        this.#unstored.push(...rows)
        await this.replica.settled()
      }
    }
  }

  /**
   * What ended an exchange. When it is a fork of this device's own history, whoever keeps the database is told which id to leave, and
   * from where. `contested`: the peer shows a head of ours beside the one that is not.
   */
  exchangeEnded(error: BlazeError, contested = false): void {
    if (SUSPICIOUS.has(error.code) && (error.code === 'DAMAGED') !== (error.details['byPeer'] === true))
      this.#suspect()
    const { replicaId: hex, seq } = error.details
    if (error.code !== 'FORKED' || typeof hex !== 'string' || typeof seq !== 'number') return
    const replicaId = fromHex(hex)
    const { misfit } = this.replica
    const { left } = misfit.rebase ?? {}
    if (this.#own !== undefined && equalBytes(this.#own, replicaId))
      this.#leave({ replicaId, forkPoint: misfit.forkPoint({ seq, contested }) })
    // The branches part before the point that was announced: so nothing of the old id is certain.
    else if (left !== undefined && equalBytes(left.replicaId, replicaId))
      this.#leave({ replicaId, forkPoint: 0 })
  }

  #leave(left: LeftReplica): void {
    for (const listener of this.#forkListeners) listener(left)
  }

  /** Once an opening: a replica that finds itself damaged is poisoned, and opened again it rebases. */
  #suspect(): void {
    if (this.#suspected) return
    this.#suspected = true
    this.replica.verify({ signatures: true }).catch((error: unknown) => {
      // It was closed meanwhile, or failed in another way that its owner hears of.
      if (!(error instanceof BlazeError)) throw error
    })
  }

  /**
   * Keys of the members of which a longer round is here in part, see `Replica.ahead`: until it goes on, a transaction of theirs may be
   * here in part. An id that its device has left, and a device that was removed, bring no more.
   */
  get unfinished(): readonly Uint8Array[] {
    return this.replica.ahead.flatMap((replicaId) => {
      const device = this.team.device(replicaId)
      const isOver = device === undefined || device.role === 'suspended' || device.closedAfter !== undefined
      return isOver ? [] : [device.signKey]
    })
  }

  /** Called when this device has to leave a replica id. Returns the unsubscribe function. */
  onForked(listener: (left: LeftReplica) => void): () => void {
    this.#forkListeners.add(listener)
    return () => this.#forkListeners.delete(listener)
  }

  /** Called after every change of the team was synced. Returns the unsubscribe function. */
  onTeamChanged(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Closes replica and store. Idempotent. */
  async close(): Promise<void> {
    this.#listeners.clear()
    this.#forkListeners.clear()
    await this.replica.close()
  }
}

/** Opens the store's team, then its replica. Rejects with `DAMAGED` when either does not verify, and is not to be healed. */
export async function openSpace(o: SpaceOptions): Promise<Space> {
  const found = readRebase(o.store)
  // A supervisor has nothing but the row; it says with what to go on.
  const order = o.rebase ?? (found?.step === 'clear' ? found : undefined)
  try {
    return await open(o, order)
  } catch (error) {
    const heals = o.heals === true && order === undefined
    if (!heals || !(error instanceof BlazeError) || error.code !== 'DAMAGED') throw error
    o.env.log.error('space.damaged', { error: error.message })
    return await open(o, { reason: 'damaged' }, true)
  }
}

async function open(o: SpaceOptions, order: RebaseOrder | undefined, anew = false): Promise<Space> {
  const { spaceId, store, crypto, env, own } = o
  const team = createTeam({ spaceId, crypto })
  const common = { store, spaceId, env, crypto, authority: team, quotaBytes: o.quotaBytes }
  if (order === undefined) await team.loadFrom(store)
  else await prepare(o, order, { team, anew })
  const replica = await openReplica({
    ...common,
    ...(own === undefined ? {} : { own }),
  })
  // A relay made nothing that would have to be made again.
  if (own === undefined && replica.misfit.rebase?.step === 'reissue') {
    await replica.misfit.reissued({ alone: false })
  }
  return new Space(spaceId, replica, team, own?.replicaId)
}

/** Damage may have befallen the rows of the team too; what a log no longer says is not needed to tell whose commits are right. */
async function prepare(
  o: SpaceOptions,
  order: RebaseOrder,
  { team, anew }: { team: Team; anew: boolean },
): Promise<void> {
  const { spaceId, store, crypto, env, own, derived } = o
  const common = { store, spaceId, env, crypto, anew, ...(derived === undefined ? {} : { derived }) }
  if (order.reason !== 'damaged') {
    await team.loadFrom(store)
    await prepareRebase({ ...common, authority: team }, order)
    return
  }
  checkFormat(store, spaceId)
  const { left } = order
  const ownId = left && own && { own: { replicaId: left.replicaId, signKey: own.signer.publicKey } }
  const { authority, lost } = await salvageTeam(team, store, { crypto, ...ownId })
  const salvaged = await prepareRebase({ ...common, authority }, order)
  if (salvaged !== undefined) env.log.info('space.salvaged', { ...salvaged, teamRowsLost: lost })
}
