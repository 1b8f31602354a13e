/**
 * The apps of a group: who they are, and how others recognise them.
 * Invariant: an app keeps its keys for ever; a key that cannot be judged is an error, never a stranger.
 */
import { BlazeError, bytesKey, fromHex, limits, toHex } from '../../../runtime/index.ts'
import type { CryptoProvider, Env, Signer } from '../../../runtime/index.ts'
import { createDeviceIdentity, openDeviceIdentity } from '../../team/index.ts'
import type { DeviceIdentity } from '../../team/index.ts'
import { checkGroupName, isGroupName } from './app-name.ts'
import type { GroupFiles, GroupJson } from './group-file.ts'

/** Seed of the Ed25519 key, then scalar of the P-256 key. */
const SECRET_BYTES = 32
const HEX_KEY = /^[0-9a-f]{64}$/

/** Keys of an app in its group. */
export interface AppIdentity {
  readonly id: string
  /** Scalar of its P-256 key, 32 bytes. Secret. */
  readonly staticKey: Uint8Array
  readonly device: Signer
}

export class AppRegistry {
  readonly #files: GroupFiles
  readonly #env: Env
  readonly #crypto: CryptoProvider
  /** App by its Ed25519 key, as it was last read. At most `limits.groupAppsMax`. */
  #known = new Map<string, string>()

  constructor(o: { readonly files: GroupFiles; readonly env: Env; readonly crypto: CryptoProvider }) {
    this.#files = o.files
    this.#env = o.env
    this.#crypto = o.crypto
  }

  /** Its keys; a new app gets some and is registered. `DAMAGED`, `UNSAFE_DIRECTORY`, `QUOTA`. */
  async open(id: string): Promise<AppIdentity> {
    const app = checkGroupName(id, 'app')
    const file = `apps/${app}/identity`
    const registered = await this.#readKey(app)
    const secret =
      (await this.#files.readSecret(file, 2 * SECRET_BYTES)) ?? (await this.#create(app, registered))
    const { dhScalar, signer } = this.#openSecret(file, secret)
    const key = toHex(signer.publicKey)
    const listed = registered ?? (await this.#register(app, key))
    if (listed !== key) {
      throw this.#files.damaged(`apps/${app}/app.json`, 'its key is not the one of the identity beside it')
    }
    return { id: app, staticKey: dhScalar, device: signer }
  }

  /**
   * The app whose Ed25519 key this is, or undefined when all apps were looked at and none has it. Otherwise the fault that hindered
   * it: `QUOTA` when there are more than `limits.groupAppsMax`, or what is wrong with a file.
   */
  async find(deviceKey: Uint8Array): Promise<string | undefined> {
    const key = bytesKey(deviceKey)
    const known = this.#known.get(key)
    // It may have been removed since.
    if (known !== undefined && (await this.#readKey(known)) === toHex(deviceKey)) return known
    const fault = await this.#readAll()
    const found = this.#known.get(key)
    if (found === undefined && fault !== undefined) throw fault
    return found
  }

  /** Returns the first fault of a file, after all were read. */
  async #readAll(): Promise<BlazeError | undefined> {
    const known = new Map<string, string>()
    let fault: BlazeError | undefined
    for (const app of await this.#list()) {
      try {
        const key = await this.#readKey(app)
        if (key === undefined) continue
        const bytes = bytesKey(fromHex(key))
        // A directory that was copied is no second app.
        if (!known.has(bytes)) known.set(bytes, app)
      } catch (error) {
        if (!(error instanceof BlazeError)) throw error
        // The other apps are not to suffer from the files of this one.
        fault ??= error
      }
    }
    this.#known = known
    return fault
  }

  async #list(): Promise<string[]> {
    const names = await this.#files.volume.list('apps')
    if (names.length > limits.groupAppsMax) {
      throw new BlazeError(
        'QUOTA',
        `${this.#files.volume.at}/apps has ${names.length} entries, at most ${limits.groupAppsMax} are apps; remove those that are none`,
      )
    }
    return names.filter(isGroupName)
  }

  /** Of its `app.json`; undefined when there is none. */
  async #readKey(app: string): Promise<string | undefined> {
    const name = `apps/${app}/app.json`
    const json = await this.#files.readJson(name)
    return json === undefined ? undefined : this.#keyOf(app, json)
  }

  #keyOf(app: string, json: GroupJson): string {
    const { key } = json
    if (json['app'] !== app || typeof key !== 'string' || !HEX_KEY.test(key)) {
      throw this.#files.damaged(`apps/${app}/app.json`, 'expected the name of this app and its key')
    }
    return key
  }

  async #create(app: string, registered: string | undefined): Promise<Uint8Array> {
    const file = `apps/${app}/identity`
    if (registered !== undefined) throw this.#files.damaged(file, 'it is missing')
    const names = await this.#list()
    if (names.length === limits.groupAppsMax && !names.includes(app)) {
      throw new BlazeError('QUOTA', `the app group has ${names.length} apps; remove the directories of some`)
    }
    const { signSeed, dhScalar } = createDeviceIdentity({ crypto: this.#crypto, env: this.#env })
    const secret = new Uint8Array(2 * SECRET_BYTES)
    secret.set(signSeed)
    secret.set(dhScalar, SECRET_BYTES)
    return this.#files.createSecret(file, secret)
  }

  async #register(app: string, key: string): Promise<string> {
    return this.#keyOf(app, await this.#files.createJson(`apps/${app}/app.json`, { app, key }))
  }

  #openSecret(file: string, secret: Uint8Array): DeviceIdentity {
    try {
      return openDeviceIdentity({
        crypto: this.#crypto,
        signSeed: secret.slice(0, SECRET_BYTES),
        dhScalar: secret.slice(SECRET_BYTES),
      })
    } catch (error) {
      if (error instanceof BlazeError && error.code === 'BAD_KEY')
        throw this.#files.damaged(file, 'it holds no key')
      throw error
    }
  }
}
