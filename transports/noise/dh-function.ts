/**
 * The DH function that a handshake is parametrised by (Noise revision 34 §4.1), and our instance of it over P-256.
 * Invariant: a private key never leaves its `DhKey`. Noise gives public keys and shared secrets one length, DHLEN; for
 * P-256 they differ: a public key is an uncompressed point of 65 bytes, a shared secret its 32-byte X coordinate, and
 * wherever the specification reads a public key off a message (§5.3) it is `publicKeyBytes` long.
 */

import { AssertionFailure, BlazeError, P256_PUBLIC_KEY_BYTES } from '../../runtime/index.ts'
import type { CryptoProvider } from '../../runtime/index.ts'

export interface DhKey {
  readonly publicKey: Uint8Array
  /** The shared secret. `BAD_KEY` when the peer's key is none. */
  dh(peerPublicKey: Uint8Array): Uint8Array
}

export interface DhFunction {
  /** As it stands in the protocol name. */
  readonly name: string
  readonly publicKeyBytes: number
  /** A fresh key; `entropy(n)` returns n unpredictable bytes. */
  generate(entropy: (bytes: number) => Uint8Array): DhKey
  /** `BAD_KEY` when the bytes are no private key. */
  fromPrivate(bytes: Uint8Array): DhKey
}

/** A scalar is out of range once in 2^32 draws, so this many in a row mean that the entropy source is broken. */
const DRAWS_MAX = 8

/** P-256 (FIPS 186-5, secp256r1), named `P256`. */
export function createP256Dh(crypto: CryptoProvider): DhFunction {
  return {
    name: 'P256',
    publicKeyBytes: P256_PUBLIC_KEY_BYTES,
    fromPrivate: (bytes) => crypto.createP256(bytes),
    generate(entropy) {
      for (let draw = 0; draw < DRAWS_MAX; draw += 1) {
        const key = drawKey(crypto, entropy)
        if (key !== undefined) return key
      }
      throw new AssertionFailure(`the entropy source gave no P-256 scalar in ${DRAWS_MAX} draws`)
    },
  }
}

function drawKey(crypto: CryptoProvider, entropy: (bytes: number) => Uint8Array): DhKey | undefined {
  try {
    return crypto.createP256(entropy(32))
  } catch (error) {
    if (error instanceof BlazeError && error.code === 'BAD_KEY') return undefined
    throw error
  }
}
