/**
 * The provider on `node:crypto`, for the hot path.
 * Invariant: results are plain `Uint8Array`s, never `Buffer`s, whose `slice` would share memory.
 */

import {
  createCipheriv,
  createDecipheriv,
  createECDH,
  createHmac as createNodeHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  hash,
  scrypt as scryptWithCallback,
  sign,
  timingSafeEqual,
  verify,
} from 'node:crypto'
import type { KeyObject } from 'node:crypto'

import {
  badKey,
  expectDerivedLength,
  expectLength,
  expectP256Encoding,
  expectScryptCost,
  passwordBytes,
  scryptMemoryBytesMax,
} from './argument.ts'
import { slabBytes } from '../codec/slab.ts'
import { limits } from '../limits.ts'
import { AEAD_KEY_BYTES, AEAD_NONCE_BYTES, AEAD_TAG_BYTES } from './crypto-provider.ts'
import type { Aead, CryptoProvider, Hmac, P256Key, ScryptCost, Signer, Verifier } from './crypto-provider.ts'
import { isStrictEd25519Key } from './ed25519-key.ts'
import { hpkeOpen, hpkeSeal } from './hpke.ts'

/** SHA-256 (FIPS 180-4). */
const HASH_BLOCK_BYTES = 64
const HASH_BYTES = 32
/** Longest message for which a prepared HMAC keeps room; a tag of the longest collection and id fits. */
const HMAC_MESSAGE_BYTES = 512
const CIPHER = 'aes-256-gcm'
const TAG_LENGTH = { authTagLength: AEAD_TAG_BYTES }
/** DER of a PKCS #8 Ed25519 private key up to its 32-byte seed (RFC 8410 §7). */
const ED25519_PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex')
/** DER of an SPKI Ed25519 public key up to its 32 bytes (RFC 8410 §4). */
const ED25519_SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex')

/** `CryptoProvider` on OpenSSL as bundled with Node. */
export const nodeCrypto: CryptoProvider = {
  name: 'node',
  sha256,
  hmacSha256,
  createHmac,
  hkdfSha256,
  createAead,
  createP256,
  createSigner,
  createVerifier,
  hpkeSeal: (...message) => hpkeSeal(nodeCrypto, ...message),
  hpkeOpen: (...message) => hpkeOpen(nodeCrypto, ...message),
  scrypt,
  equal: (a, b) => a.length === b.length && timingSafeEqual(a, b),
}

// A digest taken as a Latin-1 string and copied is twice as fast as one taken as a Buffer, which is a foreign allocation.
function sha256(bytes: Uint8Array): Uint8Array {
  return bytesOfLatin1(hash('sha256', bytes, 'binary'))
}

function hmacSha256(key: Uint8Array, bytes: Uint8Array): Uint8Array {
  return bytesOfLatin1(createNodeHmac('sha256', key).update(bytes).digest('binary'))
}

// Two one-shot hashes over prepared pads: an Hmac object of Node costs twice as much to make as both.
function createHmac(keyBytes: Uint8Array): Hmac {
  const key = keyBytes.length > HASH_BLOCK_BYTES ? sha256(keyBytes) : Uint8Array.from(keyBytes)
  const inner = new Uint8Array(HASH_BLOCK_BYTES + HMAC_MESSAGE_BYTES).fill(0x36, 0, HASH_BLOCK_BYTES)
  const outer = new Uint8Array(HASH_BLOCK_BYTES + HASH_BYTES).fill(0x5c, 0, HASH_BLOCK_BYTES)
  for (const [at, byte] of key.entries()) {
    inner[at] = byte ^ 0x36
    outer[at] = byte ^ 0x5c
  }
  return {
    digest(bytes) {
      if (bytes.length > HMAC_MESSAGE_BYTES) return hmacSha256(key, bytes)
      inner.set(bytes, HASH_BLOCK_BYTES)
      const hashed = hash('sha256', inner.subarray(0, HASH_BLOCK_BYTES + bytes.length), 'binary')
      copyLatin1(hashed, outer, HASH_BLOCK_BYTES)
      return bytesOfLatin1(hash('sha256', outer, 'binary'))
    },
  }
}

// Not `hkdfSync`: it is three times slower for one block and refuses an info above 1,024 bytes.
function hkdfSha256(
  ikm: Uint8Array,
  salt: Uint8Array,
  info: Uint8Array | string,
  lengthBytes: number,
): Uint8Array {
  expectDerivedLength(lengthBytes)
  const pseudorandomKey = hmacSha256(salt, ikm)
  const out = new Uint8Array(lengthBytes)
  let block = new Uint8Array(0)
  for (let counter = 1, offset = 0; offset < lengthBytes; counter += 1, offset += block.length) {
    const mac = createNodeHmac('sha256', pseudorandomKey)
      .update(block)
      .update(info)
      .update(Uint8Array.of(counter))
    block = bytesOfLatin1(mac.digest('binary'))
    out.set(block.subarray(0, lengthBytes - offset), offset)
  }
  return out
}

function createAead(key: Uint8Array): Aead {
  expectLength('key', key, AEAD_KEY_BYTES)
  return new NodeAead(key)
}

class NodeAead implements Aead {
  readonly #key: KeyObject

  constructor(key: Uint8Array) {
    this.#key = createSecretKey(key)
  }

  seal(nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Uint8Array {
    expectLength('nonce', nonce, AEAD_NONCE_BYTES)
    const cipher = createCipheriv(CIPHER, this.#key, nonce).setAAD(aad)
    const ciphertext = cipher.update(plaintext)
    cipher.final()
    const sealed = filledBytes(plaintext.length + AEAD_TAG_BYTES)
    sealed.set(ciphertext)
    sealed.set(cipher.getAuthTag(), plaintext.length)
    return sealed
  }

  open(nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Uint8Array | undefined {
    expectLength('nonce', nonce, AEAD_NONCE_BYTES)
    const length = sealed.length - AEAD_TAG_BYTES
    if (length < 0) return undefined
    const decipher = createDecipheriv(CIPHER, this.#key, nonce, TAG_LENGTH).setAAD(aad)
    decipher.setAuthTag(sealed.subarray(length))
    const plaintext = decipher.update(sealed.subarray(0, length))
    try {
      decipher.final()
    } catch {
      return undefined
    }
    return plainView(plaintext)
  }
}

function createP256(privateScalar: Uint8Array): P256Key {
  const ecdh = createECDH('prime256v1')
  if (privateScalar.length !== 32)
    throw badKey(`expected a P-256 scalar of 32 bytes, got ${privateScalar.length}`)
  try {
    ecdh.setPrivateKey(privateScalar)
  } catch (cause) {
    throw badKey('expected a P-256 scalar in 1..n-1, got one outside; draw again', cause)
  }
  return {
    publicKey: Uint8Array.from(ecdh.getPublicKey()),
    dh(peerPublicKey) {
      expectP256Encoding(peerPublicKey)
      try {
        return plainView(ecdh.computeSecret(peerPublicKey))
      } catch (cause) {
        throw badKey('expected a point of P-256, got bytes that are not on the curve', cause)
      }
    },
  }
}

function createSigner(seed: Uint8Array): Signer {
  expectLength('seed', seed, 32)
  const der = Buffer.concat([ED25519_PKCS8_PREFIX, seed])
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  der.fill(0)
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' })
  return {
    publicKey: Uint8Array.from(spki.subarray(ED25519_SPKI_PREFIX.length)),
    sign: (message) => plainView(sign(null, message, key)),
  }
}

function createVerifier(publicKey: Uint8Array): Verifier {
  expectLength('publicKey', publicKey, 32)
  const key = isStrictEd25519Key(publicKey) ? ed25519PublicKey(publicKey) : undefined
  return {
    verify: (message, signature) =>
      key !== undefined && signature.length === 64 && verify(null, message, key, signature),
  }
}

function ed25519PublicKey(publicKey: Uint8Array): KeyObject {
  // Not as DER, whose decoder takes eight times as long.
  const x = Buffer.from(publicKey).toString('base64url')
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
}

async function scrypt(
  password: string | Uint8Array,
  salt: Uint8Array,
  cost: ScryptCost,
  lengthBytes: number,
): Promise<Uint8Array> {
  expectScryptCost(cost)
  expectDerivedLength(lengthBytes)
  const { N, r, p } = cost
  const options = { N, r, p, maxmem: scryptMemoryBytesMax(cost) }
  return new Promise((resolve, reject) => {
    scryptWithCallback(passwordBytes(password), salt, lengthBytes, options, (error, key) => {
      if (error === null) resolve(plainView(key))
      else reject(error)
    })
  })
}

/** Bytes that the caller fills whole: to zero those of a record first would take as long as to seal a third of it. */
function filledBytes(length: number): Uint8Array {
  return length > limits.slabBytesMax ? plainView(Buffer.allocUnsafeSlow(length)) : slabBytes(length)
}

function plainView(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length)
}

function bytesOfLatin1(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length)
  copyLatin1(text, bytes, 0)
  return bytes
}

function copyLatin1(text: string, target: Uint8Array, at: number): void {
  for (let index = 0; index < text.length; index += 1) target[at + index] = text.charCodeAt(index)
}
