/**
 * Argument checks shared by both providers.
 * Invariant: what one provider refuses the other refuses with the same error, because the refusal is written once, here.
 */

import { BlazeError } from '../errors.ts'
import { P256_PUBLIC_KEY_BYTES } from './crypto-provider.ts'
import type { ScryptCost } from './crypto-provider.ts'

/** RFC 5869 §2.3: at most 255 blocks of 32 bytes. */
const DERIVED_BYTES_MAX = 255 * 32
const SCRYPT_N_MIN = 2 ** 15
const SCRYPT_N_MAX = 2 ** 20
const SCRYPT_P_MAX = 4

/** `TypeError` unless `bytes` has exactly `length` bytes. */
export function expectLength(name: string, bytes: Uint8Array, length: number): void {
  if (bytes.length !== length) throw new TypeError(`${name}: expected ${length} bytes, got ${bytes.length}`)
}

/** `TypeError` unless `lengthBytes` is an integer from 1 to 8160. */
export function expectDerivedLength(lengthBytes: number): void {
  if (!Number.isInteger(lengthBytes) || lengthBytes < 1 || lengthBytes > DERIVED_BYTES_MAX) {
    throw new TypeError(`lengthBytes: expected an integer from 1 to ${DERIVED_BYTES_MAX}, got ${lengthBytes}`)
  }
}

/** `TypeError` outside the bounds of `ScryptCost`: parameters are read from disk, and a hostile one could eat all memory. */
export function expectScryptCost(cost: ScryptCost): void {
  const { N, r, p } = cost
  if (!Number.isInteger(N) || N < SCRYPT_N_MIN || N > SCRYPT_N_MAX || (N & (N - 1)) !== 0) {
    throw new TypeError(`N: expected a power of two from 2^15 to 2^20, got ${N}`)
  }
  if (r !== 8) throw new TypeError(`r: expected 8, got ${r}`)
  if (!Number.isInteger(p) || p < 1 || p > SCRYPT_P_MAX) {
    throw new TypeError(`p: expected an integer from 1 to ${SCRYPT_P_MAX}, got ${p}`)
  }
}

/** Memory ceiling for scrypt: what RFC 7914 needs (128·r·N for the table, 128·r·p for the blocks) and a margin. */
export function scryptMemoryBytesMax(cost: ScryptCost): number {
  return 128 * cost.r * (cost.N + cost.p) + 2 ** 20
}

/** The bytes that are derived from: text becomes NFKC-normalised UTF-8, so that every keyboard gives the same key. */
export function passwordBytes(password: string | Uint8Array): Uint8Array {
  return typeof password === 'string' ? new TextEncoder().encode(password.normalize('NFKC')) : password
}

/** `BAD_KEY` unless the bytes have the one encoding taken: 65 bytes, first 0x04. The provider checks the point itself. */
export function expectP256Encoding(publicKey: Uint8Array): void {
  if (publicKey.length !== P256_PUBLIC_KEY_BYTES || publicKey[0] !== 4) {
    throw badKey(
      `expected a P-256 public key of ${P256_PUBLIC_KEY_BYTES} bytes starting 0x04, got ${publicKey.length} bytes`,
    )
  }
}

/** The error for key bytes that are no key. */
export function badKey(message: string, cause?: unknown): BlazeError {
  return new BlazeError('BAD_KEY', message, { cause })
}
