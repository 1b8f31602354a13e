/**
 * The provider on `@noble/*`, portable and written independently of OpenSSL.
 * Invariant: every verdict and byte equals the node provider's; where the libraries are laxer or stricter than each
 * other, the difference is closed here and not left to the caller.
 */

import { gcm } from '@noble/ciphers/aes.js'
import { equalBytes } from '@noble/ciphers/utils.js'
import { ed25519 } from '@noble/curves/ed25519.js'
import { p256 } from '@noble/curves/nist.js'
import { hkdf } from '@noble/hashes/hkdf.js'
import { hmac } from '@noble/hashes/hmac.js'
import { scryptAsync } from '@noble/hashes/scrypt.js'
import { sha256, sha512 } from '@noble/hashes/sha2.js'

import {
  badKey,
  expectDerivedLength,
  expectLength,
  expectP256Encoding,
  expectScryptCost,
  passwordBytes,
  scryptMemoryBytesMax,
} from './argument.ts'
import { AEAD_KEY_BYTES, AEAD_NONCE_BYTES, AEAD_TAG_BYTES } from './crypto-provider.ts'
import type { Aead, CryptoProvider, P256Key, ScryptCost, Signer, Verifier } from './crypto-provider.ts'
import { isStrictEd25519Key } from './ed25519-key.ts'
import { hpkeOpen, hpkeSeal } from './hpke.ts'

/** `CryptoProvider` in plain JavaScript. 3 to 50 times slower than the node provider. */
export const nobleCrypto: CryptoProvider = {
  name: 'noble',
  sha256: (bytes) => sha256(bytes),
  hmacSha256: (key, bytes) => hmac(sha256, key, bytes),
  createHmac(keyBytes) {
    const key = Uint8Array.from(keyBytes)
    return { digest: (bytes) => hmac(sha256, key, bytes) }
  },
  hkdfSha256(ikm, salt, info, lengthBytes) {
    expectDerivedLength(lengthBytes)
    return hkdf(
      sha256,
      ikm,
      salt,
      typeof info === 'string' ? new TextEncoder().encode(info) : info,
      lengthBytes,
    )
  },
  createAead,
  createP256,
  createSigner,
  createVerifier,
  hpkeSeal: (...message) => hpkeSeal(nobleCrypto, ...message),
  hpkeOpen: (...message) => hpkeOpen(nobleCrypto, ...message),
  scrypt,
  equal: (a, b) => equalBytes(a, b),
}

function createAead(keyBytes: Uint8Array): Aead {
  expectLength('key', keyBytes, AEAD_KEY_BYTES)
  const key = Uint8Array.from(keyBytes)
  return {
    seal(nonce, aad, plaintext) {
      expectLength('nonce', nonce, AEAD_NONCE_BYTES)
      return gcm(key, nonce, aad).encrypt(plaintext)
    },
    open(nonce, aad, sealed) {
      expectLength('nonce', nonce, AEAD_NONCE_BYTES)
      if (sealed.length < AEAD_TAG_BYTES) return undefined
      const cipher = gcm(key, nonce, aad)
      try {
        return cipher.decrypt(sealed)
      } catch {
        return undefined
      }
    },
  }
}

function createP256(privateScalar: Uint8Array): P256Key {
  if (privateScalar.length !== 32)
    throw badKey(`expected a P-256 scalar of 32 bytes, got ${privateScalar.length}`)
  if (!p256.utils.isValidSecretKey(privateScalar)) {
    throw badKey('expected a P-256 scalar in 1..n-1, got one outside; draw again')
  }
  const scalar = Uint8Array.from(privateScalar)
  return {
    publicKey: p256.getPublicKey(scalar, false),
    dh(peerPublicKey) {
      expectP256Encoding(peerPublicKey)
      try {
        return p256.getSharedSecret(scalar, peerPublicKey, false).slice(1, 33)
      } catch (cause) {
        throw badKey('expected a point of P-256, got bytes that are not on the curve', cause)
      }
    },
  }
}

function createSigner(seedBytes: Uint8Array): Signer {
  expectLength('seed', seedBytes, 32)
  const seed = Uint8Array.from(seedBytes)
  return { publicKey: ed25519.getPublicKey(seed), sign: (message) => ed25519.sign(message, seed) }
}

type EdPoint = InstanceType<typeof ed25519.Point>

function createVerifier(publicKeyBytes: Uint8Array): Verifier {
  expectLength('publicKey', publicKeyBytes, 32)
  const publicKey = Uint8Array.from(publicKeyBytes)
  const point = isStrictEd25519Key(publicKey) ? decodePoint(publicKey) : undefined
  return {
    verify: (message, signature) => point !== undefined && verifies(publicKey, point, message, signature),
  }
}

function decodePoint(publicKey: Uint8Array): EdPoint | undefined {
  try {
    return ed25519.Point.fromBytes(publicKey)
  } catch {
    return undefined
  }
}

/**
 * RFC 8032 §5.1.7 in its strict form: R = [S]B − [k]A, compared as bytes. Not `ed25519.verify`, which multiplies by the
 * cofactor and so takes signatures with a small-order part that OpenSSL refuses.
 */
function verifies(
  publicKey: Uint8Array,
  point: EdPoint,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (signature.length !== 64) return false
  const { Point } = ed25519
  const r = signature.subarray(0, 32)
  const s = littleEndian(signature.subarray(32))
  if (s >= Point.Fn.ORDER) return false
  const digest = sha512.create().update(r).update(publicKey).update(message).digest()
  const k = littleEndian(digest) % Point.Fn.ORDER
  const expected = Point.BASE.multiplyUnsafe(s).subtract(point.multiplyUnsafe(k))
  return equalBytes(expected.toBytes(), r)
}

function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n
  for (let index = bytes.length - 1; index >= 0; index -= 1) value = (value << 8n) | BigInt(bytes[index] ?? 0)
  return value
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
  const options = { N, r, p, dkLen: lengthBytes, maxmem: scryptMemoryBytesMax(cost) }
  return scryptAsync(passwordBytes(password), salt, options)
}
