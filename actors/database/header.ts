/**
 * Bytes of the database header (PROTOCOL §6.2): the master key under the password's key, the identity under the master key.
 * Invariant: cost parameters are bounded before any derivation, and nothing is believed that does not authenticate. The checksum
 * tells a damaged copy from a whole one that another secret opens, so that an older copy never lets a former password in.
 */
import {
  AEAD_NONCE_BYTES,
  BlazeError,
  ByteReader,
  ByteWriter,
  concatBytes,
  limits,
} from '../../runtime/index.ts'
import type { CryptoProvider, Env, ScryptCost } from '../../runtime/index.ts'

const MAGIC = new TextEncoder().encode('BLZH')
const VERSION = 2
const SALT_BYTES = 16
const SEALED_MASTER_BYTES = 48
const CHECKSUM_BYTES = 32
const KDF_RAW = 0
const KDF_SCRYPT = 1
const NO_SALT = new Uint8Array(0)
const LOG2_N_MIN = 15
const LOG2_N_MAX = 20

/** What opens a database. */
export type Secret = { readonly password: string } | { readonly key: Uint8Array }

/** `small` is for machines where 128 MiB for a derivation are too much. Stored with the database. */
export type KdfProfile = 'standard' | 'small'

const profiles: Readonly<Record<KdfProfile, ScryptCost>> = {
  standard: { N: 2 ** 17, r: 8, p: 1 },
  small: { N: 2 ** 15, r: 8, p: 1 },
}

/** How the secret becomes the key of the master key. `cost` is undefined for a raw key. */
export interface Kdf {
  readonly cost: ScryptCost | undefined
  readonly salt: Uint8Array
}

/** A header whose shape is right; nothing in it is authentic yet. */
export interface ParsedHeader {
  readonly generation: number
  readonly kdf: Kdf
  /** Associated data of the sealed master key. */
  readonly prefix: Uint8Array
  readonly masterNonce: Uint8Array
  readonly sealedMaster: Uint8Array
  readonly identityNonce: Uint8Array
  readonly sealedIdentity: Uint8Array
}

export function createKdf(secret: Secret, profile: KdfProfile, env: Env): Kdf {
  return createKdfOf('password' in secret ? profiles[profile] : undefined, env)
}

/** The same cost under a fresh salt. */
export function createKdfOf(cost: ScryptCost | undefined, env: Env): Kdf {
  return { cost, salt: env.entropy(SALT_BYTES) }
}

/** `PROTOCOL_VIOLATION` when the shape or the checksum is wrong. */
export function parseHeader(bytes: Uint8Array, crypto: CryptoProvider): ParsedHeader {
  const reader = new ByteReader(bytes, 'database header')
  const magic = reader.bytes(MAGIC.length)
  if (magic.some((byte, at) => byte !== MAGIC[at])) throw reader.violation('its first bytes are others')
  const version = reader.u8()
  if (version !== VERSION) throw reader.violation(`unknown version ${version}`)
  const generation = reader.u48()
  const cost = readCost(reader)
  const salt = reader.bytes(SALT_BYTES)
  const prefix = bytes.subarray(0, reader.position)
  const masterNonce = reader.bytes(AEAD_NONCE_BYTES)
  const sealedMaster = reader.bytes(SEALED_MASTER_BYTES)
  const identityNonce = reader.bytes(AEAD_NONCE_BYTES)
  const length = reader.u32()
  if (length > limits.identityBytesMax) throw reader.violation(`an identity of ${length} bytes`)
  const sealedIdentity = reader.bytes(length)
  const summed = bytes.subarray(0, reader.position)
  const checksum = reader.bytes(CHECKSUM_BYTES)
  reader.end()
  if (!crypto.equal(checksum, crypto.sha256(summed))) throw reader.violation('its checksum is another')
  return { generation, kdf: { cost, salt }, prefix, masterNonce, sealedMaster, identityNonce, sealedIdentity }
}

export interface HeaderDraft {
  readonly generation: number
  readonly kdf: Kdf
  /** From `deriveKey`, 32 bytes. */
  readonly derivedKey: Uint8Array
  /** 32 bytes. */
  readonly masterKey: Uint8Array
  readonly identity: Uint8Array
}

/** `TOO_LARGE` for an identity above its limit. */
export function encodeHeader(draft: HeaderDraft, crypto: CryptoProvider, env: Env): Uint8Array {
  const { generation, kdf } = draft
  if (draft.identity.length + 16 > limits.identityBytesMax) {
    throw new BlazeError('TOO_LARGE', `the identity has ${draft.identity.length} bytes`, {
      details: { bytesMax: limits.identityBytesMax },
    })
  }
  const prefix = new ByteWriter(64)
    .bytes(MAGIC)
    .u8(VERSION)
    .u48(generation)
    .u8(kdf.cost === undefined ? KDF_RAW : KDF_SCRYPT)
    .u8(kdf.cost === undefined ? 0 : Math.log2(kdf.cost.N))
    .u8(kdf.cost?.r ?? 0)
    .u8(kdf.cost?.p ?? 0)
    .bytes(kdf.salt)
    .finish()
  const masterNonce = env.entropy(AEAD_NONCE_BYTES)
  const identityNonce = env.entropy(AEAD_NONCE_BYTES)
  const sealedMaster = crypto.createAead(draft.derivedKey).seal(masterNonce, prefix, draft.masterKey)
  const sealedIdentity = identityAead(draft.masterKey, crypto).seal(
    identityNonce,
    identityContext(generation),
    draft.identity,
  )
  const summed = new ByteWriter(256 + sealedIdentity.length)
    .bytes(prefix)
    .bytes(masterNonce)
    .bytes(sealedMaster)
    .bytes(identityNonce)
    .u32(sealedIdentity.length)
    .bytes(sealedIdentity)
    .finish()
  return concatBytes([summed, crypto.sha256(summed)])
}

/** The master key, or undefined: another secret, or damaged bytes. */
export function openMaster(
  header: ParsedHeader,
  derivedKey: Uint8Array,
  crypto: CryptoProvider,
): Uint8Array | undefined {
  return crypto.createAead(derivedKey).open(header.masterNonce, header.prefix, header.sealedMaster)
}

/** The bytes of the identity, or undefined when they are damaged. */
export function openIdentity(
  header: ParsedHeader,
  masterKey: Uint8Array,
  crypto: CryptoProvider,
): Uint8Array | undefined {
  const context = identityContext(header.generation)
  return identityAead(masterKey, crypto).open(header.identityNonce, context, header.sealedIdentity)
}

/** One derivation of this process at a time: each takes up to 128 MiB. */
let derivations: Promise<unknown> = Promise.resolve()

/** The key of the master key; undefined when the header wants the other kind of secret. */
export async function deriveKey(
  secret: Secret,
  kdf: Kdf,
  crypto: CryptoProvider,
): Promise<Uint8Array | undefined> {
  const { cost, salt } = kdf
  if ('key' in secret) {
    return cost === undefined ? secret.key : undefined
  }
  if (cost === undefined) return undefined
  const derived = derivations.then(() => crypto.scrypt(secret.password, salt, cost, 32))
  derivations = derived.catch(() => undefined)
  return derived
}

function identityAead(
  masterKey: Uint8Array,
  crypto: CryptoProvider,
): ReturnType<CryptoProvider['createAead']> {
  return crypto.createAead(crypto.hkdfSha256(masterKey, NO_SALT, 'identity', 32))
}

function identityContext(generation: number): Uint8Array {
  return concatBytes([MAGIC, new ByteWriter(6).u48(generation).finish()])
}

function readCost(reader: ByteReader): ScryptCost | undefined {
  const kdf = reader.u8()
  const [log2N, r, p] = [reader.u8(), reader.u8(), reader.u8()]
  if (kdf === KDF_RAW && log2N === 0 && r === 0 && p === 0) return undefined
  if (kdf !== KDF_SCRYPT || log2N < LOG2_N_MIN || log2N > LOG2_N_MAX || r !== 8 || p < 1 || p > 4) {
    throw reader.violation(`a key derivation (${kdf}, ${log2N}, ${r}, ${p}) outside its bounds`)
  }
  return { N: 2 ** log2N, r, p }
}
