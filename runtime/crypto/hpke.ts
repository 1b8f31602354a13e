/**
 * HPKE in base mode (RFC 9180), single shot: DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. Written once over the primitives of a
 * provider, which is what the two providers differ in.
 *
 * Invariant: one key pair and one key per message, so the nonce is always the base nonce; the ephemeral key comes from 32 bytes of
 * entropy by DeriveKeyPair, so that the same input gives the same bytes.
 */
import { concatBytes } from '../codec/bytes.ts'
import { AssertionFailure, BlazeError } from '../errors.ts'
import { expectLength } from './argument.ts'
import { AEAD_KEY_BYTES, AEAD_NONCE_BYTES, P256_PUBLIC_KEY_BYTES } from './crypto-provider.ts'
import type { CryptoProvider, HpkeContext, P256Key } from './crypto-provider.ts'

/** What HPKE is made of. */
type HpkeBase = Pick<CryptoProvider, 'createAead' | 'createP256' | 'hkdfSha256' | 'hmacSha256'>

const EMPTY = new Uint8Array(0)
const VERSION = text('HPKE-v1')
/** kem_id 0x0010. */
const KEM_SUITE = concatBytes([text('KEM'), Uint8Array.of(0, 0x10)])
/** kem_id 0x0010, kdf_id 0x0001, aead_id 0x0002. */
const SUITE = concatBytes([text('HPKE'), Uint8Array.of(0, 0x10, 0, 1, 0, 2)])
const MODE_BASE = 0
const ENTROPY_BYTES = 32

/** Returns enc (65 bytes) || ciphertext || tag. */
export function hpkeSeal(
  base: HpkeBase,
  recipient: Uint8Array,
  entropy: Uint8Array,
  { info, aad }: HpkeContext,
  plaintext: Uint8Array,
): Uint8Array {
  expectLength('entropy', entropy, ENTROPY_BYTES)
  const ephemeral = deriveKeyPair(base, entropy)
  const enc = ephemeral.publicKey
  const { key, nonce } = keySchedule(base, ephemeral.dh(recipient), concatBytes([enc, recipient]), info)
  return concatBytes([enc, base.createAead(key).seal(nonce, aad, plaintext)])
}

/** Undefined for anything that was not sealed to this key with this info and aad. */
export function hpkeOpen(
  base: HpkeBase,
  recipient: P256Key,
  { info, aad }: HpkeContext,
  sealed: Uint8Array,
): Uint8Array | undefined {
  const enc = sealed.subarray(0, P256_PUBLIC_KEY_BYTES)
  const shared = sharedPoint(recipient, enc)
  if (shared === undefined) return undefined
  const { key, nonce } = keySchedule(base, shared, concatBytes([enc, recipient.publicKey]), info)
  return base.createAead(key).open(nonce, aad, sealed.subarray(P256_PUBLIC_KEY_BYTES))
}

function sharedPoint(recipient: P256Key, enc: Uint8Array): Uint8Array | undefined {
  try {
    return recipient.dh(enc)
  } catch (error) {
    if (error instanceof BlazeError && error.code === 'BAD_KEY') return undefined
    throw error
  }
}

/** RFC 9180 §7.1.3 for P-256. A candidate is outside the group once in 2^32. */
function deriveKeyPair(base: HpkeBase, ikm: Uint8Array): P256Key {
  const labelled = labelledIkm(KEM_SUITE, 'dkp_prk', ikm)
  for (let counter = 0; counter < 256; counter += 1) {
    const info = labelledInfo(KEM_SUITE, 'candidate', Uint8Array.of(counter), 32)
    try {
      return base.createP256(base.hkdfSha256(labelled, EMPTY, info, 32))
    } catch (error) {
      if (!(error instanceof BlazeError && error.code === 'BAD_KEY')) throw error
    }
  }
  throw new AssertionFailure('none of 256 derived candidates was a P-256 scalar')
}

/** DHKEM's ExtractAndExpand (§4.1), then KeySchedule (§5.1) with the default psk. `kemContext`: enc || recipient's key. */
function keySchedule(
  base: HpkeBase,
  dh: Uint8Array,
  kemContext: Uint8Array,
  info: Uint8Array,
): { key: Uint8Array; nonce: Uint8Array } {
  const eaePrk = labelledIkm(KEM_SUITE, 'eae_prk', dh)
  const sharedInfo = labelledInfo(KEM_SUITE, 'shared_secret', kemContext, 32)
  const sharedSecret = base.hkdfSha256(eaePrk, EMPTY, sharedInfo, 32)
  const pskIdHash = base.hmacSha256(EMPTY, labelledIkm(SUITE, 'psk_id_hash', EMPTY))
  const infoHash = base.hmacSha256(EMPTY, labelledIkm(SUITE, 'info_hash', info))
  const context = concatBytes([Uint8Array.of(MODE_BASE), pskIdHash, infoHash])
  const secret = labelledIkm(SUITE, 'secret', EMPTY)
  const derive = (label: string, length: number): Uint8Array =>
    base.hkdfSha256(secret, sharedSecret, labelledInfo(SUITE, label, context, length), length)
  return { key: derive('key', AEAD_KEY_BYTES), nonce: derive('base_nonce', AEAD_NONCE_BYTES) }
}

/** What LabeledExtract extracts from (§4). */
function labelledIkm(suite: Uint8Array, label: string, ikm: Uint8Array): Uint8Array {
  return concatBytes([VERSION, suite, text(label), ikm])
}

/** What LabeledExpand expands by (§4). */
function labelledInfo(suite: Uint8Array, label: string, info: Uint8Array, length: number): Uint8Array {
  return concatBytes([Uint8Array.of(0, length), VERSION, suite, text(label), info])
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value)
}
