/**
 * An open database, as an application sees it.
 * Invariant: it holds its directory alone until `close` resolved; everything it acknowledged is on the disk, unless
 * its durability is relaxed.
 */
import { BlazeError } from '../../runtime/index.ts'
import { isUnused, openDatabase } from '../database/index.ts'
import type { BackupReport, DatabaseVerifyReport, ExportReport, ImportReport } from '../database/index.ts'
import type { Conflict, Database, DatabaseIdentity, DatabaseStatus } from '../database/index.ts'
import type { RecordDatabase } from '../database/index.ts'
import type { Atomically, Collection } from './collection.ts'
import { dismissConflict, listConflicts } from './conflicts.ts'
import type { ConflictsOptions } from './conflicts.ts'
import { connectToShared } from './connect-shared.ts'
import type { ConnectToSharedOptions } from './connect-shared.ts'
import { CrossAppShares } from './cross-app.ts'
import type { EnableCrossAppOptions } from './cross-app.ts'
import type { CrossAppShare } from './cross-app-share.ts'
import { bounded } from './deadline.ts'
import type { WaitOptions } from './deadline.ts'
import { enableSync, startSync, type SyncPlace } from './enable-sync.ts'
import type { EnableSyncOptions } from './enable-sync.ts'
import { backup, restore } from './moving/backup.ts'
import type { BackupOptions, RestoreOptions } from './moving/backup.ts'
import { changePassword } from './moving/change-password.ts'
import type { ChangePasswordOptions } from './moving/change-password.ts'
import { exportTo, importFrom } from './moving/records.ts'
import type { ExportOptions, ImportOptions } from './moving/records.ts'
import type { ReadableSource, WritableTarget } from './moving/stream-port.ts'
import { verify } from './moving/verify.ts'
import type { VerifyOptions } from './moving/verify.ts'
import { invite, redeemInvite } from './joining.ts'
import type { InviteOptions } from './joining.ts'
import { checkOptions } from './open-option.ts'
import type { JoinOptions, OpenOptions } from './open-option.ts'
import { decodeRemote } from './remote-node.ts'
import type { SharedSource } from './shared-source.ts'
import type { DatabaseSync } from './sync.ts'
import { openCollection } from './schema/open-collection.ts'
import type { CollectionOptions, Read, SchemaInput, SchemaOutput, Stored } from './schema/document-shape.ts'
import type { StandardSchemaV1 } from './schema/standard-schema.ts'
import { runAtomically, runTransaction } from './transaction.ts'
import type { TransactionWork } from './transaction.ts'
import { processWorld } from './world.ts'
import type { World } from './world.ts'

/** What is behind a client that is no guest. */
export interface ClientParts {
  readonly world: World
  readonly database: Database
}

/** A client has a database of its own, or it is a guest with a copy. */
type ClientBasis =
  | { readonly database: Database; readonly sync: DatabaseSync | undefined }
  | { readonly guest: RecordDatabase; readonly shared: SharedSource }

const partsByClient = new WeakMap<BlazeDBClient, ClientParts | 'guest'>()

/** For the other rooms of this house. `TypeError` for anything that is no client, `NOT_SUPPORTED` for a guest. */
export function partsOf(client: BlazeDBClient): ClientParts {
  const parts = partsByClient.get(client)
  if (parts === undefined) throw new TypeError('expected a BlazeDBClient')
  if (parts === 'guest') throw notForGuests('this')
  return parts
}

export class BlazeDBClient {
  readonly name: string
  /** Of a guest: the database it is a guest of. Undefined for a database of its own. */
  readonly shared: SharedSource | undefined
  readonly #world: World
  readonly #records: RecordDatabase
  readonly #own: { readonly database: Database; readonly shares: CrossAppShares } | undefined
  readonly #sync: SyncPlace = { current: undefined }

  /** For `openIn` and `connectIn`. */
  constructor(world: World, basis: ClientBasis) {
    this.#world = world
    if ('guest' in basis) {
      this.#records = basis.guest
      this.shared = basis.shared
      partsByClient.set(this, 'guest')
    } else {
      const { database, sync } = basis
      this.#records = database
      this.#own = { database, shares: new CrossAppShares(world, database) }
      this.#sync.current = sync
      partsByClient.set(this, { world, database })
    }
    this.name = this.#records.name
  }

  /**
   * Opens the database in a directory, or makes a new one. Rejects with `WRONG_PASSWORD`, `ALREADY_OPEN` (`details.pid` is the
   * holder), `HEADER_DAMAGED`, `DAMAGED`, `NOT_SUPPORTED` (`attach: true`), `TypeError`.
   */
  static open(options: OpenOptions): Promise<BlazeDBClient> {
    return openIn(processWorld(), options)
  }

  /**
   * Makes a new replica of a database that somebody was invited to, in an empty directory. Resolves when this device is in the team,
   * before it has caught up. Rejects with `CODE_INVALID`, `CODE_USED`, `CODE_EXPIRED`, `SERVER_KEY_MISMATCH`, `UNREACHABLE`,
   * `NAME_TAKEN` (directory not empty); after `TIMEOUT` the directory is valid, and `open` goes on.
   */
  static join(options: JoinOptions): Promise<BlazeDBClient> {
    return joinIn(processWorld(), options)
  }

  /**
   * Makes a database of a backup, in an empty directory, and opens it: as a replica of its own, which takes from its supervisor what came
   * after the backup (until then it is `rebasing`, and writes are refused). Rejects with `BACKUP_INVALID`, `WRONG_PASSWORD`,
   * `NAME_TAKEN` (directory not empty), `NOT_FOUND`, `DISK_FULL`, `TIMEOUT`, `ABORTED`, and leaves no database then; a directory that a
   * crash left unfinished opens as `HEADER_DAMAGED`, and may be given to `restore` again.
   */
  static restore(options: RestoreOptions): Promise<BlazeDBClient> {
    return restoreIn(processWorld(), options)
  }

  /**
   * Makes this process a guest of a database that another app of this device shares: a client whose reads are local and whose
   * writes are decided by that app. Resolves when everything that it may see at this time is visible; or at once with the copy of
   * an earlier process, when that is whole and nobody shares the database now. Waits for an absent host (10 s by default). Rejects
   * with `UNREACHABLE`, `FORBIDDEN`, `READ_ONLY`, `GROUP_KEY_INVALID`, `UNSAFE_DIRECTORY`, `BAD_CONFIG`, `TIMEOUT`, `TypeError`.
   */
  static connectToShared(options: ConnectToSharedOptions): Promise<BlazeDBClient> {
    return connectIn(processWorld(), options)
  }

  /** The handle on sync, once it is enabled; undefined before, and with `sync: false`. */
  get sync(): DatabaseSync | undefined {
    return this.#sync.current
  }

  /**
   * Syncs this database through a supervisor from now on, also after the next `open`. Resolves when the supervisor confirmed the
   * name. Rejects with `DATABASE_EXISTS`, `CODE_INVALID`, `CODE_USED`, `CODE_EXPIRED`, `SERVER_KEY_MISMATCH`, `UNREACHABLE`,
   * `NOT_A_MEMBER` (moved before its join was done), `TIMEOUT`.
   */
  async enableSync(options: EnableSyncOptions): Promise<DatabaseSync> {
    const { database } = this.#ofItsOwn('enableSync')
    return enableSync(this.#world, database, this.#sync, options)
  }

  /**
   * Shares this database with other apps of this device, until the share is stopped or the database closed. Resolves when guests can
   * connect. Again with the same app group: replaces policy and grants of the share there; with another group it is shared in both.
   * Rejects with `ALREADY_OPEN` (this name is shared there already; `details.pid` by whom, where known), `UNSAFE_DIRECTORY`, `BAD_CONFIG`, `TIMEOUT`, `TypeError`.
   */
  async enableCrossAppSync(options: EnableCrossAppOptions): Promise<CrossAppShare> {
    return this.#ofItsOwn('enableCrossAppSync').shares.enable(options)
  }

  /** URL of an invite for one device; see `join`. Rejects with `NOT_SYNCED`, `OFFLINE`, `FORBIDDEN`, `TIMEOUT`. */
  async invite(options: InviteOptions): Promise<string> {
    return invite(this.#world, this.#ofItsOwn('invite').database, this.#sync.current, options)
  }

  /**
   * The records of a name: 1 to 128 bytes of UTF-8, not starting with `~` (`TypeError`). With a schema, documents without their id have
   * to pass it, and what it returns is stored; reads are typed by it. `version` and `upgrade` say how older documents are read.
   */
  collection<S extends StandardSchemaV1>(
    name: string,
    options: CollectionOptions<S> & { readonly schema: S },
  ): Collection<SchemaInput<S>, Stored<SchemaOutput<S>>>
  collection<T = unknown>(name: string, options?: CollectionOptions): Collection<T, Read<T>>
  collection<In, Out>(name: string, options?: CollectionOptions): Collection<In, Out> {
    const database = this.#own?.database
    const atomically: Atomically | undefined =
      database && ((work, wait) => runAtomically(database, work, wait))
    return openCollection(this.#records, name, { options, atomically })
  }

  status(): DatabaseStatus {
    return this.#records.status()
  }

  /**
   * Calls `work` with a transaction: its reads belong to one moment, its writes are seen by itself at once and by others as a whole,
   * in one signed commit, or not at all. When another write changes what it has read, it is called again, at most 16 times, so it
   * should do nothing else; other databases and this one outside of `tx` are not part of it. Resolves, synced, with what `work`
   * returned; what `work` throws passes on, and nothing is written. Ends after `timeoutMs`, 30 s by default. Rejects with `CONFLICT`,
   * `TOO_LARGE` (more than 1,024 records or 2 MiB), `TIMEOUT`, `ABORTED`, `CLOSED`, `OVERLOADED`, and what its writes say.
   */
  async transaction<R>(work: TransactionWork<R>, options: WaitOptions = {}): Promise<R> {
    return runTransaction(this.#ofItsOwn('transaction').database, work, options)
  }

  /**
   * Changes what opens the database from now on; records are not written anew. Whoever has an older copy of the directory still opens
   * that one with the old password. Rejects with `WRONG_PASSWORD` for a wrong `from`, `DISK_FULL`, `CLOSED`, `TIMEOUT`, `TypeError`.
   */
  async changePassword(options: ChangePasswordOptions): Promise<void> {
    await changePassword(this.#ofItsOwn('changePassword').database, options)
  }

  /**
   * Values that lost to concurrent writes of another device when these arrived here, oldest first, for 30 days; `status().conflicts`
   * counts them. They are kept by this device alone. `NOT_FOUND` when `after` is gone.
   */
  async conflicts(options: ConflictsOptions = {}): Promise<Conflict[]> {
    return listConflicts(this.#ofItsOwn('conflicts').database, options)
  }

  /** Removes an entry for good. Returns whether there was one. */
  async dismissConflict(id: string, options: WaitOptions = {}): Promise<boolean> {
    return dismissConflict(this.#ofItsOwn('dismissConflict').database, id, options)
  }

  /**
   * Resolves when all writes that have resolved are on the disk, which they are at once unless `durability` is `relaxed`. Rejects with
   * `POISONED` when some that had resolved before may be lost, once; `close` does the same.
   */
  async flush(options: WaitOptions = {}): Promise<void> {
    const { database } = this.#ofItsOwn('flush')
    await bounded(this.#world.env, 'flush', options, database.flush())
  }

  /**
   * Writes all of the database, as it is at one moment after this call, into one sealed file, while everything else goes on. What was
   * acknowledged before the call is in it. Rejects with `DISK_FULL`, `DIRECTORY_UNUSABLE`, `DAMAGED`, `REBASING`, `CLOSED`, `TIMEOUT`,
   * `ABORTED`, `TypeError`, and leaves no file then; a file that was there stays until the new one is whole.
   */
  async backup(path: string, options: BackupOptions = {}): Promise<BackupReport> {
    return backup(this.#world, this.#ofItsOwn('backup').database, path, options)
  }

  /**
   * Writes all living records, as they are at one moment after this call, as JSON lines `{"collection":…,"id":…,"fields":{…}}` to a file
   * or a `Writable`, which is not ended. Rejects with `DISK_FULL`, `DIRECTORY_UNUSABLE`, `REBASING`, `CLOSED`, `TIMEOUT`, `ABORTED`,
   * `TypeError`, and what the stream says; a file is left only when all of it is there.
   */
  async export(target: string | WritableTarget, options: ExportOptions = {}): Promise<ExportReport> {
    return exportTo(this.#world, this.#ofItsOwn('export').database, target, options)
  }

  /**
   * Writes the records of a file or stream of JSON lines: those of `export`, or plain objects into `collection`. Rejects with
   * `IMPORT_INVALID` (`details.line`; all lines before it are written, none after it), `RECORD_EXISTS`, `READ_ONLY`, `NOT_UNIQUE`,
   * `TOO_LARGE`, `NOT_FOUND`, `CLOSED`, `TIMEOUT`, `ABORTED`, `TypeError`; `details.records` are written then.
   */
  async import(from: string | ReadableSource, options: ImportOptions = {}): Promise<ImportReport> {
    return importFrom(this.#world, this.#ofItsOwn('import').database, from, options)
  }

  /**
   * Reads everything and reports what is wrong with it: files, rows, signatures, envelopes, indexes. Everything else goes on meanwhile.
   * Damage of the store makes the database `damaged`, as finding it any other way does. Rejects with `REBASING`, `CLOSED`, `POISONED`,
   * `TIMEOUT`, `ABORTED`, `TypeError`.
   */
  async verify(options: VerifyOptions = {}): Promise<DatabaseVerifyReport> {
    return verify(this.#ofItsOwn('verify').database, options)
  }

  /** Resolves when everything is synced and another process may open the directory. Calls in flight end before, or `CLOSED`. */
  async close(options: WaitOptions = {}): Promise<void> {
    await bounded(this.#world.env, 'close', options, () => this.#close())
  }

  async #close(): Promise<void> {
    this.shared?.close()
    await this.#own?.shares.stop()
    await this.#sync.current?.stop()
    await this.#records.close()
  }

  #ofItsOwn(what: string): { readonly database: Database; readonly shares: CrossAppShares } {
    if (this.#own === undefined) throw notForGuests(what)
    return this.#own
  }
}

/** `BlazeDBClient.open` in another world; `birth` makes a new directory a replica of an existing space. */
export async function openIn(
  world: World,
  options: OpenOptions,
  birth?: DatabaseIdentity,
): Promise<BlazeDBClient> {
  const { name, at, secret, kdf, durability } = checkOptions(options)
  const opening = openDatabase(world, {
    name,
    volume: world.volume(at),
    secret,
    ...(kdf === undefined ? {} : { kdf }),
    ...(durability === undefined ? {} : { durability }),
    ...(birth === undefined ? {} : { birth }),
  }).then((database) => {
    const remote = decodeRemote(database.identity.remote)
    const sync =
      remote === undefined || options.sync === false ? undefined : startSync(world, database, remote)
    return new BlazeDBClient(world, { database, sync })
  })
  try {
    return await bounded(world.env, 'open', options, opening)
  } catch (error) {
    // The caller has given up: a database that opens later is nobody's.
    opening.then((client) => client.close()).catch(() => undefined)
    throw error
  }
}

/** `BlazeDBClient.connectToShared` in another world. */
export async function connectIn(world: World, options: ConnectToSharedOptions): Promise<BlazeDBClient> {
  return new BlazeDBClient(world, await connectToShared(world, options))
}

/** `BlazeDBClient.restore` in another world. */
export async function restoreIn(world: World, options: RestoreOptions): Promise<BlazeDBClient> {
  const { secret } = checkOptions(options)
  const { name, at, password, key, sync } = options
  await restore(world, secret, options)
  return openIn(world, {
    name,
    at,
    ...(password === undefined ? {} : { password }),
    ...(key === undefined ? {} : { key }),
    ...(sync === undefined ? {} : { sync }),
  })
}

/** `BlazeDBClient.join` in another world. */
export async function joinIn(world: World, options: JoinOptions): Promise<BlazeDBClient> {
  checkOptions(options)
  const { invite: url, ...rest } = options
  // An invite is good for one redemption: a directory that cannot take it is found out before.
  if (!(await isUnused(world.volume(options.at)))) {
    throw new BlazeError('NAME_TAKEN', `expected an empty directory, got one with files: ${options.at}`)
  }
  const identity = await redeemInvite(world, url, options)
  const client = await openIn(world, rest, identity)
  const { sync } = client
  try {
    await sync?.wait('join', options, () => sync.isMember() && sync.report?.relay?.ready === true)
  } catch (error) {
    await client.close()
    throw error
  }
  return client
}

function notForGuests(what: string): BlazeError {
  return new BlazeError(
    'NOT_SUPPORTED',
    `${what} needs a database of its own, and this client is a guest; do it in the app that shares the database`,
  )
}
