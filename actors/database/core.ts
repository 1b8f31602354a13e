/** What the handle and the cell of a database share; it outlives the lives of the cell. Invariant: only the cell changes `session`. */
import type { CryptoProvider, Env, System } from '../../runtime/index.ts'
import { assert, BlazeError } from '../../runtime/index.ts'
import type { Volume } from '../replica/index.ts'
import type { Space } from '../team/index.ts'
import type { HybridClock } from './clock.ts'
import type { HeaderFile } from './header-file.ts'
import type { KdfProfile, Secret } from './header.ts'
import type { DatabaseIdentity } from './identity.ts'
import type { RecordChange } from './view/keyed-view.ts'
import type { Keyring } from './keyring.ts'
import type { DatabaseSession } from './session.ts'

/** What a database runs in. */
export interface DatabaseWorld {
  readonly system: System
  readonly env: Env
  readonly crypto: CryptoProvider
}

export interface DatabaseOptions {
  readonly name: string
  readonly volume: Volume
  readonly secret: Secret
  /** For a new directory; default `standard`. */
  readonly kdf?: KdfProfile
  /** For a new directory: who this is, instead of the owner of a new space. `NAME_TAKEN` when the directory is not empty. */
  readonly birth?: DatabaseIdentity
  /** When a write resolves: `synced` (default), or `relaxed`: when it is staged, and will be synced by itself. */
  readonly durability?: Durability
}

export type Durability = 'synced' | 'relaxed'

/** `rebasing`: open, and not to be written before a peer's round came. `failed`: tried again by itself. `damaged`: that cannot help. */
export type DatabaseState = 'opening' | 'ready' | 'rebasing' | 'failed' | 'damaged' | 'closing'

/** The header, unlocked once, and what is made of it. */
export interface UnlockedDatabase {
  readonly header: HeaderFile
  readonly keyring: Keyring
  readonly clock: HybridClock
}

export class DatabaseCore {
  readonly world: DatabaseWorld
  readonly options: DatabaseOptions
  readonly recordListeners: Set<(changes: readonly RecordChange[]) => void> = new Set()
  readonly #spaceListeners = new Set<(space: Space | undefined) => void>()
  state: DatabaseState = 'opening'
  /** Why it is not ready. */
  error: BlazeError | undefined
  /** Why writes that were told of could not be synced, until somebody has heard of it. */
  #loss: BlazeError | undefined
  #unlocked: UnlockedDatabase | undefined
  #session: DatabaseSession | undefined

  constructor(world: DatabaseWorld, options: DatabaseOptions) {
    this.world = world
    this.options = options
  }

  /** A write that had resolved could not be synced. */
  lost(cause: unknown): void {
    this.#loss ??= new BlazeError(
      'POISONED',
      'the store failed before all relaxed writes were synced: some of them may be lost',
      { cause },
    )
  }

  /** Throws when something was lost, once. */
  checkLoss(): void {
    const loss = this.#loss
    this.#loss = undefined
    if (loss !== undefined) throw loss
  }

  /** There from the first opening on. */
  get unlocked(): UnlockedDatabase {
    assert(this.#unlocked !== undefined, 'the header is unlocked before the database is used')
    return this.#unlocked
  }

  async unlock(make: () => Promise<UnlockedDatabase>): Promise<UnlockedDatabase> {
    this.#unlocked ??= await make()
    return this.#unlocked
  }

  get session(): DatabaseSession | undefined {
    return this.#session
  }

  set session(session: DatabaseSession | undefined) {
    this.#session = session
    for (const listener of this.#spaceListeners) listener(session?.space)
  }

  onSpace(listener: (space: Space | undefined) => void): () => void {
    this.#spaceListeners.add(listener)
    listener(this.#session?.space)
    return () => this.#spaceListeners.delete(listener)
  }

  changed(changes: readonly RecordChange[]): void {
    this.#session?.changed(changes)
    for (const listener of this.recordListeners) listener(changes)
  }
}
