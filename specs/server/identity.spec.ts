/** The supervisor's identity: made once, the same for ever, never replaced in silence. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { limits, nodeCrypto, toHex } from '../../runtime/index.ts'
import { openIdentity, rotateIdentity } from '../../server/identity.ts'
import { codeOf, createWorld } from './world.ts'

test('the first start makes the keys, later ones read them', async () => {
  const { env, volume, settle } = createWorld()
  const made = await settle(openIdentity({ volume, env, crypto: nodeCrypto }))
  const read = await settle(openIdentity({ volume, env, crypto: nodeCrypto }))

  assert.equal(read.staticPublicKey, made.staticPublicKey)
  assert.equal(read.pairingKey, made.pairingKey)
  assert.equal(read.device.publicKey, made.device.publicKey)
  assert.is(read.createdMs, made.createdMs)
  assert.is.not(Buffer.from(made.staticKey).toString('hex'), Buffer.from(made.pairingKey).toString('hex'))
})

test('a file with a flipped bit, or cut short, is DAMAGED and stays as it is', async () => {
  const { env, volume, settle } = createWorld()
  await settle(openIdentity({ volume, env, crypto: nodeCrypto }))
  const whole = await settle(volume.readFile('identity'))
  assert.ok(whole)
  const flipped = Uint8Array.from(whole ?? [])
  flipped[40] = (flipped[40] ?? 0) ^ 1

  for (const bytes of [flipped, flipped.subarray(0, 20), new Uint8Array(0)]) {
    await settle(volume.writeFile('identity', bytes))
    assert.is(await codeOf(settle(openIdentity({ volume, env, crypto: nodeCrypto }))), 'DAMAGED')
    assert.equal(await settle(volume.readFile('identity')), bytes)
  }
})

test('a change of the key keeps everything else, and the two former keys, the youngest first', async () => {
  const { env, volume, settle } = createWorld()
  const crypto = nodeCrypto
  const made = await settle(openIdentity({ volume, env, crypto }))
  const keys = [toHex(made.staticKey)]
  for (let change = 1; change <= limits.retiredKeysMax + 1; change++) {
    const changed = await settle(rotateIdentity({ volume, env, crypto }))
    assert.equal(changed.retiredKeys.map(toHex), keys.slice(0, limits.retiredKeysMax), `change ${change}`)
    keys.unshift(toHex(changed.staticKey))
  }

  assert.is(new Set(keys).size, keys.length)
  const read = await settle(openIdentity({ volume, env, crypto }))
  assert.is(toHex(read.staticKey), keys[0])
  assert.equal(read.staticPublicKey, crypto.createP256(read.staticKey).publicKey)
  assert.equal(read.device.publicKey, made.device.publicKey)
  assert.equal([read.pairingKey, read.createdMs], [made.pairingKey, made.createdMs])
})

test('a file of version 1, without retired keys, is read; one of an unknown version is DAMAGED', async () => {
  const { env, volume, settle } = createWorld()
  const made = await settle(openIdentity({ volume, env, crypto: nodeCrypto }))
  const whole = (await settle(volume.readFile('identity'))) ?? new Uint8Array(0)
  const old = (version: number): Uint8Array => {
    const body = whole.slice(0, 4 + 1 + 3 * 32 + 6)
    body[4] = version
    return Uint8Array.of(...body, ...nodeCrypto.sha256(body).subarray(0, 8))
  }

  await settle(volume.writeFile('identity', old(1)))
  const read = await settle(openIdentity({ volume, env, crypto: nodeCrypto }))
  assert.equal(read.staticPublicKey, made.staticPublicKey)
  assert.equal(read.retiredKeys, [])
  await settle(volume.writeFile('identity', old(3)))
  assert.is(await codeOf(settle(openIdentity({ volume, env, crypto: nodeCrypto }))), 'DAMAGED')
})

test('a key is not changed in a file that is damaged or gone', async () => {
  const { env, volume, settle } = createWorld()
  assert.is(await codeOf(settle(rotateIdentity({ volume, env, crypto: nodeCrypto }))), 'DAMAGED')
  await settle(volume.writeFile('identity', new Uint8Array(100)))
  assert.is(await codeOf(settle(rotateIdentity({ volume, env, crypto: nodeCrypto }))), 'DAMAGED')
  assert.equal(await settle(volume.readFile('identity')), new Uint8Array(100))
})

test.run()
