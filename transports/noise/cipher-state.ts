/**
 * AES-256-GCM under one key with a counting nonce: the CipherState of Noise revision 34 (§5.1, §12.4).
 * Invariant: no nonce is used twice under one key; the nonce is counted, never sent, and does not move when a message
 * fails to authenticate.
 */

import { AEAD_TAG_BYTES, assert, writeU32 } from '../../runtime/index.ts'
import type { Aead, CryptoProvider } from '../../runtime/index.ts'

/** Noise messages are at most this long, tag included (§3). */
export const NOISE_MESSAGE_BYTES_MAX = 65_535
/** The longest plaintext of one transport message. */
export const NOISE_PLAINTEXT_BYTES_MAX: number = NOISE_MESSAGE_BYTES_MAX - AEAD_TAG_BYTES

const EMPTY = new Uint8Array(0)
/** Nonce 2^64 − 1 is reserved for rekeying (§4.2). */
const REKEY_NONCE = Uint8Array.of(0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255)

export interface CipherState {
  /** Nonce of the next message. Rekeying does not reset it (§11.3). */
  readonly nonce: number
  /** Returns ciphertext and tag. `TypeError` above `NOISE_PLAINTEXT_BYTES_MAX`; asserts that nonces are left. */
  encrypt(aad: Uint8Array, plaintext: Uint8Array): Uint8Array
  /** Returns the plaintext, or undefined when the bytes are not the peer's next message. */
  decrypt(aad: Uint8Array, ciphertext: Uint8Array): Uint8Array | undefined
  /** Replaces the key by a one-way function of it (§4.2 REKEY). Both ends do so at the same nonce. */
  rekey(): void
}

/** `key` has 32 bytes. `firstNonce` is 0 except where a spec comes near the end of the nonces. */
export function createCipherState(crypto: CryptoProvider, key: Uint8Array, firstNonce = 0): CipherState {
  return new AesGcmState(crypto, key, firstNonce)
}

/** A class, because every idle connection holds two of them: methods cost nothing each. */
class AesGcmState implements CipherState {
  readonly #crypto: CryptoProvider
  #aead: Aead
  #counter: number

  constructor(crypto: CryptoProvider, key: Uint8Array, firstNonce: number) {
    this.#crypto = crypto
    this.#aead = crypto.createAead(key)
    this.#counter = firstNonce
  }

  get nonce(): number {
    return this.#counter
  }

  encrypt(aad: Uint8Array, plaintext: Uint8Array): Uint8Array {
    if (plaintext.length > NOISE_PLAINTEXT_BYTES_MAX) {
      throw new TypeError(
        `plaintext: expected at most ${NOISE_PLAINTEXT_BYTES_MAX} bytes, got ${plaintext.length}`,
      )
    }
    const sealed = this.#aead.seal(layNonce(this.#counter), aad, plaintext)
    this.#counter += 1
    return sealed
  }

  decrypt(aad: Uint8Array, ciphertext: Uint8Array): Uint8Array | undefined {
    if (ciphertext.length > NOISE_MESSAGE_BYTES_MAX) return undefined
    const plaintext = this.#aead.open(layNonce(this.#counter), aad, ciphertext)
    if (plaintext !== undefined) this.#counter += 1
    return plaintext
  }

  rekey(): void {
    const key = this.#aead.seal(REKEY_NONCE, EMPTY, new Uint8Array(32)).subarray(0, 32)
    this.#aead = this.#crypto.createAead(key)
  }
}

/** Laid anew for each message, and read before the call returns. */
const nonce = new Uint8Array(12)

// Above 2^53 a double cannot count by one, so the nonces end there and not at 2^64 − 1.
function layNonce(counter: number): Uint8Array {
  assert(counter < Number.MAX_SAFE_INTEGER, 'the nonces of this cipher state are used up')
  writeU32(nonce, 4, Math.floor(counter / 2 ** 32))
  writeU32(nonce, 8, counter >>> 0)
  return nonce
}
