/** Secrets print `[redacted]`, wherever they are held, and are the same bytes. */
import { format, inspect } from 'node:util'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { checkSecret } from '../../../actors/client/secret.ts'
import { createDeviceIdentity } from '../../../actors/team/device.ts'
import { formatCode, parseCode } from '../../../actors/team/index.ts'
import { createSimulation, nodeCrypto, redacted, toHex } from '../../../runtime/index.ts'
import { openIdentity } from '../../../server/identity.ts'
import { createWorld } from '../../server/world.ts'

const bytes = new Uint8Array(32).fill(0xab)

/** All the ways in which something is printed by accident. */
function prints(value: unknown): string {
  return [
    inspect(value, { depth: 9, showHidden: true }),
    format('%s %o %O %j', value, value, value, value),
    JSON.stringify(value),
    JSON.stringify({ nested: [value] }),
    `${String(value)}`,
    new Error(`a ${String(value)}`).stack,
  ].join('\n')
}

/** The bytes in any of the notations in which they could come out. */
function shows(text: string, secret: Uint8Array): boolean {
  const head = [...secret.subarray(0, 6)]
  const hex = toHex(secret.subarray(0, 6))
  const base64 = Buffer.from(secret.subarray(0, 6)).toString('base64')
  const decimal = new RegExp(head.map((byte) => `(?:"\\d+": ?)?\\b${byte}\\b`).join('[,\\s]+'))
  return (
    text.includes(hex) ||
    text.includes(base64) ||
    text.includes(hex.match(/../g)?.join(' ') ?? '') ||
    decimal.test(text.replace(/"\d+":/g, ''))
  )
}

test('bytes that are not redacted would be found by this spec', () => {
  assert.ok(shows(prints(bytes), bytes))
  assert.ok(shows(JSON.stringify({ key: bytes }), bytes))
  assert.ok(shows(toHex(bytes), bytes))
})

test('redacted bytes print nothing of themselves, and are the same bytes', () => {
  const secret = redacted(Uint8Array.from(bytes))

  assert.not.ok(shows(prints(secret), bytes))
  assert.not.ok(shows(prints({ a: [{ secret }] }), bytes))
  assert.is(inspect({ secret }), '{ secret: [redacted] }')
  assert.is(JSON.stringify({ secret }), '{"secret":"[redacted]"}')
  assert.is(`${String(secret)} ${secret.join()}`, '[redacted] [redacted]')
  assert.equal(Uint8Array.from(secret), bytes)
  assert.is(toHex(secret), toHex(bytes))
  assert.ok(nodeCrypto.equal(secret, bytes))
  assert.is(toHex(nodeCrypto.sha256(secret)), toHex(nodeCrypto.sha256(bytes)))
})

test('the keys of a server, of a device, of a code and of a database print nothing', async () => {
  const { env, volume, settle } = createWorld()
  const server = await settle(openIdentity({ volume, env, crypto: nodeCrypto }))
  const device = createDeviceIdentity({ crypto: nodeCrypto, env: createSimulation(1).env('device') })
  const url = formatCode({
    kind: 'enroll',
    host: 'pi',
    port: 1,
    codeId: new Uint8Array(16),
    secret: bytes,
    serverKey: server.staticPublicKey,
  })
  const code = parseCode(url)
  const holders: [object, Uint8Array[]][] = [
    [server, [server.staticKey, server.pairingKey]],
    [device, [device.signSeed, device.dhScalar]],
    [code, [bytes]],
    [checkSecret(undefined, bytes), [bytes]],
  ]
  for (const [holder, secrets] of holders)
    for (const secret of secrets) assert.not.ok(shows(prints(holder), Uint8Array.from(secret)))
  assert.not.match(prints(checkSecret('correct horse', undefined)), 'correct horse')
  assert.equal(code.secret, bytes)
})

test.run()
