/** The supervisor's identity: made once, the same for ever, never replaced in silence. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { nodeCrypto } from '../../runtime/index.ts'
import { openIdentity } from '../../server/identity.ts'
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

test.run()
