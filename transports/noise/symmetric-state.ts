/**
 * Chaining key, transcript hash and handshake cipher: the SymmetricState of Noise revision 34 (§5.2).
 * Invariant: both ends hold the same state after the same messages; a failed decryption leaves it unusable, and the
 * handshake that owns it stops there.
 */

import type { CryptoProvider } from '../../runtime/index.ts'
import { createCipherState } from './cipher-state.ts'
import type { CipherState } from './cipher-state.ts'

const HASH_BYTES = 32
const EMPTY = new Uint8Array(0)

export class SymmetricState {
  readonly #crypto: CryptoProvider
  #chainingKey: Uint8Array
  #hash: Uint8Array
  #cipher: CipherState | undefined

  /** InitializeSymmetric: a name of at most 32 bytes is padded with zeros, a longer one hashed. */
  constructor(crypto: CryptoProvider, protocolName: string) {
    this.#crypto = crypto
    const name = new TextEncoder().encode(protocolName)
    if (name.length > HASH_BYTES) {
      this.#hash = crypto.sha256(name)
    } else {
      this.#hash = new Uint8Array(HASH_BYTES)
      this.#hash.set(name)
    }
    this.#chainingKey = this.#hash
  }

  /** The transcript hash so far, a copy of 32 bytes. */
  get hash(): Uint8Array {
    return Uint8Array.from(this.#hash)
  }

  mixHash(bytes: Uint8Array): void {
    this.#hash = this.#crypto.sha256(concat(this.#hash, bytes))
  }

  mixKey(inputKey: Uint8Array): void {
    const [chainingKey, key] = this.#derive(inputKey, 2)
    this.#chainingKey = chainingKey
    this.#cipher = createCipherState(this.#crypto, key)
  }

  mixKeyAndHash(inputKey: Uint8Array): void {
    const [chainingKey, hash, key] = this.#derive(inputKey, 3)
    this.#chainingKey = chainingKey
    this.mixHash(hash)
    this.#cipher = createCipherState(this.#crypto, key)
  }

  /** True once a key was mixed in: from then on `encryptAndHash` adds a tag. */
  get keyed(): boolean {
    return this.#cipher !== undefined
  }

  /** Before the first key the bytes pass in the clear. */
  encryptAndHash(plaintext: Uint8Array): Uint8Array {
    const ciphertext = this.#cipher === undefined ? plaintext : this.#cipher.encrypt(this.#hash, plaintext)
    this.mixHash(ciphertext)
    return ciphertext
  }

  /** Undefined when the bytes are not authentic. */
  decryptAndHash(ciphertext: Uint8Array): Uint8Array | undefined {
    const plaintext = this.#cipher === undefined ? ciphertext : this.#cipher.decrypt(this.#hash, ciphertext)
    this.mixHash(ciphertext)
    return plaintext
  }

  /** The transport ciphers: initiator to responder, then responder to initiator. */
  split(): [CipherState, CipherState] {
    const [first, second] = this.#derive(EMPTY, 2)
    return [createCipherState(this.#crypto, first), createCipherState(this.#crypto, second)]
  }

  /** Noise's HKDF (§4.3) is RFC 5869 with the chaining key as salt and no info. The third output is empty for two. */
  #derive(inputKey: Uint8Array, outputs: 2 | 3): [Uint8Array, Uint8Array, Uint8Array] {
    const out = this.#crypto.hkdfSha256(inputKey, this.#chainingKey, EMPTY, outputs * HASH_BYTES)
    return [out.slice(0, 32), out.slice(32, 64), out.slice(64, 96)]
  }
}

/** The parts one after another, in fresh bytes. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let offset = 0
  for (const part of parts) {
    whole.set(part, offset)
    offset += part.length
  }
  return whole
}
