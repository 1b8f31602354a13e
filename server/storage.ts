/**
 * The spaces that this supervisor hosts, one cell each under `storage`, opened on demand and closed when others need the room.
 *
 * Invariant: at most `limits.openStoresMax` stores are open; a space in use is never closed for another; one that fails is closed,
 * shown as `failed`, and opened again after a wait, alone.
 */
import { openSpace } from '../actors/index.ts'
import type { Space, Volume } from '../actors/index.ts'
import { BlazeError, describeError, limits, spawnUnder, toHex } from '../runtime/index.ts'
import type { CryptoProvider, Env, Ref } from '../runtime/index.ts'
import { createResource } from './resource/index.ts'
import type { Resource, ResourceMessage } from './resource/index.ts'

export interface Lease {
  readonly space: Space
  /** Idempotent; must be called. */
  release(): void
}

export interface SpaceInfo {
  readonly state: 'open' | 'opening' | 'failed' | 'closed'
  /** Live envelopes; undefined unless it is open. */
  readonly records: number | undefined
  /** Of live envelopes. */
  readonly bytes: number | undefined
  readonly users: number
  readonly error: string | undefined
}

export interface Storage {
  /**
   * Opens the space if need be. Rejects with its error while it is failed, and with `BUSY` when all stores are in use or `storage`
   * itself is down. `lost` is called when the space is closed under the lease although it had not failed: its cell crashed.
   */
  lease(spaceId: Uint8Array, lost?: () => void): Promise<Lease>
  info(spaceId: Uint8Array): SpaceInfo
  /** Spaces open or opening, and those that failed. */
  count(): { readonly open: number; readonly failed: number }
}

export interface StorageOptions {
  readonly volume: Volume
  readonly env: Env
  readonly crypto: CryptoProvider
  /** The cell that supervises the spaces. */
  readonly parent: Ref<never>
  readonly storesMax?: number
  /** Of live envelopes, for each space. */
  readonly quotaBytes?: number | undefined
}

interface Entry {
  readonly resource: Resource<Space>
  readonly ref: Ref<ResourceMessage>
  /** One a lease: what to call when the lease is lost. */
  readonly users: Set<() => void>
  /** Number of its last use, counted over all spaces. */
  lastUse: number
  closing: Promise<void> | undefined
}

export function createStorage(options: StorageOptions): Storage {
  return new SpaceStorage(options)
}

class SpaceStorage implements Storage {
  readonly #options: StorageOptions
  readonly #storesMax: number
  readonly #entries = new Map<string, Entry>()
  #uses = 0

  constructor(options: StorageOptions) {
    this.#options = options
    this.#storesMax = options.storesMax ?? limits.openStoresMax
  }

  async lease(spaceId: Uint8Array, lost: () => void = () => {}): Promise<Lease> {
    const entry = await this.#entry(spaceId)
    const user = (): void => lost()
    entry.users.add(user)
    const release = (): void => {
      if (entry.users.delete(user)) entry.lastUse = ++this.#uses
    }
    try {
      return { space: await entry.resource.ready(), release }
    } catch (error) {
      release()
      throw error
    }
  }

  info(spaceId: Uint8Array): SpaceInfo {
    const entry = this.#entries.get(toHex(spaceId))
    if (entry === undefined || !entry.ref.alive)
      return { state: 'closed', records: undefined, bytes: undefined, users: 0, error: undefined }
    const space = entry.resource.current()
    const error = entry.resource.error()
    return {
      state: space !== undefined ? 'open' : error !== undefined ? 'failed' : 'opening',
      records: space?.replica.liveEnvelopes,
      bytes: space?.replica.liveTotals.bytes,
      users: entry.users.size,
      error: error === undefined ? undefined : describeError(error),
    }
  }

  count(): { readonly open: number; readonly failed: number } {
    const alive = [...this.#entries.values()].filter(({ ref }) => ref.alive)
    const failed = alive.filter(({ resource }) => resource.error() !== undefined).length
    return { open: alive.length - failed, failed }
  }

  /** The living entry of the space; makes it, and room for it, if need be. */
  async #entry(spaceId: Uint8Array): Promise<Entry> {
    const key = toHex(spaceId)
    for (;;) {
      const known = this.#entries.get(key)
      if (known?.closing !== undefined) {
        await known.closing
      } else if (known !== undefined && known.ref.alive) {
        return known
      } else {
        this.#entries.delete(key)
        const room = this.#makeRoom()
        if (room === undefined) return this.#start(key, spaceId.slice())
        await room
      }
    }
  }

  #start(key: string, spaceId: Uint8Array): Entry {
    const users = new Set<() => void>()
    const resource: Resource<Space> = createResource<Space>({
      name: `space-${key}`,
      kind: 'space',
      open: () => this.#open(`spaces/${key}`, spaceId),
      close: (space) => {
        // Relays hear of a failure from the space itself; of its end they hear nothing, and would wait on it for ever.
        if (resource.error() === undefined) for (const lost of users) lost()
        return space.close()
      },
      watch: (space, failed) => void space.replica.onPoisoned(failed),
      inspect: (space) => ({
        space: key,
        ...(space === undefined ? {} : { records: space.replica.liveEnvelopes }),
        ...(space?.replica.verifying === undefined ? {} : { verifying: space.replica.verifying }),
        ...(space?.replica.misfit.rebase === undefined
          ? {}
          : { rebasing: space.replica.misfit.rebase.reason }),
      }),
    })
    const entry: Entry = {
      resource,
      ref: this.#spawn(resource),
      users,
      lastUse: ++this.#uses,
      closing: undefined,
    }
    this.#entries.set(key, entry)
    return entry
  }

  #spawn(resource: Resource<Space>): Ref<ResourceMessage> {
    try {
      return spawnUnder(this.#options.parent, resource.spec)
    } catch (cause) {
      if (!(cause instanceof BlazeError && cause.code === 'CELL_DOWN')) throw cause
      // The clients are about to be cut off with it; until then nobody should hear that trying again is in vain.
      throw new BlazeError('BUSY', 'the spaces of this supervisor are down and come back: try again', {
        cause,
      })
    }
  }

  async #open(name: string, spaceId: Uint8Array): Promise<Space> {
    const { volume, env, crypto, quotaBytes } = this.#options
    const store = await volume.openStore(name)
    try {
      return await openSpace({ store, spaceId, env, crypto, heals: true, quotaBytes })
    } catch (error) {
      await store.close()
      throw error
    }
  }

  /** Undefined when one more fits; else what to wait for before looking again. `BUSY` when everything is in use. */
  #makeRoom(): Promise<void> | undefined {
    for (const [key, { ref }] of this.#entries) if (!ref.alive) this.#forgetDead(key)
    if (this.#entries.size < this.#storesMax) return undefined
    const closing = [...this.#entries.values()].find((entry) => entry.closing !== undefined)?.closing
    if (closing !== undefined) return closing
    let oldest: [string, Entry] | undefined
    for (const item of this.#entries)
      if (item[1].users.size === 0 && (oldest === undefined || item[1].lastUse < oldest[1].lastUse))
        oldest = item
    if (oldest === undefined)
      throw new BlazeError('BUSY', `all ${this.#storesMax} stores of this supervisor are in use`)
    const [key, entry] = oldest
    entry.closing = entry.ref.stop().then(() => void this.#entries.delete(key))
    return entry.closing
  }

  #forgetDead(key: string): void {
    // One that is being closed stays counted until its files are released.
    if (this.#entries.get(key)?.closing === undefined) this.#entries.delete(key)
  }
}
