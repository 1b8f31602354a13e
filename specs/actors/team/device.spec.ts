/** Device identities and the 97 bytes of their public half. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import {
  createDeviceIdentity,
  DEVICE_KEYS_BYTES,
  encodeDeviceKeys,
  openDeviceIdentity,
  parseDeviceKeys,
} from '../../../actors/team/index.ts'
import { nodeCrypto } from '../../../runtime/index.ts'
import type { Env } from '../../../runtime/index.ts'
import { device, fixedEntropy } from './roster.ts'

test('an identity opens again from its two secrets', () => {
  const made = createDeviceIdentity({ crypto: nodeCrypto, env: fixedEntropy('identity') })

  const { signSeed, dhScalar } = made
  assert.equal(openDeviceIdentity({ crypto: nodeCrypto, signSeed, dhScalar }).keys, made.keys)
})

test('a scalar outside the group is drawn again', () => {
  const draws = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(0xff), new Uint8Array(32).fill(2)]
  const env = { entropy: () => draws.shift() } as Partial<Env> as Env

  const { dhScalar } = createDeviceIdentity({ crypto: nodeCrypto, env })

  assert.equal(dhScalar, new Uint8Array(32).fill(2))
  assert.is(draws.length, 0)
})

test('public keys are 97 bytes and come back', () => {
  const { keys } = device('owner')

  const bytes = encodeDeviceKeys(keys)

  assert.is(bytes.length, DEVICE_KEYS_BYTES)
  assert.is(bytes.length, 97)
  assert.equal(parseDeviceKeys(bytes), keys)
})

test('public keys of another length or form are refused', () => {
  const bytes = encodeDeviceKeys(device('owner').keys)
  const compressed = bytes.slice()
  compressed[32] = 2

  assert.throws(() => parseDeviceKeys(bytes.slice(1)), /device key/)
  assert.throws(() => parseDeviceKeys(new Uint8Array([...bytes, 0])), /too many/)
  assert.throws(() => parseDeviceKeys(compressed), /0x04/)
  assert.throws(
    () => encodeDeviceKeys({ signKey: bytes, dhKey: bytes }),
    /signKey: expected 32 bytes, got 97/,
  )
})

test.run()
