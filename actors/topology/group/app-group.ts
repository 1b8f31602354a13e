/**
 * An app group: the directory through which apps of one user find and recognise each other (PROTOCOL §12).
 * Invariant: the directory and what is secret in it belong to this user alone, or nothing works; nothing secret stands in its JSON.
 */
import { join } from 'node:path'
import { assert, BlazeError, limits, toHex } from '../../../runtime/index.ts'
import type { CryptoProvider, Env } from '../../../runtime/index.ts'
import type { LocalEndpoint } from '../../../transports/index.ts'
import type { Volume } from '../../replica/index.ts'
import { checkGroupName } from './app-name.ts'
import { AppRegistry } from './app-registry.ts'
import type { AppIdentity } from './app-registry.ts'
import { GroupFiles } from './group-file.ts'
import { channelPsk, copyKey, databaseHash, GROUP_KEY_BYTES, groupIdOf } from './group-key.ts'
import { formatSharedDatabase, parseSharedDatabase } from './shared-database.ts'
import type { SharedDatabase } from './shared-database.ts'

export { homeOf } from './group-key.ts'
export { checkGroupName } from './app-name.ts'
export type { AppIdentity } from './app-registry.ts'
export type { SharedDatabase } from './shared-database.ts'

export interface AppGroupWorld {
  volume(at: string): Volume
  readonly env: Env
  readonly crypto: CryptoProvider
}

const MANIFEST = 'manifest.json'
const KEY = 'key'
const ENTRY = /^[0-9a-f]{32}\.json$/

/**
 * Opens the group, or makes it. `directory` is absolute. `UNSAFE_DIRECTORY` unless it and the key are this user's alone,
 * `BAD_CONFIG` when it is another group's or another version's, `DAMAGED` with the file.
 */
export async function openAppGroup(
  world: AppGroupWorld,
  o: { readonly id: string; readonly directory: string },
): Promise<AppGroup> {
  const name = checkGroupName(o.id, 'appGroup')
  const volume = world.volume(o.directory)
  await volume.private()
  const files = new GroupFiles(volume)
  const manifest = await files.readJson(MANIFEST)
  // Before a key is made in what may be another group's directory.
  if (manifest !== undefined) checkManifest(manifest['group'], name, o.directory)
  let key = await files.readSecret(KEY, GROUP_KEY_BYTES)
  if (key === undefined) {
    // The key is made before the manifest, so it was there.
    if (manifest !== undefined) throw files.damaged(KEY, 'it is missing')
    key = await files.createSecret(KEY, world.env.entropy(GROUP_KEY_BYTES))
  }
  if (manifest === undefined) {
    const made = await files.createJson(MANIFEST, { group: name })
    checkManifest(made['group'], name, o.directory)
  }
  return new AppGroup({ name, directory: o.directory, key, files, world })
}

function checkManifest(group: unknown, name: string, directory: string): void {
  if (group === name) return
  const other =
    typeof group === 'string'
      ? `of the app group ${group.slice(0, limits.groupNameCharsMax)}`
      : 'of no app group'
  throw new BlazeError(
    'BAD_CONFIG',
    `${directory} is the directory ${other}, not of ${name}; name another directory`,
  )
}

export class AppGroup {
  readonly name: string
  /** Id on the wire, 16 bytes. */
  readonly id: Uint8Array
  /** Of its channels, 32 bytes. Secret. */
  readonly psk: Uint8Array
  readonly directory: string
  readonly #key: Uint8Array
  readonly #files: GroupFiles
  readonly #apps: AppRegistry
  readonly #crypto: CryptoProvider

  /** Only for `openAppGroup`. */
  constructor(o: {
    readonly name: string
    readonly directory: string
    readonly key: Uint8Array
    readonly files: GroupFiles
    readonly world: AppGroupWorld
  }) {
    const { crypto, env } = o.world
    this.name = o.name
    this.directory = o.directory
    this.#key = o.key
    this.#files = o.files
    this.#crypto = crypto
    this.#apps = new AppRegistry({ files: o.files, env, crypto })
    this.id = groupIdOf(o.name, crypto)
    this.psk = channelPsk(o.key, this.id, crypto)
  }

  /** Where a database is shared. */
  endpoint(database: string): LocalEndpoint {
    return { transport: 'uds', directory: this.directory, name: database }
  }

  /** Keys of an app; one that is new is registered. `TypeError`, `DAMAGED`, `UNSAFE_DIRECTORY`, `QUOTA`. */
  app(id: string): Promise<AppIdentity> {
    return this.#apps.open(id)
  }

  /** The registered app with this Ed25519 key, or undefined. Rejects when that cannot be told: `DAMAGED`, `QUOTA` and others. */
  appOf(deviceKey: Uint8Array): Promise<string | undefined> {
    return this.#apps.find(deviceKey)
  }

  /** Key under which an app keeps its copies of a database, 32 bytes. Secret. */
  guestKey(app: string, database: string): Uint8Array {
    const names = { app: checkGroupName(app, 'app'), database }
    return copyKey({ key: this.#key, id: this.id }, names, this.#crypto)
  }

  /** Absolute path of one of an app's copies of a database; `slot` from 0 to below `limits.guestSlotsMax`. */
  guestDirectory(app: string, database: string, slot: number): string {
    const inRange = Number.isInteger(slot) && slot >= 0 && slot < limits.guestSlotsMax
    assert(inRange, `a slot is within 0..${limits.guestSlotsMax - 1}`)
    return join(this.directory, 'guests', checkGroupName(app, 'app'), this.#hash(database), `${slot}`)
  }

  /** Tells, for people and programs to see, that a database is shared. Replaces what was told of it. */
  publish(entry: SharedDatabase): Promise<void> {
    return this.#files.writeJson(this.#entryOf(entry.database), formatSharedDatabase(entry))
  }

  /** Harmless when it was not published. */
  withdraw(database: string): Promise<void> {
    return this.#files.volume.remove(this.#entryOf(database))
  }

  /**
   * What was published and not withdrawn; a process that was killed leaves its entry. An entry that does not read is left out: its
   * app writes it anew when it shares again. At most `limits.groupDatabasesMax`.
   */
  async databases(): Promise<SharedDatabase[]> {
    const names = (await this.#files.volume.list('databases')).filter((name) => ENTRY.test(name))
    const entries: SharedDatabase[] = []
    for (const name of names.slice(0, limits.groupDatabasesMax)) {
      const entry = await this.#readEntry(`databases/${name}`)
      if (entry !== undefined && this.#entryOf(entry.database) === `databases/${name}`) entries.push(entry)
    }
    return entries
  }

  /** What was published of one database, as in `databases`. */
  async entry(database: string): Promise<SharedDatabase | undefined> {
    const entry = await this.#readEntry(this.#entryOf(database))
    return entry?.database === database ? entry : undefined
  }

  async #readEntry(name: string): Promise<SharedDatabase | undefined> {
    try {
      const json = await this.#files.readJson(name)
      return json === undefined ? undefined : parseSharedDatabase(json)
    } catch (error) {
      if (error instanceof BlazeError && unreadable.has(error.code)) return undefined
      throw error
    }
  }

  #entryOf(database: string): string {
    return `databases/${this.#hash(database)}.json`
  }

  #hash(database: string): string {
    return toHex(databaseHash(database, this.#crypto))
  }
}

/** Codes that speak about one file. */
const unreadable: ReadonlySet<string> = new Set(['DAMAGED', 'BAD_CONFIG', 'UNSAFE_DIRECTORY'])
