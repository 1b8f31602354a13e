/** Runs the Wycheproof vectors that apply to our narrow choices against both providers. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { BlazeError, nodeCrypto } from '../../../runtime/index.ts'
import { nobleCrypto } from '../../../runtime/crypto/noble-crypto.ts'
import type { CryptoProvider } from '../../../runtime/index.ts'
import { fromHex, readSharedVectors, toHex } from './shared-vector.ts'

interface Case {
  readonly tcId: number
  readonly comment: string
  readonly result: 'valid' | 'acceptable' | 'invalid'
  readonly flags: readonly string[]
}
interface Group<Test extends Case> {
  readonly tests: readonly Test[]
}
interface File<Test extends Case, Extra = object> {
  readonly testGroups: readonly (Group<Test> & Extra)[]
}
interface AeadCase extends Case {
  readonly key: string
  readonly iv: string
  readonly aad: string
  readonly msg: string
  readonly ct: string
  readonly tag: string
}
interface EcdhCase extends Case {
  readonly public: string
  readonly private: string
  readonly shared: string
}
interface SignatureCase extends Case {
  readonly msg: string
  readonly sig: string
}
interface HkdfCase extends Case {
  readonly ikm: string
  readonly salt: string
  readonly info: string
  readonly size: number
  readonly okm: string
}
interface MacCase extends Case {
  readonly key: string
  readonly msg: string
  readonly tag: string
}

const aead =
  readSharedVectors<File<AeadCase, { ivSize: number; keySize: number; tagSize: number }>>(
    'wycheproof-aes_gcm.json',
  )
const ecdh = readSharedVectors<File<EcdhCase>>('wycheproof-ecdh_secp256r1_ecpoint.json')
const ecdhSpki = readSharedVectors<File<EcdhCase>>('wycheproof-ecdh_secp256r1.json')
const ed25519 =
  readSharedVectors<File<SignatureCase, { publicKey: { pk: string } }>>('wycheproof-ed25519.json')
const hkdf = readSharedVectors<File<HkdfCase>>('wycheproof-hkdf_sha256.json')
const hmac = readSharedVectors<File<MacCase, { tagSize: number }>>('wycheproof-hmac_sha256.json')

/** What each file tests, as its vectors are flagged. A flag that is not here was looked at by nobody. */
const FLAGS: Readonly<Record<string, string>> = {
  aead: 'Ktv Pseudorandom SpecialCase ModifiedTag SmallIv CounterWrap LongIv ZeroLengthIv',
  ecdh:
    'Normal CompressedPublic CompressedPoint EdgeCaseSharedSecret EdgeCaseEphemeralKey EdgeCaseDoubling AdditionChain ' +
    'CVE-2017-8932 InvalidCurveAttack InvalidEncoding InvalidCompressedPublic WrongCurve',
  ecdhSpki:
    'Normal CompressedPublic CompressedPoint EdgeCaseSharedSecret EdgeCaseEphemeralKey EdgeCaseDoubling AdditionChain ' +
    'CVE-2017-8932 InvalidCurveAttack InvalidEncoding InvalidCompressedPublic WrongCurve ModifiedPublicPoint InvalidPublic ' +
    'WrongOrder UnnamedCurve UnusedParam ModifiedGenerator NegativeCofactor NoCofactor ModifiedCofactor LargeCofactor ' +
    'ModifiedPrime ModifiedGroup ModifiedCurveParameter WeakPublicKey InvalidAsn',
  ed25519:
    'Valid InvalidSignature TruncatedSignature SignatureWithGarbage CompressedSignature InvalidEncoding ' +
    'SignatureMalleability Ktv InvalidKtv TinkOverflow',
  hkdf: 'EmptySalt Normal MaximalOutputSize SizeTooLarge OutputCollision',
  hmac: 'Pseudorandom ModifiedTag',
}

/** SubjectPublicKeyInfo of an uncompressed point on the named curve, in DER, up to the point. */
const SPKI_PREFIX = '3059301306072a8648ce3d020106082a8648ce3d030107034200'

const files = { aead, ecdh, ecdhSpki, ed25519, hkdf, hmac }

/** Wycheproof writes private keys as signed integers of any length; ours are always 32 bytes. */
function scalar(hex: string): Uint8Array {
  return fromHex(hex.slice(-64).padStart(64, '0'))
}

function say(crypto: CryptoProvider, file: string, count: number): void {
  assert.ok(count > 0, 'a file of vectors applies to us at least in part')
  console.log(`${file}: ${count} vectors hold with ${crypto.name}`)
}

for (const crypto of [nodeCrypto, nobleCrypto]) {
  if (aead !== undefined) {
    test(`AES-256-GCM of ${crypto.name} agrees with Wycheproof`, () => {
      const groups = aead.testGroups.filter((g) => g.ivSize === 96 && g.keySize === 256 && g.tagSize === 128)
      const tests = groups.flatMap((group) => group.tests)
      for (const t of tests) {
        const key = crypto.createAead(fromHex(t.key))
        const opened = key.open(fromHex(t.iv), fromHex(t.aad), fromHex(t.ct + t.tag))
        const sealed = toHex(key.seal(fromHex(t.iv), fromHex(t.aad), fromHex(t.msg)))
        assert.is(
          opened === undefined ? undefined : toHex(opened),
          t.result === 'valid' ? t.msg : undefined,
          t.comment,
        )
        assert.is(sealed === t.ct + t.tag, t.result === 'valid', `${t.tcId} ${t.comment}`)
      }
      say(crypto, 'AES-256-GCM', tests.length)
    })
  }

  if (aead !== undefined) {
    test(`AES-256-GCM of ${crypto.name} takes no other length of key or nonce`, () => {
      const groups = aead.testGroups.filter((g) => g.ivSize !== 96 || g.keySize !== 256)
      const tests = groups.flatMap((group) => group.tests)
      for (const t of tests) {
        const seal = (): Uint8Array =>
          crypto.createAead(fromHex(t.key)).seal(fromHex(t.iv), fromHex(t.aad), fromHex(t.msg))
        assert.throws(seal, (e: unknown) => e instanceof TypeError, `${t.tcId} ${t.comment}`)
      }
      say(crypto, 'AES-GCM of other lengths', tests.length)
    })
  }

  if (ecdhSpki !== undefined) {
    test(`P-256 of ${crypto.name} agrees with Wycheproof on the points within public keys in DER`, () => {
      let count = 0
      for (const t of ecdhSpki.testGroups.flatMap((group) => group.tests)) {
        const ours = t.public.startsWith(SPKI_PREFIX)
        // All that is laid otherwise names a curve by its parameters, or is no DER; we have bare points only.
        if (!ours) {
          assert.is.not(t.result, 'valid', `${t.tcId} ${t.comment}`)
          continue
        }
        count += 1
        const point = fromHex(t.public.slice(SPKI_PREFIX.length))
        const shared = (): string => toHex(crypto.createP256(scalar(t.private)).dh(point))
        if (t.result === 'valid') assert.is(shared(), t.shared, `${t.tcId} ${t.comment}`)
        else assert.throws(shared, (e: unknown) => e instanceof BlazeError && e.code === 'BAD_KEY', t.comment)
      }
      say(crypto, 'ECDH P-256 in DER', count)
    })
  }

  if (ecdh !== undefined) {
    test(`P-256 of ${crypto.name} agrees with Wycheproof and takes no compressed point`, () => {
      const tests = ecdh.testGroups.flatMap((group) => group.tests)
      for (const t of tests) {
        const shared = (): string => toHex(crypto.createP256(scalar(t.private)).dh(fromHex(t.public)))
        // The one "acceptable" encoding is a compressed point, which Noise and we do not have.
        if (t.result === 'valid') assert.is(shared(), t.shared, `${t.tcId} ${t.comment}`)
        else
          assert.throws(
            shared,
            (e: unknown) => e instanceof BlazeError && e.code === 'BAD_KEY',
            `${t.tcId} ${t.comment}`,
          )
      }
      say(crypto, 'ECDH P-256', tests.length)
    })
  }

  if (ed25519 !== undefined) {
    test(`Ed25519 of ${crypto.name} agrees with Wycheproof`, () => {
      let count = 0
      for (const group of ed25519.testGroups) {
        const verifier = crypto.createVerifier(fromHex(group.publicKey.pk))
        for (const t of group.tests) {
          const verdict = verifier.verify(fromHex(t.msg), fromHex(t.sig))
          assert.is(verdict, t.result === 'valid', `${t.tcId} ${t.comment}`)
          count += 1
        }
      }
      say(crypto, 'Ed25519', count)
    })
  }

  if (hkdf !== undefined) {
    test(`HKDF-SHA256 of ${crypto.name} agrees with Wycheproof`, () => {
      const tests = hkdf.testGroups.flatMap((group) => group.tests)
      for (const t of tests) {
        const derive = (): string =>
          toHex(crypto.hkdfSha256(fromHex(t.ikm), fromHex(t.salt), fromHex(t.info), t.size))
        if (t.result === 'valid') assert.is(derive(), t.okm, `${t.tcId} ${t.comment}`)
        else assert.throws(derive, (e: unknown) => e instanceof TypeError, `${t.tcId} ${t.comment}`)
      }
      say(crypto, 'HKDF-SHA256', tests.length)
    })
  }

  if (hmac !== undefined) {
    test(`HMAC-SHA256 of ${crypto.name} agrees with Wycheproof`, () => {
      let count = 0
      for (const { tests, tagSize } of hmac.testGroups) {
        for (const t of tests) {
          const tag = crypto.hmacSha256(fromHex(t.key), fromHex(t.msg)).subarray(0, tagSize / 8)
          assert.is(crypto.equal(tag, fromHex(t.tag)), t.result === 'valid', `${t.tcId} ${t.comment}`)
          count += 1
        }
      }
      say(crypto, 'HMAC-SHA256', count)
    })
  }
}

test('every file of vectors is either present and used or reported as skipped', () => {
  const present = Object.values(files).filter((file) => file !== undefined).length
  console.log(`${present} of 6 Wycheproof files were run`)
  assert.ok(present === 6 || present === 0, 'the folder of vectors is whole or absent')
})

test('every flag of every vector is one that these specs know', () => {
  for (const [name, file] of Object.entries(files)) {
    const tests = (file?.testGroups ?? []).flatMap((group): readonly Case[] => group.tests)
    const flags = new Set(tests.flatMap((t) => t.flags))
    if (file !== undefined)
      assert.equal([...flags].toSorted(), (FLAGS[name] ?? '').split(' ').toSorted(), name)
  }
})

test.run()
