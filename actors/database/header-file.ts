/**
 * The two copies of a database's header on its volume, and the identity behind them.
 * Invariant: a valid copy exists at every moment; copies are replaced one after the other, and the higher generation counts.
 */
import { BlazeError } from '../../runtime/index.ts'
import type { CryptoProvider, Env } from '../../runtime/index.ts'
import type { Volume } from '../replica/index.ts'
import { createKdf, deriveKey, encodeHeader, openIdentity, openMaster, parseHeader } from './header.ts'
import type { Kdf, KdfProfile, ParsedHeader, Secret } from './header.ts'
import { decodeIdentity, encodeIdentity, patchIdentity } from './identity.ts'
import type { DatabaseIdentity, IdentityPatch } from './identity.ts'

const FILES = ['header.0', 'header.1'] as const

export interface HeaderWorld {
  readonly volume: Volume
  readonly crypto: CryptoProvider
  readonly env: Env
}

/** What unlocking has shown; needed to write the header again. */
interface Unlocked {
  readonly kdf: Kdf
  readonly derivedKey: Uint8Array
  readonly masterKey: Uint8Array
}

export class HeaderFile {
  readonly #world: HeaderWorld
  readonly #unlocked: Unlocked
  #generation: number
  #identity: DatabaseIdentity
  /** Updates are written one after the other. */
  #writing: Promise<unknown> = Promise.resolve()

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

  /** Resolves when both copies hold the change; it is visible in `identity` from then on. */
  update(patch: IdentityPatch): Promise<void> {
    const written = this.#writing.then(async () => {
      const identity = patchIdentity(this.#identity, patch)
      await this.write(identity)
      this.#identity = identity
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
    for (const name of FILES) await volume.writeFile(name, bytes)
  }
}

/** Writes a first header. */
export async function createHeader(
  world: HeaderWorld,
  options: { secret: Secret; profile: KdfProfile; identity: DatabaseIdentity },
): Promise<HeaderFile> {
  const { crypto, env } = world
  const kdf = createKdf(options.secret, options.profile, env)
  const derivedKey = await deriveKey(options.secret, kdf, crypto)
  if (derivedKey === undefined)
    throw new TypeError('the key derivation fits the kind of secret it was made for')
  const file = new HeaderFile(world, { kdf, derivedKey, masterKey: env.entropy(32) }, 0, options.identity)
  await file.write(options.identity)
  return file
}

/**
 * Opens the newest copy that authenticates; undefined when there is no copy at all. A broken copy is written anew.
 * Rejects with `WRONG_PASSWORD`, or `HEADER_DAMAGED` when no copy can be read with any secret.
 */
export async function unlockHeader(world: HeaderWorld, secret: Secret): Promise<HeaderFile | undefined> {
  const copies = await Promise.all(FILES.map((name) => world.volume.readFile(name)))
  if (copies.every((copy) => copy === undefined)) return undefined
  const parsed = copies.map((copy) => (copy === undefined ? undefined : tryParse(copy)))
  const newest = parsed.filter((header) => header !== undefined).sort((a, b) => b.generation - a.generation)
  if (newest.length === 0) throw damaged('neither copy of the header can be read')

  let refused = false
  const keys: { kdf: Kdf; derivedKey: Uint8Array | undefined }[] = []
  for (const header of newest) {
    const known = keys.find(({ kdf }) => sameKdf(kdf, header.kdf, world.crypto))
    const derivedKey =
      known === undefined ? await deriveKey(secret, header.kdf, world.crypto) : known.derivedKey
    keys.push({ kdf: header.kdf, derivedKey })
    const masterKey = derivedKey === undefined ? undefined : openMaster(header, derivedKey, world.crypto)
    if (derivedKey === undefined || masterKey === undefined) {
      refused = true
      continue
    }
    const identity = openIdentity(header, masterKey, world.crypto)
    if (identity === undefined) continue
    const unlocked = { kdf: header.kdf, derivedKey, masterKey }
    const file = new HeaderFile(world, unlocked, header.generation, decodeIdentity(identity))
    const [first, second] = copies
    const twins = first !== undefined && second !== undefined && world.crypto.equal(first, second)
    if (!twins) await file.write(file.identity)
    return file
  }
  if (refused) {
    throw new BlazeError('WRONG_PASSWORD', 'the password or key does not open this database')
  }
  throw damaged('the identity in the header does not authenticate')
}

/** The store has rows but the header is gone. */
export function missingHeader(): BlazeError {
  return damaged('the header is missing although the store holds a database')
}

function tryParse(bytes: Uint8Array): ParsedHeader | undefined {
  try {
    return parseHeader(bytes)
  } catch (error) {
    if (error instanceof BlazeError && error.code === 'PROTOCOL_VIOLATION') return undefined
    throw error
  }
}

function sameKdf(a: Kdf, b: Kdf, crypto: CryptoProvider): boolean {
  return a.cost?.N === b.cost?.N && a.cost?.p === b.cost?.p && crypto.equal(a.salt, b.salt)
}

function damaged(problem: string): BlazeError {
  return new BlazeError('HEADER_DAMAGED', `${problem}: restore the database from a backup or a peer`)
}
