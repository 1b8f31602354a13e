/**
 * The two copies of a database's header on its volume, and the identity behind them.
 * Invariant: a valid copy exists at every moment; copies are replaced one after the other, and the higher generation counts.
 */
import { assert, BlazeError } from '../../runtime/index.ts'
import type { CryptoProvider, Env } from '../../runtime/index.ts'
import type { Volume } from '../replica/index.ts'
import {
  createKdf,
  createKdfOf,
  deriveKey,
  encodeHeader,
  openIdentity,
  openMaster,
  parseHeader,
} from './header.ts'
import type { Kdf, KdfProfile, ParsedHeader, Secret } from './header.ts'
import { decodeIdentity, encodeIdentity, patchIdentity } from './identity.ts'
import type { DatabaseIdentity, IdentityPatch } from './identity.ts'

const NO_SALT = new Uint8Array(0)
export const HEADER_FILES: readonly string[] = ['header.0', 'header.1']

export interface HeaderWorld {
  readonly volume: Volume
  readonly crypto: CryptoProvider
  readonly env: Env
}

export interface SecretChange {
  /** The one that opens the database now. */
  readonly from: Secret
  readonly to: Secret
  /** Cost of a new password; default: that of the old one, `standard` after a key. */
  readonly kdf?: KdfProfile | undefined
}

/** What unlocking has shown; needed to write the header again. */
export interface Unlocked {
  readonly kdf: Kdf
  readonly derivedKey: Uint8Array
  readonly masterKey: Uint8Array
}

export class HeaderFile {
  readonly #world: HeaderWorld
  #unlocked: Unlocked
  #generation: number
  #identity: DatabaseIdentity
  /** Updates are written one after the other. */
  #writing: Promise<unknown> = Promise.resolve()
  /** So are changes of the secret, which take long before they write. */
  #changing: Promise<unknown> = Promise.resolve()
  #closed = false

  /** Only for `createHeader` and `unlockHeader`. */
  constructor(world: HeaderWorld, unlocked: Unlocked, generation: number, identity: DatabaseIdentity) {
    this.#world = world
    this.#unlocked = unlocked
    this.#generation = generation
    this.#identity = identity
  }

  get identity(): DatabaseIdentity {
    return this.#identity
  }

  /** 32 bytes for one purpose of this directory; it changes neither with the password nor with the keys of the space. */
  localKey(label: string): Uint8Array {
    return localKeyOf(this.#unlocked.masterKey, label, this.#world.crypto)
  }

  /** The header as it is now, for a place outside of its directory: with the same local keys, opened by `secret`, or by that of now. */
  async copy(secret?: Secret): Promise<Uint8Array> {
    const { crypto, env } = this.#world
    const { masterKey } = this.#unlocked
    const unlocked = secret === undefined ? this.#unlocked : await this.#wrapFor(secret, undefined)
    const identity = encodeIdentity(this.#identity)
    return encodeHeader({ ...unlocked, masterKey, generation: this.#generation, identity }, crypto, env)
  }

  /** Resolves when both copies hold the change; it is visible in `identity` from then on. */
  update(patch: IdentityPatch): Promise<void> {
    return this.#inTurn(async () => {
      const identity = patchIdentity(this.#identity, patch)
      await this.write(identity)
      this.#identity = identity
    })
  }

  /**
   * Wraps the master key for another secret and changes nothing else. A crash leaves a header that exactly one of the two opens.
   * Rejects with `WRONG_PASSWORD`, and with what the disk says: then the old secret still counts.
   */
  changeSecret(change: SecretChange): Promise<void> {
    const changed = this.#changing.then(() => this.#changeSecret(change))
    this.#changing = changed.catch(() => undefined)
    return changed
  }

  async #changeSecret({ from, to, kdf }: SecretChange): Promise<void> {
    const { crypto } = this.#world
    const { kdf: known, derivedKey: expected } = this.#unlocked
    const proof = await deriveKey(from, known, crypto)
    if (proof === undefined || !crypto.equal(proof, expected)) throw wrongSecret()
    const wrap = await this.#wrapFor(to, kdf)
    await this.#inTurn(() => this.#rewrap({ ...this.#unlocked, ...wrap }))
  }

  /** At the cost of now, where both are passwords and no other is asked for. */
  async #wrapFor(
    secret: Secret,
    profile: KdfProfile | undefined,
  ): Promise<Pick<Unlocked, 'kdf' | 'derivedKey'>> {
    const { crypto, env } = this.#world
    const { cost } = this.#unlocked.kdf
    const kdf =
      'key' in secret || profile !== undefined || cost === undefined
        ? createKdf(secret, profile ?? 'standard', env)
        : createKdfOf(cost, env)
    return { kdf, derivedKey: await deriveFresh(secret, kdf, crypto) }
  }

  async #rewrap(next: Unlocked): Promise<void> {
    const before = this.#unlocked
    this.#unlocked = next
    try {
      await this.write(this.#identity)
    } catch (error) {
      this.#unlocked = before
      // One copy may have the new wrap already, and it would count.
      const isBack = await this.write(this.#identity).then(
        () => true,
        () => false,
      )
      if (isBack || !(error instanceof BlazeError)) throw error
      throw new BlazeError(
        error.code,
        `${error.message}; the password was not changed, but until the header can be written again the new one may be the one that opens it`,
        { cause: error, details: error.details },
      )
    }
  }

  /** Resolves when nothing is written any more; later changes reject with `CLOSED`. Before the directory is given free. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#writing
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const written = this.#writing.then(() => {
      if (this.#closed) throw new BlazeError('CLOSED', 'the database was closed')
      return work()
    })
    this.#writing = written.catch(() => undefined)
    return written
  }

  /** Writes both copies under the next generation. */
  async write(identity: DatabaseIdentity): Promise<void> {
    const { volume, crypto, env } = this.#world
    // Even a failed write may have reached the disk, so its generation is not used again.
    this.#generation += 1
    const draft = { ...this.#unlocked, generation: this.#generation, identity: encodeIdentity(identity) }
    const bytes = encodeHeader(draft, crypto, env)
    for (const name of HEADER_FILES) await volume.writeFile(name, bytes)
  }
}

/** Writes a first header. */
export async function createHeader(
  world: HeaderWorld,
  options: { secret: Secret; profile: KdfProfile; identity: DatabaseIdentity },
): Promise<HeaderFile> {
  const { crypto, env } = world
  const kdf = createKdf(options.secret, options.profile, env)
  const derivedKey = await deriveFresh(options.secret, kdf, crypto)
  const file = new HeaderFile(world, { kdf, derivedKey, masterKey: env.entropy(32) }, 0, options.identity)
  await file.write(options.identity)
  return file
}

/** 32 bytes for one purpose of what the master key belongs to. */
export function localKeyOf(masterKey: Uint8Array, label: string, crypto: CryptoProvider): Uint8Array {
  return crypto.hkdfSha256(masterKey, NO_SALT, `local/${label}`, 32)
}

/**
 * Opens the newest whole copy; undefined when there is no copy at all. A broken copy is written anew.
 * Rejects with `WRONG_PASSWORD`, or `HEADER_DAMAGED` when no copy can be read with any secret.
 */
export async function unlockHeader(world: HeaderWorld, secret: Secret): Promise<HeaderFile | undefined> {
  const { volume, crypto } = world
  const copies = await Promise.all(HEADER_FILES.map((name) => volume.readFile(name)))
  if (copies.every((copy) => copy === undefined)) return undefined
  const whole = copies
    .map((copy) => (copy === undefined ? undefined : tryParse(copy, crypto)))
    .filter((header) => header !== undefined)
    .sort((a, b) => b.generation - a.generation)
  for (const header of whole) {
    const opened = await openHeader(header, secret, crypto)
    // An older copy may be one from before the secret was changed.
    if (opened === undefined) throw wrongSecret()
    if (opened.identity === undefined) continue
    const file = new HeaderFile(world, opened.unlocked, header.generation, opened.identity)
    const [first, second] = copies
    const twins = first !== undefined && second !== undefined && crypto.equal(first, second)
    if (!twins) await file.write(file.identity)
    return file
  }
  throw damaged(
    whole.length === 0
      ? 'neither copy of the header can be read'
      : 'the identity in the header does not authenticate',
  )
}

export interface OpenedHeader {
  readonly unlocked: Unlocked
  /** Undefined when it does not authenticate. */
  readonly identity: DatabaseIdentity | undefined
}

/** Undefined when another secret opens it. */
export async function openHeader(
  header: ParsedHeader,
  secret: Secret,
  crypto: CryptoProvider,
): Promise<OpenedHeader | undefined> {
  const { kdf } = header
  const derivedKey = await deriveKey(secret, kdf, crypto)
  const masterKey = derivedKey && openMaster(header, derivedKey, crypto)
  if (derivedKey === undefined || masterKey === undefined) return undefined
  const identity = openIdentity(header, masterKey, crypto)
  return {
    unlocked: { kdf, derivedKey, masterKey },
    identity: identity && decodeIdentity(identity),
  }
}

/** The store has rows but the header is gone. */
export function missingHeader(): BlazeError {
  return damaged('the header is missing although the store holds a database')
}

function tryParse(bytes: Uint8Array, crypto: CryptoProvider): ParsedHeader | undefined {
  try {
    return parseHeader(bytes, crypto)
  } catch (error) {
    if (error instanceof BlazeError && error.code === 'PROTOCOL_VIOLATION') return undefined
    throw error
  }
}

async function deriveFresh(secret: Secret, kdf: Kdf, crypto: CryptoProvider): Promise<Uint8Array> {
  const derivedKey = await deriveKey(secret, kdf, crypto)
  assert(derivedKey !== undefined, 'a key derivation fits the kind of secret it was made for')
  return derivedKey
}

export function wrongSecret(): BlazeError {
  return new BlazeError('WRONG_PASSWORD', 'the password or key does not open this database')
}

function damaged(problem: string): BlazeError {
  return new BlazeError('HEADER_DAMAGED', `${problem}: restore the database from a backup or a peer`)
}
