/** The Noise core gives the bytes of the public cacophony vectors (25519, AESGCM, SHA256). */
import { x25519 } from '@noble/curves/ed25519.js'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { nodeCrypto } from '../../../runtime/index.ts'
import { nobleCrypto } from '../../../runtime/crypto/noble-crypto.ts'
import type { DhFunction } from '../../../transports/noise/index.ts'
import { readSharedVectors } from '../../runtime/crypto/shared-vector.ts'
import { patternOf, runVector } from './vector.ts'
import type { NoiseVector } from './vector.ts'

/** Only vectors use 25519, so it lives here and not in the product. */
const dh25519: DhFunction = {
  name: '25519',
  publicKeyBytes: 32,
  generate: (entropy) => dh25519.fromPrivate(entropy(32)),
  fromPrivate: (bytes) => ({
    publicKey: x25519.getPublicKey(bytes),
    dh: (peerPublicKey) => x25519.getSharedSecret(bytes, peerPublicKey),
  }),
}

const SUPPORTED = /^[NKXI][NKX](psk[0-3])?$/
/** The twelve fundamental patterns, and the eighteen with one psk that the file has. */
const SUPPORTED_COUNT = 30

const file = readSharedVectors<{ readonly vectors: readonly NoiseVector[] }>('noise-aesgcm-sha256.json')
const vectors = (file?.vectors ?? []).filter(
  (vector) => vector.protocol_name.includes('_25519_') && SUPPORTED.test(patternOf(vector)),
)

for (const vector of vectors) {
  test(`${vector.protocol_name} gives the public vector's bytes with both providers`, () => {
    for (const crypto of [nodeCrypto, nobleCrypto]) {
      const transcript = runVector(vector, dh25519, crypto)

      assert.equal(
        transcript.ciphertexts,
        vector.messages.map((message) => message.ciphertext),
        crypto.name,
      )
      assert.is(transcript.handshakeHash, vector.handshake_hash, crypto.name)
    }
  })
}

test('all public vectors of supported patterns were run', () => {
  console.log(`${vectors.length} public Noise vectors were run`)
  assert.is(vectors.length, file === undefined ? 0 : SUPPORTED_COUNT)
})

test.run()
