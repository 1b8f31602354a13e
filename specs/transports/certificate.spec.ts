/** The certificate of a listener: other software reads it, its signature and dates hold, and no two are alike. */
import { X509Certificate, createPrivateKey } from 'node:crypto'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createNodeEnv } from '../../runtime/index.ts'
import type { Env } from '../../runtime/index.ts'
import { createCertificate } from '../../transports/certificate.ts'

const dayMs = 86_400_000

test('it is a self-signed certificate of P-256 with its own key, valid ten years back and ahead', async () => {
  const env = createNodeEnv()
  // Lengths of the numbers in a signature differ by chance.
  for (let n = 0; n < 200; n++) {
    const { certificate, privateKey } = await createCertificate(env)
    const read = new X509Certificate(certificate)

    assert.ok(read.verify(read.publicKey))
    assert.ok(read.checkPrivateKey(createPrivateKey(privateKey)))
    assert.ok(read.checkIssued(read))
    assert.is(read.subject, 'CN=blazedb')
    assert.is(read.publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1')
    for (const [date, days] of [
      [read.validFrom, -3_650],
      [read.validTo, 3_650],
    ] as const)
      assert.ok(Math.abs(Date.parse(date) - env.now() - days * dayMs) < dayMs, date)
  }
})

test('serial numbers are positive and come from the entropy of the device', async () => {
  const real = createNodeEnv()
  const env: Env = { ...real, entropy: (bytes) => new Uint8Array(bytes).fill(0xff) }
  const { serialNumber } = new X509Certificate((await createCertificate(env)).certificate)
  const other = new X509Certificate((await createCertificate(real)).certificate)

  assert.is(serialNumber, `01${'FF'.repeat(15)}`)
  assert.is.not(other.serialNumber, serialNumber)
})

test('a clock far away makes a certificate all the same', async () => {
  for (const nowMs of [0, 4_102_444_800_000]) {
    const read = new X509Certificate(
      (await createCertificate({ ...createNodeEnv(), now: () => nowMs })).certificate,
    )
    assert.ok(read.verify(read.publicKey))
    assert.ok(Math.abs(Date.parse(read.validTo) - nowMs - 3_650 * dayMs) < dayMs, read.validTo)
  }
})

test.run()
