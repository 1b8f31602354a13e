/**
 * A database of this process: the handle that outlives crashes of its cell, and the cell that owns the open store.
 * Invariant: every call settles; after a crash the calls in flight reject, and later ones wait until the store is open again.
 */
import { BlazeError, toHex } from '../../runtime/index.ts'
import type { CryptoProvider, Env, Ref } from '../../runtime/index.ts'
import type { PeerClock } from '../relay/index.ts'
import type { Cursor } from '../replica/index.ts'
import type { Space } from '../team/index.ts'
import { spawnDatabase } from './cell.ts'
import type { DatabaseCore, DatabaseOptions, DatabaseWorld, UnlockedDatabase } from './core.ts'
import type { SecretChange } from './header-file.ts'
import type { DatabaseIdentity, IdentityPatch } from './identity.ts'
import type { Doc } from './record/document.ts'
import type { RecordChange } from './view/keyed-view.ts'
import type { Keyring } from './keyring.ts'
import type { DatabaseMessage, DatabaseRequest, DatabaseStatus, Reply } from './message.ts'
import type { RecordDatabase } from './record-database.ts'

/** Of one opening. */
export interface OpenParts extends UnlockedDatabase {
  readonly space: Space
}

export class Database implements RecordDatabase {
  readonly name: string
  readonly at: string
  readonly #core: DatabaseCore
  readonly #ref: Ref<DatabaseMessage>
  /** Replies that are due. */
  readonly #due = new Set<Reply<unknown>>()
  #closing: Promise<void> | undefined

  /** Only for `openDatabase`. */
  constructor(core: DatabaseCore, ref: Ref<DatabaseMessage>) {
    this.name = core.options.name
    this.at = core.options.volume.at
    this.#core = core
    this.#ref = ref
  }

  get env(): Env {
    return this.#core.world.env
  }

  get crypto(): CryptoProvider {
    return this.#core.world.crypto
  }

  get identity(): DatabaseIdentity {
    return this.#core.unlocked.header.identity
  }

  get keyring(): Keyring {
    return this.#core.unlocked.keyring
  }

  /** The open store with its team; undefined while it is being opened again or closed. */
  get space(): Space | undefined {
    return this.#core.session?.space
  }

  /** The cell, as parent or for watching. */
  get ref(): Ref<DatabaseMessage> {
    return this.#ref
  }

  /** Asks the cell. Rejects with `OVERLOADED` (mailbox full), `CLOSED`, `POISONED` and what the request says. */
  request<R>(make: (reply: Reply<R>) => DatabaseRequest): Promise<R> {
    if (this.#closing !== undefined) return Promise.reject(closed())
    return this.#ask(make)
  }

  /** Only while no call is under way, so that it sees what was called before; a fault is met by the cell, when it is asked. */
  readNow(collection: string, id: string): { readonly doc: Doc | undefined } | undefined {
    const { session, state } = this.#core
    if (this.#due.size > 0 || this.#closing !== undefined || state !== 'ready') return undefined
    return session?.readNow(collection, id)
  }

  /** Resolves when everything that was acknowledged before is synced. Rejects with `POISONED` when some of it may be lost. */
  async flush(): Promise<void> {
    await this.request<void>((reply) => ({ type: 'database.settle', reply })).finally(() =>
      this.#core.checkLoss(),
    )
  }

  /** Changes the sealed identity; resolves when both copies are on the disk. */
  updateIdentity(patch: IdentityPatch): Promise<void> {
    if (this.#closing !== undefined) return Promise.reject(closed())
    const added = patch.epochs ?? []
    const { header, keyring } = this.#core.unlocked
    return header.update(patch).then(() => {
      for (const epoch of added) keyring.add(epoch)
      if (added.length > 0) this.#ref.tell({ type: 'database.keys' })
    })
  }

  /** What is open, once everything that was called before is synced: what moving data works on. Rejects as `request` does. */
  async settled(): Promise<OpenParts> {
    await this.request<void>((reply) => ({ type: 'database.settle', reply }))
    const { session, unlocked } = this.#core
    if (session === undefined) throw this.#core.error ?? closed()
    return { ...unlocked, space: session.space }
  }

  /** See `HeaderFile.changeSecret`. */
  changeSecret(change: SecretChange): Promise<void> {
    if (this.#closing !== undefined) return Promise.reject(closed())
    return this.#core.unlocked.header.changeSecret(change)
  }

  /** What a peer's clock showed; writes are refused while ours is too far from it, and from when it is set right not any more. */
  clockMeasured(peer: PeerClock): void {
    this.#core.unlocked.clock.measured(peer)
  }

  /** Called at once and whenever the store is opened again (with its space) or lost (with undefined). */
  onSpace(listener: (space: Space | undefined) => void): () => void {
    return this.#core.onSpace(listener)
  }

  /**
   * Called after each synced batch, and when a hold has ended, with the records that changed; `space.replica.lastArrival` is that of
   * the batch then.
   */
  onRecords(listener: (changes: readonly RecordChange[]) => void): () => void {
    this.#core.recordListeners.add(listener)
    return () => this.#core.recordListeners.delete(listener)
  }

  /**
   * The lowest arrival of a tag of which something is held back until its time or key comes; Infinity without any. Whoever read up
   * to there or beyond must not count on having seen that tag. 1 while the store is not open: then nothing is known.
   */
  heldFloor(): number {
    return this.#core.session?.view.heldFloor() ?? 1
  }

  /** Whether the open store knows what came after the cursor (REPLICATION rule 14); else everything has to be passed over. */
  resumable(cursor: Cursor): boolean {
    return this.space?.replica.resumable(cursor) === true
  }

  /** What guests see instead of a tag, 16 bytes. */
  mirrorTag(tag: Uint8Array): Uint8Array {
    return this.keyring.mirrorTag(tag)
  }

  status(): DatabaseStatus {
    const { session, error } = this.#core
    const { identity } = this
    return {
      name: this.name,
      at: this.at,
      state: this.#closing === undefined ? this.#core.state : 'closing',
      error: error?.message,
      spaceId: toHex(identity.space),
      replicaId: toHex(identity.replica),
      records: session?.view.records ?? 0,
      deletedRecords: session?.view.deletedRecords ?? 0,
      held: session?.view.held() ?? { clock: 0, key: 0, life: 0, bad: 0 },
      cacheBytes: session?.view.cacheBytes ?? 0,
      lastArrival: session?.space.replica.lastArrival ?? 0,
      conflicts: session?.inbox.count ?? 0,
      indexCursor: session?.view.index.records.storedCursor ?? 0,
      mirrors: identity.mirrors.map(({ collection }) => collection),
    }
  }

  /** Resolves when what was written is synced and the directory is free. Calls that are not answered by then reject `CLOSED`. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    try {
      // The next holder of the directory writes it.
      await this.#core.unlocked.header.close()
      await this.#ask<void>((reply) => ({ type: 'database.close', reply }))
      this.#core.checkLoss()
    } finally {
      await this.#ref.stop()
      const error = closed()
      for (const reply of this.#due) reply.reject(error)
    }
  }

  #ask<R>(make: (reply: Reply<R>) => DatabaseMessage): Promise<R> {
    return new Promise<R>((resolve, reject) => {
      const reply: Reply<R> = {
        resolve: (value) => {
          this.#due.delete(reply as Reply<unknown>)
          resolve(value)
        },
        reject: (error) => {
          this.#due.delete(reply as Reply<unknown>)
          reject(error)
        },
      }
      this.#due.add(reply as Reply<unknown>)
      const told = this.#ref.tell(make(reply))
      if (told === 'full') reply.reject(new BlazeError('OVERLOADED', 'too many calls of this database wait'))
      else if (told === 'dead') reply.reject(this.#core.error ?? closed())
    })
  }
}

/**
 * Opens the database in a directory, or makes a new one in an empty directory. Rejects with `WRONG_PASSWORD`, `HEADER_DAMAGED`,
 * `ALREADY_OPEN` (`details.pid`), `DAMAGED`, `NAME_TAKEN` (see `birth`).
 */
export async function openDatabase(world: DatabaseWorld, options: DatabaseOptions): Promise<Database> {
  const { core, ref, opened } = spawnDatabase(world, options)
  try {
    await opened
  } catch (error) {
    await ref.stop()
    throw error
  }
  return new Database(core, ref)
}

function closed(): BlazeError {
  return new BlazeError('CLOSED', 'the database was closed')
}
