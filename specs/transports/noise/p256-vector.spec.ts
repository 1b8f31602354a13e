/**
 * The handshakes we use, over P-256, give the frozen bytes of `specs/vectors/noise-p256.json` with both providers.
 * `REWRITE=1` writes the file anew from the node provider; read the diff.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { nodeCrypto } from '../../../runtime/index.ts'
import { nobleCrypto } from '../../../runtime/crypto/noble-crypto.ts'
import { createP256Dh } from '../../../transports/noise/index.ts'
import { toHex } from '../../runtime/crypto/shared-vector.ts'
import { runVector } from './vector.ts'
import type { NoiseVector } from './vector.ts'

interface P256Vector extends NoiseVector {
  /** The first message of each end after a rekey, empty payload. */
  readonly rekeyed: readonly string[]
}

const path = new URL('../../vectors/noise-p256.json', import.meta.url)

/** 32 bytes that anyone can make again. */
function derive(label: string): string {
  return toHex(nodeCrypto.sha256(new TextEncoder().encode(`blazedb noise vector: ${label}`)))
}

function text(value: string): string {
  return toHex(new TextEncoder().encode(value))
}

function makeVector(pattern: 'XK' | 'XXpsk3'): P256Vector {
  const responderStatic = derive(`${pattern} responder static`)
  const responderPublic = toHex(
    createP256Dh(nodeCrypto).fromPrivate(Buffer.from(responderStatic, 'hex')).publicKey,
  )
  const payloads = [
    'hello',
    'welcome',
    'verify',
    'complete',
    '',
    'a record from the initiator',
    'and one back',
  ]
  const inputs: NoiseVector = {
    protocol_name: `Noise_${pattern}_P256_AESGCM_SHA256`,
    init_prologue: text('blazed/1'),
    init_ephemeral: derive(`${pattern} initiator ephemeral`),
    init_static: derive(`${pattern} initiator static`),
    ...(pattern === 'XK' ? { init_remote_static: responderPublic } : { init_psks: [derive('psk')] }),
    resp_prologue: text('blazed/1'),
    resp_ephemeral: derive(`${pattern} responder ephemeral`),
    resp_static: responderStatic,
    ...(pattern === 'XK' ? {} : { resp_psks: [derive('psk')] }),
    handshake_hash: '',
    messages: payloads.map((payload) => ({ payload: text(payload), ciphertext: '' })),
  }
  const made = runVector(inputs, createP256Dh(nodeCrypto), nodeCrypto)
  const messages = inputs.messages.map(({ payload }, i) => ({
    payload,
    ciphertext: made.ciphertexts[i] ?? '',
  }))
  return { ...inputs, handshake_hash: made.handshakeHash, messages, rekeyed: made.rekeyed }
}

if (process.env['REWRITE'] === '1') {
  const comment =
    'Frozen handshakes in the cacophony layout, hex. REWRITE=1 in p256-vector.spec.ts writes this file.'
  const file = { comment, vectors: [makeVector('XK'), makeVector('XXpsk3')] }
  writeFileSync(path, `${JSON.stringify(file, null, 2)}\n`)
  console.log('REWRITTEN: specs/vectors/noise-p256.json; read its diff')
}

const { vectors } = JSON.parse(readFileSync(path, 'utf8')) as { readonly vectors: readonly P256Vector[] }

for (const vector of vectors) {
  for (const crypto of [nodeCrypto, nobleCrypto]) {
    test(`${vector.protocol_name} gives the frozen bytes with ${crypto.name}`, () => {
      const transcript = runVector(vector, createP256Dh(crypto), crypto)

      assert.equal(
        transcript.ciphertexts,
        vector.messages.map((message) => message.ciphertext),
      )
      assert.is(transcript.handshakeHash, vector.handshake_hash)
      assert.equal(transcript.rekeyed, vector.rekeyed)
    })
  }
}

test('the frozen file holds the two handshakes of the protocol', () => {
  const names = vectors.map((vector) => vector.protocol_name)
  assert.equal(names, ['Noise_XK_P256_AESGCM_SHA256', 'Noise_XXpsk3_P256_AESGCM_SHA256'])
})

test.run()
