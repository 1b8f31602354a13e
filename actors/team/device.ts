/**
 * The keys by which a device is known, public and private halves.
 * Invariant: private halves are made from `Env` entropy and leave this module only for the sealed identity of a database.
 */
import { BlazeError, ByteReader, concatBytes, P256_PUBLIC_KEY_BYTES, redacted } from '../../runtime/index.ts'
import type { CryptoProvider, Env, P256Key, Signer } from '../../runtime/index.ts'

const SIGN_KEY_BYTES = 32
/** Bytes of a device key: Ed25519, then P-256. */
export const DEVICE_KEYS_BYTES: number = SIGN_KEY_BYTES + P256_PUBLIC_KEY_BYTES

/** Public half. */
export interface DeviceKeys {
  /** Ed25519, 32 bytes. */
  readonly signKey: Uint8Array
  /** P-256, 65 bytes starting 0x04. */
  readonly dhKey: Uint8Array
}

export interface DeviceIdentity {
  /** Secret, 32 bytes. */
  readonly signSeed: Uint8Array
  /** Secret, 32 bytes. */
  readonly dhScalar: Uint8Array
  readonly keys: DeviceKeys
  readonly signer: Signer
  readonly dh: P256Key
}

export function createDeviceIdentity(options: { crypto: CryptoProvider; env: Env }): DeviceIdentity {
  const { crypto, env } = options
  const signSeed = env.entropy(32)
  for (;;) {
    try {
      return openDeviceIdentity({ crypto, signSeed, dhScalar: env.entropy(32) })
    } catch (error) {
      // One draw in 2^32 lies outside the group and is drawn again.
      if (!(error instanceof BlazeError && error.code === 'BAD_KEY')) throw error
    }
  }
}

/** From stored secrets. `BAD_KEY` unless the scalar is one, `TypeError` for wrong lengths. */
export function openDeviceIdentity(options: {
  crypto: CryptoProvider
  signSeed: Uint8Array
  dhScalar: Uint8Array
}): DeviceIdentity {
  const { crypto, signSeed, dhScalar } = options
  const signer = crypto.createSigner(signSeed)
  const dh = crypto.createP256(dhScalar)
  for (const secret of [signSeed, dhScalar]) redacted(secret)
  return { signSeed, dhScalar, signer, dh, keys: { signKey: signer.publicKey, dhKey: dh.publicKey } }
}

/** 97 bytes. `TypeError` when a key has the wrong shape. */
export function encodeDeviceKeys(keys: DeviceKeys): Uint8Array {
  if (keys.signKey.length !== SIGN_KEY_BYTES)
    throw new TypeError(`signKey: expected ${SIGN_KEY_BYTES} bytes, got ${keys.signKey.length}`)
  if (keys.dhKey.length !== P256_PUBLIC_KEY_BYTES || keys.dhKey[0] !== 4)
    throw new TypeError(
      `dhKey: expected ${P256_PUBLIC_KEY_BYTES} bytes starting 0x04, got ${keys.dhKey.length} bytes`,
    )
  return concatBytes([keys.signKey, keys.dhKey])
}

/** Views of exactly 97 bytes. `PROTOCOL_VIOLATION`. */
export function parseDeviceKeys(bytes: Uint8Array): DeviceKeys {
  const reader = new ByteReader(bytes, 'device key')
  const keys = readDeviceKeys(reader)
  reader.end()
  return keys
}

/** Views of the next 97 bytes. */
export function readDeviceKeys(reader: ByteReader): DeviceKeys {
  const signKey = reader.bytes(SIGN_KEY_BYTES)
  const dhKey = reader.bytes(P256_PUBLIC_KEY_BYTES)
  if (dhKey[0] !== 4) throw reader.violation(`expected a P-256 key starting 0x04, got ${dhKey[0]}`)
  return { signKey, dhKey }
}
