/**
 * The cryptographic operations that the runtime is built from, as one interface with two implementations.
 * Invariant: both providers return the same bytes for the same input and refuse the same inputs; everything here is
 * deterministic, so that entropy enters only through `Env`.
 */

/** Bytes of an AES-256-GCM tag. Shorter tags do not exist here. */
export const AEAD_TAG_BYTES = 16
/** Bytes of an AES-256-GCM nonce. */
export const AEAD_NONCE_BYTES = 12
/** Bytes of an AES-256 key. */
export const AEAD_KEY_BYTES = 32
/** Bytes of an uncompressed SEC 1 point of P-256, the only encoding taken: 0x04, X, Y. */
export const P256_PUBLIC_KEY_BYTES = 65

/** AES-256-GCM (NIST SP 800-38D) under one key. The caller never uses a nonce twice. */
export interface Aead {
  /** Returns ciphertext || 16-byte tag in fresh bytes. `TypeError` unless the nonce has 12 bytes. */
  seal(nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Uint8Array
  /** Returns the plaintext in fresh bytes, or undefined when the bytes are not authentic (or too short to be). */
  open(nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Uint8Array | undefined
}

/** HMAC-SHA256 (RFC 2104) under one key. */
export interface Hmac {
  /** Returns 32 fresh bytes. */
  digest(bytes: Uint8Array): Uint8Array
}

/** A P-256 private key that never leaves its object. */
export interface P256Key {
  /** 65 bytes, uncompressed. */
  readonly publicKey: Uint8Array
  /** X coordinate of the shared point, 32 bytes. `BAD_KEY` unless the peer's key is a valid uncompressed point. */
  dh(peerPublicKey: Uint8Array): Uint8Array
}

/** An Ed25519 (RFC 8032) signing key. */
export interface Signer {
  /** 32 bytes. */
  readonly publicKey: Uint8Array
  /** Returns 64 bytes. */
  sign(message: Uint8Array): Uint8Array
}

/** An Ed25519 public key. */
export interface Verifier {
  /** Never throws: a malformed signature, or one under a malformed key, is false. */
  verify(message: Uint8Array, signature: Uint8Array): boolean
}

/** Cost of scrypt (RFC 7914): `N` a power of two from 2^15 to 2^20, `r` 8, `p` 1 to 4. */
export interface ScryptCost {
  readonly N: number
  readonly r: number
  readonly p: number
}

/** What both ends of an HPKE message know, besides the recipient's key: it opens with the same bytes only. */
export interface HpkeContext {
  /** The purpose; goes into the key. */
  readonly info: Uint8Array
  /** Goes into the tag. */
  readonly aad: Uint8Array
}

export interface CryptoProvider {
  readonly name: 'node' | 'noble'
  /** Returns 32 bytes. */
  sha256(bytes: Uint8Array): Uint8Array
  /** Returns 32 bytes. */
  hmacSha256(key: Uint8Array, bytes: Uint8Array): Uint8Array
  /** For many messages under one key: half the time of `hmacSha256`, for the same bytes. The key is copied. */
  createHmac(key: Uint8Array): Hmac
  /** RFC 5869. Text in `info` is UTF-8. `TypeError` unless `lengthBytes` is an integer from 1 to 8160. */
  hkdfSha256(ikm: Uint8Array, salt: Uint8Array, info: Uint8Array | string, lengthBytes: number): Uint8Array
  /** `TypeError` unless the key has 32 bytes. Create once per key: preparing the key costs more than using it. */
  createAead(key: Uint8Array): Aead
  /** `BAD_KEY` unless the scalar has 32 bytes and lies in 1..n-1; a caller that drew it at random draws again. */
  createP256(privateScalar: Uint8Array): P256Key
  /** `TypeError` unless the seed has 32 bytes. */
  createSigner(seed: Uint8Array): Signer
  /** `TypeError` unless the key has 32 bytes; bytes that are no point give a verifier that always says false. */
  createVerifier(publicKey: Uint8Array): Verifier
  /**
   * HPKE, RFC 9180: base mode, one message, DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. Returns the encapsulated key (65 bytes),
   * ciphertext and tag. `entropy`: 32 bytes that were never used before. `BAD_KEY` unless the recipient's key is a point, `TypeError`
   * for entropy of another length. Base mode does not say who sealed: whoever has to know signs.
   */
  hpkeSeal(
    recipient: Uint8Array,
    entropy: Uint8Array,
    context: HpkeContext,
    plaintext: Uint8Array,
  ): Uint8Array
  /** The plaintext, or undefined when the bytes were not sealed to this key in this context. Never throws for what a peer sent. */
  hpkeOpen(recipient: P256Key, context: HpkeContext, sealed: Uint8Array): Uint8Array | undefined
  /** Text is NFKC-normalised UTF-8. `TypeError` for a cost outside the bounds of `ScryptCost`. */
  scrypt(
    password: string | Uint8Array,
    salt: Uint8Array,
    cost: ScryptCost,
    lengthBytes: number,
  ): Promise<Uint8Array>
  /** True when both have the same length and bytes; time depends on the lengths only. */
  equal(a: Uint8Array, b: Uint8Array): boolean
}
