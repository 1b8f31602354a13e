/** What every crypto provider promises, and that the two agree byte for byte and refusal for refusal. */
import { ed25519 } from '@noble/curves/ed25519.js'
import { sha512 } from '@noble/hashes/sha2.js'
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { BlazeError, nodeCrypto } from '../../../runtime/index.ts'
import { nobleCrypto } from '../../../runtime/crypto/noble-crypto.ts'
import type { CryptoProvider } from '../../../runtime/index.ts'
import { fromHex, toHex } from './shared-vector.ts'

const seed = Number(process.env['SEED'] ?? Math.trunc(Math.random() * 2 ** 31))
console.log(`seed ${seed}; repeat with SEED=${seed}`)

const P256_ORDER = 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551'
const EMPTY = new Uint8Array(0)
const bytes = (max: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength: max })
const exactly = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length })

const isBadKey = (error: unknown): boolean => error instanceof BlazeError && error.code === 'BAD_KEY'
const isTypeError = (error: unknown): boolean => error instanceof TypeError

/** Both providers' answer as text, or the refusal of it. */
function both(run: (crypto: CryptoProvider) => Uint8Array | boolean | undefined): void {
  const answer = (crypto: CryptoProvider): string => {
    try {
      const result = run(crypto)
      return result instanceof Uint8Array ? toHex(result) : String(result)
    } catch (error) {
      assert.ok(error instanceof BlazeError || error instanceof TypeError, String(error))
      return error.message
    }
  }
  assert.is(answer(nodeCrypto), answer(nobleCrypto))
}

function check<Values extends [unknown, ...unknown[]]>(
  runs: number,
  property: fc.IPropertyWithHooks<Values> | fc.IProperty<Values>,
): void {
  fc.assert(property, { seed, numRuns: runs })
}

test('both providers hash, authenticate and derive alike', () => {
  check(
    300,
    fc.property(bytes(200), bytes(200), bytes(80), fc.integer({ min: 1, max: 200 }), (a, b, info, length) => {
      both((crypto) => crypto.sha256(a))
      both((crypto) => crypto.hmacSha256(a, b))
      both((crypto) => crypto.hkdfSha256(a, b, info, length))
    }),
  )
})

test('a prepared HMAC gives the bytes of the plain one, whatever was authenticated before and becomes of its key', () => {
  const length = fc.constantFrom(0, 1, 31, 32, 55, 56, 63, 64, 65, 200, 511, 512, 513, 3000)
  const some = length.chain((n) => fc.uint8Array({ minLength: n, maxLength: n }))
  check(
    200,
    fc.property(some, fc.array(some, { maxLength: 4 }), (key, messages) => {
      for (const crypto of [nodeCrypto, nobleCrypto]) {
        const reused = Uint8Array.from(key)
        const hmac = crypto.createHmac(reused)
        reused.fill(0xee)
        const digests = messages.map((message) => hmac.digest(message))
        for (const [at, message] of messages.entries()) {
          assert.is(toHex(digests[at] ?? EMPTY), toHex(nobleCrypto.hmacSha256(key, message)))
        }
      }
    }),
  )
})

test('text as HKDF info is its UTF-8 in both providers', () => {
  const info = 'envelope | ключ | 🔑'.repeat(80)
  for (const crypto of [nodeCrypto, nobleCrypto]) {
    const fromText = crypto.hkdfSha256(EMPTY, EMPTY, info, 32)
    assert.equal(fromText, crypto.hkdfSha256(EMPTY, EMPTY, new TextEncoder().encode(info), 32))
  }
  both((crypto) => crypto.hkdfSha256(EMPTY, EMPTY, info, 32))
})

test('what one provider seals the other opens, and one flipped bit opens nowhere', () => {
  const flip = fc.nat(1_000_000)
  check(
    300,
    fc.property(exactly(32), exactly(12), bytes(80), bytes(300), flip, (key, nonce, aad, plaintext, bit) => {
      const node = nodeCrypto.createAead(key)
      const noble = nobleCrypto.createAead(key)
      const sealed = node.seal(nonce, aad, plaintext)
      assert.is(toHex(sealed), toHex(noble.seal(nonce, aad, plaintext)))
      assert.is(sealed.length, plaintext.length + 16)

      for (const aead of [node, noble]) {
        assert.is(toHex(aead.open(nonce, aad, sealed) ?? fromHex('00')), toHex(plaintext))
        const damaged = Uint8Array.from(sealed)
        const place = bit % (sealed.length * 8)
        damaged[place >> 3] = (damaged[place >> 3] ?? 0) ^ (1 << (place & 7))
        assert.is(aead.open(nonce, aad, damaged), undefined)
        assert.is(aead.open(nonce, Uint8Array.of(...aad, 1), sealed), undefined)
        assert.is(aead.open(nonce, aad, sealed.subarray(0, sealed.length - 1)), undefined)
      }
    }),
  )
})

test('an opened or sealed result does not change when the input memory is reused', () => {
  for (const crypto of [nodeCrypto, nobleCrypto]) {
    const keyBytes = new Uint8Array(32).fill(1)
    const aead = crypto.createAead(keyBytes)
    const input = new Uint8Array(40).fill(7)
    const sealed = aead.seal(new Uint8Array(12), EMPTY, input)
    const before = toHex(sealed)
    const opened = aead.open(new Uint8Array(12), EMPTY, sealed) ?? EMPTY

    input.fill(0)
    keyBytes.fill(0)
    assert.is(toHex(sealed), before)
    sealed.fill(0)
    assert.is(toHex(opened), '07'.repeat(40))
    assert.is(toHex(aead.seal(new Uint8Array(12), EMPTY, opened)), before)
  }
})

test('P-256 keys from the same scalar are equal and their shared secrets agree across providers', () => {
  check(
    60,
    fc.property(exactly(32), exactly(32), (a, b) => {
      both((crypto) => crypto.createP256(a).publicKey)
      const alice = nodeCrypto.createP256(a)
      const bob = nobleCrypto.createP256(b)
      assert.is(alice.publicKey.length, 65)
      assert.is(toHex(alice.dh(bob.publicKey)), toHex(bob.dh(alice.publicKey)))
      assert.is(alice.dh(bob.publicKey).length, 32)
    }),
  )
})

test('a P-256 scalar outside 1..n-1 or of another length is BAD_KEY', () => {
  const bad = ['00'.repeat(32), P256_ORDER, 'ff'.repeat(32), '01', '00'.repeat(32) + '01', '']
  for (const crypto of [nodeCrypto, nobleCrypto]) {
    for (const hex of bad)
      assert.throws(() => crypto.createP256(fromHex(hex)), isBadKey, `${crypto.name} ${hex}`)
    crypto.createP256(fromHex(P256_ORDER.slice(0, -2) + '50'))
    crypto.createP256(fromHex('00'.repeat(31) + '01'))
  }
})

test('a P-256 public key that is not an uncompressed point is BAD_KEY', () => {
  const good = nodeCrypto.createP256(new Uint8Array(32).fill(9)).publicKey
  const parity = (good[64] ?? 0) & 1
  const bad: Record<string, Uint8Array> = {
    compressed: Uint8Array.of(2 + parity, ...good.subarray(1, 33)),
    hybrid: Uint8Array.of(6 + parity, ...good.subarray(1)),
    infinity: Uint8Array.of(0),
    'infinity in 65 bytes': new Uint8Array(65),
    'zero coordinates': Uint8Array.of(4, ...new Uint8Array(64)),
    'off the curve': Uint8Array.from(good, (byte, index) => (index === 64 ? byte ^ 1 : byte)),
    'one byte more': Uint8Array.of(...good, 0),
    empty: EMPTY,
  }
  for (const crypto of [nodeCrypto, nobleCrypto]) {
    const key = crypto.createP256(new Uint8Array(32).fill(5))
    for (const [name, point] of Object.entries(bad)) {
      assert.throws(() => key.dh(point), isBadKey, `${crypto.name}: ${name}`)
    }
    assert.is(key.dh(good).length, 32)
  }
})

test('both providers sign alike and verify what the other signed, and nothing else', () => {
  check(
    60,
    fc.property(exactly(32), bytes(200), fc.nat(511), (privateSeed, message, bit) => {
      both((crypto) => crypto.createSigner(privateSeed).publicKey)
      both((crypto) => crypto.createSigner(privateSeed).sign(message))
      const signer = nodeCrypto.createSigner(privateSeed)
      const signature = signer.sign(message)
      const damaged = Uint8Array.from(signature, (byte, i) =>
        i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte,
      )
      for (const crypto of [nodeCrypto, nobleCrypto]) {
        const verifier = crypto.createVerifier(signer.publicKey)
        assert.is(verifier.verify(message, signature), true)
        assert.is(verifier.verify(message, damaged), false)
        assert.is(verifier.verify(Uint8Array.of(...message, 0), signature), false)
        assert.is(verifier.verify(message, signature.subarray(1)), false)
      }
    }),
  )
})

test('a random 32 bytes as Ed25519 key gives the same verdict in both providers and throws in none', () => {
  check(
    200,
    fc.property(exactly(32), bytes(40), exactly(64), (key, message, signature) => {
      both((crypto) => crypto.createVerifier(key).verify(message, signature))
    }),
  )
})

test('small-order and non-canonical Ed25519 keys verify nothing, where libraries differ', () => {
  // A point of order 8: multiply any curve point by the prime order of the base point.
  const torsion = smallOrderPoints()
  assert.is(new Set(torsion.map((point) => toHex(point))).size, 8)
  // Second encodings: y = p is y = 0, y = p + 1 is y = 1, each with either sign.
  const respelled = ['ed', 'ee'].flatMap((low) =>
    ['7f', 'ff'].map((top) => fromHex(low + 'ff'.repeat(30) + top)),
  )
  // S = 0 and R of small order satisfy the bare equation for about one message in eight.
  const signature = new Uint8Array(64)
  for (const crypto of [nodeCrypto, nobleCrypto]) {
    for (const key of [...torsion, ...respelled]) {
      const verifier = crypto.createVerifier(key)
      for (const r of torsion) {
        signature.set(r)
        for (let n = 0; n < 16; n += 1) assert.is(verifier.verify(Uint8Array.of(n), signature), false)
      }
    }
  }
})

test('a signature with a small-order part is refused by both providers', () => {
  const { Point } = ed25519
  const torsion = Point.fromBytes(
    smallOrderPoints().find((p) => !Point.fromBytes(p).double().double().is0()) ?? EMPTY,
  )
  const { scalar, point } = ed25519.utils.getExtendedPublicKey(new Uint8Array(32).fill(3))
  const publicKey = point.toBytes()
  const message = Uint8Array.of(1, 2, 3)
  const nonce = 12_345n
  const r = Point.BASE.multiply(nonce).add(torsion).toBytes()
  const k = littleEndian(ed25519Hash(r, publicKey, message)) % Point.Fn.ORDER
  const s = (nonce + k * scalar) % Point.Fn.ORDER
  const signature = Uint8Array.of(...r, ...bytesOf(s))

  assert.is(ed25519.verify(signature, message, publicKey), true, 'a cofactored verifier takes it')
  for (const crypto of [nodeCrypto, nobleCrypto]) {
    assert.is(crypto.createVerifier(publicKey).verify(message, signature), false, crypto.name)
  }
})

test('scrypt agrees across providers and NFKC makes compatible spellings one password', async () => {
  const salt = fromHex('000102030405060708090a0b0c0d0e0f')
  const cost = { N: 2 ** 15, r: 8, p: 1 }

  const composed = await nodeCrypto.scrypt('pa\u00dfw\u00f6rt \ufb01', salt, cost, 32)
  const decomposed = await nodeCrypto.scrypt('pa\u00dfwo\u0308rt fi', salt, cost, 32)
  const noble = await nobleCrypto.scrypt('pa\u00dfw\u00f6rt \ufb01', salt, cost, 32)
  const bytesOfIt = await nodeCrypto.scrypt(new TextEncoder().encode('pa\u00dfw\u00f6rt fi'), salt, cost, 32)

  assert.is(toHex(composed), toHex(decomposed))
  assert.is(toHex(composed), toHex(noble))
  assert.is(toHex(composed), toHex(bytesOfIt))
})

test('scrypt passes the memory ceiling that its default profile needs', async () => {
  const key = await nodeCrypto.scrypt('pass', new Uint8Array(16), { N: 2 ** 17, r: 8, p: 1 }, 32)
  assert.is(key.length, 32)
})

test('scrypt refuses a cost outside its bounds', async () => {
  const bad = [
    { N: 2 ** 14, r: 8, p: 1 },
    { N: 2 ** 21, r: 8, p: 1 },
    { N: 2 ** 15 + 1, r: 8, p: 1 },
    { N: Number.NaN, r: 8, p: 1 },
    { N: 2 ** 15, r: 7, p: 1 },
    { N: 2 ** 15, r: 8, p: 0 },
    { N: 2 ** 15, r: 8, p: 5 },
  ]
  for (const crypto of [nodeCrypto, nobleCrypto]) {
    for (const cost of bad) {
      const refusal: unknown = await crypto.scrypt('x', EMPTY, cost, 32).catch((error: unknown) => error)
      assert.ok(refusal instanceof TypeError, `${crypto.name} ${JSON.stringify(cost)}`)
    }
  }
})

test('arguments of another length are a TypeError that names them', () => {
  for (const crypto of [nodeCrypto, nobleCrypto]) {
    const aead = crypto.createAead(new Uint8Array(32))
    assert.throws(() => crypto.createAead(new Uint8Array(16)), /key: expected 32 bytes, got 16/)
    assert.throws(() => aead.seal(new Uint8Array(16), EMPTY, EMPTY), /nonce: expected 12 bytes, got 16/)
    assert.throws(() => aead.open(new Uint8Array(8), EMPTY, new Uint8Array(16)), isTypeError)
    assert.throws(() => crypto.createSigner(new Uint8Array(31)), /seed: expected 32 bytes, got 31/)
    assert.throws(() => crypto.createVerifier(new Uint8Array(33)), /publicKey: expected 32 bytes, got 33/)
    for (const length of [0, -1, 1.5, 8161]) {
      assert.throws(() => crypto.hkdfSha256(EMPTY, EMPTY, EMPTY, length), isTypeError)
    }
  }
})

test('results are plain Uint8Arrays and print no key', () => {
  const secret = new Uint8Array(32).fill(0xab)
  for (const crypto of [nodeCrypto, nobleCrypto]) {
    const aead = crypto.createAead(secret)
    const sealed = aead.seal(new Uint8Array(12), EMPTY, secret)
    const p256 = crypto.createP256(secret)
    const signer = crypto.createSigner(secret)
    const results = [
      crypto.sha256(secret),
      crypto.hmacSha256(secret, secret),
      crypto.createHmac(secret).digest(secret),
      crypto.hkdfSha256(secret, secret, 'info', 40),
      sealed,
      aead.open(new Uint8Array(12), EMPTY, sealed),
      p256.publicKey,
      p256.dh(p256.publicKey),
      signer.publicKey,
      signer.sign(secret),
    ]
    for (const result of results) assert.is(Object.getPrototypeOf(result), Uint8Array.prototype, crypto.name)
    for (const holder of [aead, p256, signer, crypto.createHmac(secret)])
      assert.not.match(JSON.stringify(holder), /171,171|abab/)
  }
})

test('equal compares length and bytes', () => {
  for (const crypto of [nodeCrypto, nobleCrypto]) {
    assert.is(crypto.equal(Uint8Array.of(1, 2), Uint8Array.of(1, 2)), true)
    assert.is(crypto.equal(Uint8Array.of(1, 2), Uint8Array.of(1, 3)), false)
    assert.is(crypto.equal(Uint8Array.of(1, 2), Uint8Array.of(1, 2, 3)), false)
    assert.is(crypto.equal(EMPTY, EMPTY), true)
  }
})

function smallOrderPoints(): Uint8Array[] {
  const { Point } = ed25519
  for (let y = 2; ; y += 1) {
    const candidate = pointAt(y)
      ?.multiplyUnsafe(Point.Fn.ORDER - 1n)
      .add(pointAt(y) ?? Point.ZERO)
    if (candidate === undefined || candidate.double().double().is0()) continue
    const points = [Point.ZERO]
    while (points.length < 8) points.push((points.at(-1) ?? Point.ZERO).add(candidate))
    return points.map((point) => point.toBytes())
  }
}

function pointAt(y: number): InstanceType<typeof ed25519.Point> | undefined {
  try {
    return ed25519.Point.fromBytes(Uint8Array.of(y, ...new Uint8Array(31)))
  } catch {
    return undefined
  }
}

function ed25519Hash(...parts: Uint8Array[]): Uint8Array {
  return sha512(Uint8Array.from(parts.flatMap((part) => [...part])))
}

function littleEndian(value: Uint8Array): bigint {
  return BigInt(`0x${toHex(value.toReversed())}`)
}

function bytesOf(value: bigint): Uint8Array {
  return fromHex(value.toString(16).padStart(64, '0')).toReversed()
}

test.run()
