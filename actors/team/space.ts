/**
 * A space as a relay sees it: a replica together with the team that says whose writes count.
 * Invariant: what the team learned is in the store before any data that depends on it is acknowledged (one group commit, in order).
 */
import { BlazeError, type CryptoProvider, type Env } from '../../runtime/index.ts'
import { openReplica } from '../replica/index.ts'
import type { OrderedStore, Replica, ReplicaOptions, StoreOperation } from '../replica/index.ts'
import { createTeam, type Team, type TeamAdditions } from './team.ts'

export interface SpaceOptions {
  readonly store: OrderedStore
  readonly spaceId: Uint8Array
  readonly env: Env
  readonly crypto: CryptoProvider
  /** The device's own replica; absent on a supervisor, which writes nothing. */
  readonly own?: ReplicaOptions['own']
  readonly visit?: ReplicaOptions['visit']
}

export interface Learned {
  readonly entries: number
  readonly announcements: number
}

export class Space {
  readonly spaceId: Uint8Array
  readonly replica: Replica
  readonly team: Team
  readonly #listeners = new Set<() => void>()
  /** Rows that wait for room in the replica, in order. */
  readonly #unstored: StoreOperation[] = []

  constructor(spaceId: Uint8Array, replica: Replica, team: Team) {
    this.spaceId = spaceId
    this.replica = replica
    this.team = team
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
    return added
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

  /** Called after every change of the team was synced. Returns the unsubscribe function. */
  onTeamChanged(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Closes replica and store. Idempotent. */
  async close(): Promise<void> {
    this.#listeners.clear()
    await this.replica.close()
  }
}

/** Opens the store's team, then its replica. Rejects with `DAMAGED` when either does not verify. */
export async function openSpace(o: SpaceOptions): Promise<Space> {
  const team = createTeam({ spaceId: o.spaceId, crypto: o.crypto })
  await team.loadFrom(o.store)
  const replica = await openReplica({
    store: o.store,
    spaceId: o.spaceId,
    env: o.env,
    crypto: o.crypto,
    authority: team,
    ...(o.own === undefined ? {} : { own: o.own }),
    ...(o.visit === undefined ? {} : { visit: o.visit }),
  })
  return new Space(o.spaceId, replica, team)
}
