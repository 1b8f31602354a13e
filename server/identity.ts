/**
 * The supervisor's identity: the keys that clients pin, kept in the file `identity` of the data directory. It opens no space.
 *
 * Invariant: made once, from entropy; a file that is there but does not check is never replaced, since every client would be locked out.
 *
 * File: `"BLZS" | u8 version = 2 | bytes[32] static scalar | bytes[32] pairing scalar | bytes[32] Ed25519 seed | u48 created ms
 * | u8 n | n × bytes[32] retired static scalar, the youngest first | bytes[8] start of SHA-256 over all bytes before`. Version 1 ends
 * before `u8 n`.
 */
import type { Volume } from '../actors/index.ts'
import type { CryptoProvider, Env, Signer } from '../runtime/index.ts'
import {
  BlazeError,
  ByteReader,
  ByteWriter,
  concatBytes,
  equalBytes,
  limits,
  redacted,
} from '../runtime/index.ts'

const fileName = 'identity'
const magic: Uint8Array = new TextEncoder().encode('BLZS')
const version = 2
const scalarBytes = 32
const checkBytes = 8

export interface ServerIdentity {
  /** Secret P-256 scalar behind the key that clients pin. */
  readonly staticKey: Uint8Array
  /** Secret scalars that `staticKey` took the place of, the youngest first: clients that pin one are told of the present one. */
  readonly retiredKeys: readonly Uint8Array[]
  /** Secret P-256 scalar used in pairing only, so that a code never exercises the pinned key. */
  readonly pairingKey: Uint8Array
  /** Ed25519. */
  readonly device: Signer
  /** 65 bytes; stands in enrolment codes and invites. */
  readonly staticPublicKey: Uint8Array
  readonly createdMs: number
}

/** Reads the identity, or makes it on the first start. The caller holds the data directory. `DAMAGED`. */
export async function openIdentity(options: {
  volume: Volume
  env: Env
  crypto: CryptoProvider
}): Promise<ServerIdentity> {
  const { volume, env, crypto } = options
  const stored = await volume.readFile(fileName)
  if (stored !== undefined) return parseIdentity(stored, crypto)
  const bytes = encodeIdentity(
    {
      staticKey: drawScalar(env, crypto),
      retiredKeys: [],
      pairingKey: drawScalar(env, crypto),
      seed: env.entropy(scalarBytes),
      createdMs: env.now(),
    },
    crypto,
  )
  await volume.writeFile(fileName, bytes)
  return parseIdentity(bytes, crypto)
}

/** Takes a new static key; the one so far is retired, and the oldest of too many is forgotten. Durable when it resolves. `DAMAGED`. */
export async function rotateIdentity(options: {
  volume: Volume
  env: Env
  crypto: CryptoProvider
}): Promise<ServerIdentity> {
  const { volume, env, crypto } = options
  const stored = await volume.readFile(fileName)
  if (stored === undefined) throw new BlazeError('DAMAGED', 'the identity file of the supervisor is gone')
  const secrets = parseSecrets(stored, crypto)
  const retiredKeys = [secrets.staticKey, ...secrets.retiredKeys].slice(0, limits.retiredKeysMax)
  const bytes = encodeIdentity({ ...secrets, staticKey: drawScalar(env, crypto), retiredKeys }, crypto)
  await volume.writeFile(fileName, bytes)
  return parseIdentity(bytes, crypto)
}

interface IdentitySecrets {
  readonly staticKey: Uint8Array
  readonly retiredKeys: readonly Uint8Array[]
  readonly pairingKey: Uint8Array
  readonly seed: Uint8Array
  readonly createdMs: number
}

function encodeIdentity(secrets: IdentitySecrets, crypto: CryptoProvider): Uint8Array {
  const body = new ByteWriter()
    .bytes(magic)
    .u8(version)
    .bytes(secrets.staticKey)
    .bytes(secrets.pairingKey)
    .bytes(secrets.seed)
    .u48(secrets.createdMs)
    .u8(secrets.retiredKeys.length)
    .bytes(concatBytes(secrets.retiredKeys))
    .finish()
  return new ByteWriter().bytes(body).bytes(crypto.sha256(body).subarray(0, checkBytes)).finish()
}

function parseIdentity(bytes: Uint8Array, crypto: CryptoProvider): ServerIdentity {
  const { seed, ...secrets } = parseSecrets(bytes, crypto)
  return {
    ...secrets,
    device: crypto.createSigner(seed),
    staticPublicKey: crypto.createP256(secrets.staticKey).publicKey,
  }
}

function parseSecrets(bytes: Uint8Array, crypto: CryptoProvider): IdentitySecrets {
  try {
    const reader = new ByteReader(bytes, 'identity')
    const body = reader.bytes(Math.max(0, bytes.length - checkBytes))
    const check = reader.rest()
    if (!equalBytes(check, crypto.sha256(body).subarray(0, checkBytes)))
      throw reader.violation('checksum differs')
    const fields = new ByteReader(body, 'identity')
    if (!equalBytes(fields.bytes(magic.length), magic)) throw fields.violation('not an identity file')
    const found = fields.u8()
    if (found !== 1 && found !== version) throw fields.violation(`version ${found} is not known`)
    const secret = (): Uint8Array => redacted(fields.bytes(scalarBytes).slice())
    const staticKey = secret()
    const pairingKey = secret()
    const seed = secret()
    const createdMs = fields.u48()
    const retired = found === 1 ? 0 : fields.u8()
    const retiredKeys = Array.from({ length: retired }, secret)
    fields.end()
    for (const scalar of [staticKey, pairingKey, ...retiredKeys]) crypto.createP256(scalar)
    return { staticKey, retiredKeys, pairingKey, seed, createdMs }
  } catch (cause) {
    if (!(cause instanceof BlazeError)) throw cause
    throw new BlazeError(
      'DAMAGED',
      `the supervisor's identity file does not check (${cause.message}): restore it from a backup, or remove it to begin anew, which every client will refuse`,
      { cause },
    )
  }
}

function drawScalar(env: Env, crypto: CryptoProvider): Uint8Array {
  for (;;) {
    const scalar = env.entropy(scalarBytes)
    try {
      crypto.createP256(scalar)
      return scalar
    } catch (error) {
      // One draw in 2^32 lies outside the group and is drawn again.
      if (!(error instanceof BlazeError && error.code === 'BAD_KEY')) throw error
    }
  }
}
