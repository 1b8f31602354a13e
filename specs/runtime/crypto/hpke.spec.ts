/** HPKE of both providers against RFC 9180, against each other, and against damage. */
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { BlazeError, nodeCrypto } from '../../../runtime/index.ts'
import { nobleCrypto } from '../../../runtime/crypto/noble-crypto.ts'
import { fromHex, toHex } from './shared-vector.ts'

interface HpkeVector {
  readonly info: string
  readonly ikmE: string
  readonly skRm: string
  readonly pkRm: string
  readonly pkEm: string
  readonly aad: string
  readonly plaintext: string
  readonly ciphertext: string
}

const vector = JSON.parse(
  readFileSync(new URL('../../vectors/hpke-p256.json', import.meta.url), 'utf8'),
) as HpkeVector

const seed = Number(process.env['SEED'] ?? Math.trunc(Math.random() * 2 ** 31))
console.log(`seed ${seed}; repeat with SEED=${seed}`)

const providers = [nodeCrypto, nobleCrypto] as const
const EMPTY = new Uint8Array(0)
const bytes = (maxLength: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength })
const exactly = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length })

for (const crypto of providers) {
  test(`HPKE of ${crypto.name} gives the bytes of RFC 9180 and opens them`, () => {
    const context = { info: fromHex(vector.info), aad: fromHex(vector.aad) }
    const recipient = crypto.createP256(fromHex(vector.skRm))

    const sealed = crypto.hpkeSeal(
      recipient.publicKey,
      fromHex(vector.ikmE),
      context,
      fromHex(vector.plaintext),
    )

    assert.is(toHex(recipient.publicKey), vector.pkRm)
    assert.is(toHex(sealed), vector.pkEm + vector.ciphertext)
    assert.is(toHex(crypto.hpkeOpen(recipient, context, sealed) ?? EMPTY), vector.plaintext)
  })

  test(`HPKE of ${crypto.name} opens nothing that was changed at any byte, cut, added to, or meant for another`, () => {
    const context = { info: fromHex(vector.info), aad: fromHex(vector.aad) }
    const recipient = crypto.createP256(fromHex(vector.skRm))
    const sealed = fromHex(vector.pkEm + vector.ciphertext)

    for (let place = 0; place < sealed.length; place += 1) {
      const damaged = sealed.map((byte, at) => (at === place ? byte ^ 1 : byte))
      assert.is(crypto.hpkeOpen(recipient, context, damaged), undefined, `byte ${place}`)
    }
    for (let length = 0; length < sealed.length; length += 1)
      assert.is(
        crypto.hpkeOpen(recipient, context, sealed.subarray(0, length)),
        undefined,
        `cut to ${length}`,
      )
    assert.is(crypto.hpkeOpen(recipient, context, Uint8Array.of(...sealed, 0)), undefined)
    assert.is(crypto.hpkeOpen(recipient, { ...context, info: EMPTY }, sealed), undefined)
    assert.is(crypto.hpkeOpen(recipient, { ...context, aad: EMPTY }, sealed), undefined)
    const other = crypto.createP256(new Uint8Array(32).fill(1))
    assert.is(crypto.hpkeOpen(other, context, sealed), undefined)
  })

  test(`HPKE of ${crypto.name} seals to no point off the curve, and takes 32 bytes of entropy only`, () => {
    const context = { info: EMPTY, aad: EMPTY }
    const good = crypto.createP256(new Uint8Array(32).fill(1)).publicKey
    const bad = [
      good.subarray(0, 64),
      Uint8Array.of(4, ...new Uint8Array(64)),
      Uint8Array.of(2, ...good.subarray(1, 33)),
    ]
    const isBadKey = (error: unknown): boolean => error instanceof BlazeError && error.code === 'BAD_KEY'

    for (const recipient of bad)
      assert.throws(() => crypto.hpkeSeal(recipient, new Uint8Array(32), context, EMPTY), isBadKey)
    assert.throws(
      () => crypto.hpkeSeal(good, new Uint8Array(31), context, EMPTY),
      /entropy: expected 32 bytes, got 31/,
    )
  })
}

test('what one provider seals by HPKE the other opens, byte for byte alike', () => {
  fc.assert(
    fc.property(
      exactly(32),
      exactly(32),
      bytes(80),
      bytes(80),
      bytes(300),
      (ikm, scalar, info, aad, plaintext) => {
        const recipient = nodeCrypto.createP256(scalar)
        const sealed = nodeCrypto.hpkeSeal(recipient.publicKey, ikm, { info, aad }, plaintext)
        assert.is(
          toHex(sealed),
          toHex(nobleCrypto.hpkeSeal(recipient.publicKey, ikm, { info, aad }, plaintext)),
        )
        assert.is(sealed.length, 65 + plaintext.length + 16)
        for (const crypto of providers) {
          const opened = crypto.hpkeOpen(crypto.createP256(scalar), { info, aad }, sealed)
          assert.is(toHex(opened ?? Uint8Array.of(0)), toHex(plaintext))
        }
      },
    ),
    { seed, numRuns: 60 },
  )
})

test('HPKE hands out fresh bytes', () => {
  const context = { info: EMPTY, aad: EMPTY }
  for (const crypto of providers) {
    const recipient = crypto.createP256(new Uint8Array(32).fill(1))
    const plaintext = new Uint8Array(20).fill(7)
    const sealed = crypto.hpkeSeal(recipient.publicKey, new Uint8Array(32), context, plaintext)
    const opened = crypto.hpkeOpen(recipient, context, sealed)
    sealed.fill(0)
    plaintext.fill(0)

    assert.equal(opened, new Uint8Array(20).fill(7))
    assert.is(Object.getPrototypeOf(sealed), Uint8Array.prototype)
  }
})

test.run()
