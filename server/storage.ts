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
  readonly users: number
  readonly error: string | undefined
}

export interface Storage {
  /** Opens the space if need be. Rejects with its error while it is failed, and with `BUSY` when all stores are in use. */
  lease(spaceId: Uint8Array): Promise<Lease>
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
}

interface Entry {
  readonly resource: Resource<Space>
  readonly ref: Ref<ResourceMessage>
  users: number
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

  async lease(spaceId: Uint8Array): Promise<Lease> {
    const entry = await this.#entry(spaceId)
    entry.users++
    let released = false
    const release = (): void => {
      if (released) return
      released = true
      entry.users--
      entry.lastUse = ++this.#uses
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
      return { state: 'closed', records: undefined, users: 0, error: undefined }
    const space = entry.resource.current()
    const error = entry.resource.error()
    return {
      state: space !== undefined ? 'open' : error !== undefined ? 'failed' : 'opening',
      records: space?.replica.liveEnvelopes,
      users: entry.users,
      error: error === undefined ? undefined : describeError(error),
    }
  }

  count(): { readonly open: number; readonly failed: number } {
    const failed = [...this.#entries.values()].filter(({ resource }) => resource.error() !== undefined).length
    return { open: this.#entries.size - failed, failed }
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
    const { parent } = this.#options
    const resource = createResource<Space>({
      name: `space-${key}`,
      kind: 'space',
      open: () => this.#open(`spaces/${key}`, spaceId),
      close: (space) => space.close(),
      watch: (space, failed) => void space.replica.onPoisoned(failed),
      inspect: (space) => ({
        space: key,
        ...(space === undefined ? {} : { records: space.replica.liveEnvelopes }),
      }),
    })
    const entry: Entry = {
      resource,
      ref: spawnUnder(parent, resource.spec),
      users: 0,
      lastUse: ++this.#uses,
      closing: undefined,
    }
    this.#entries.set(key, entry)
    return entry
  }

  async #open(name: string, spaceId: Uint8Array): Promise<Space> {
    const { volume, env, crypto } = this.#options
    const store = await volume.openStore(name)
    try {
      return await openSpace({ store, spaceId, env, crypto })
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
      if (item[1].users === 0 && (oldest === undefined || item[1].lastUse < oldest[1].lastUse)) oldest = item
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
