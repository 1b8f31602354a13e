/** Ten thousand random cases on which both providers give the same bytes, or refuse with the same words. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { BlazeError, createChance, nodeCrypto } from '../../../runtime/index.ts'
import { nobleCrypto } from '../../../runtime/crypto/noble-crypto.ts'
import type { CryptoProvider } from '../../../runtime/index.ts'
import { toHex } from './shared-vector.ts'

const seed = Number(process.env['SEED'] ?? Math.trunc(Math.random() * 2 ** 31))
console.log(`seed ${seed}; repeat with SEED=${seed}`)

const chance = createChance(seed)
const pick = (below: number): number => Math.floor(chance() * below)
const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, () => pick(256))
/** Often a length at which something ends: a block, a pad, a tag, nothing at all. */
const EDGES = [0, 1, 15, 16, 17, 31, 32, 33, 55, 56, 63, 64, 65, 127, 128, 129, 511, 512, 513]
const some = (): Uint8Array => bytes(pick(2) === 0 ? (EDGES[pick(EDGES.length)] ?? 0) : pick(300))
/** Now and then of a length that is refused. */
const nearly = (length: number): Uint8Array => bytes(pick(20) === 0 ? pick(2 * length + 2) : length)
const flipped = (input: Uint8Array): Uint8Array => {
  const bit = pick(input.length * 8)
  return input.map((byte, at) => (at === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte))
}

let cases = 0

/** Runs the case with both providers; an answer is bytes, a truth, nothing, or the words of a refusal. */
function agree(what: string, run: (crypto: CryptoProvider) => Uint8Array | boolean | undefined): string {
  const answer = (crypto: CryptoProvider): string => {
    try {
      const result = run(crypto)
      return result instanceof Uint8Array ? toHex(result) : String(result)
    } catch (error) {
      assert.ok(error instanceof BlazeError || error instanceof TypeError, `${what}: ${String(error)}`)
      return `refused: ${error.message}`
    }
  }
  cases += 1
  const node = answer(nodeCrypto)
  assert.is(answer(nobleCrypto), node, `${what}, case ${cases}`)
  return node
}

/** How often `run` gave an answer that begins so. */
function times(count: number, run: () => string): Map<string, number> {
  const kinds = new Map<string, number>()
  for (let n = 0; n < count; n += 1) {
    const answer = run()
    const kind = /^(refused|undefined|true|false)/.exec(answer)?.[0] ?? 'bytes'
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
  }
  return kinds
}

test('hashes, codes of authenticity and derived keys', () => {
  times(1_500, () => {
    const input = some()
    return agree('sha256', (crypto) => crypto.sha256(input))
  })
  times(1_500, () => {
    const [key, input] = [some(), some()]
    return agree('hmac', (crypto) => crypto.hmacSha256(key, input))
  })
  times(700, () => {
    const [key, first, second] = [some(), some(), some()]
    return agree('prepared hmac', (crypto) => {
      const hmac = crypto.createHmac(key)
      return Uint8Array.of(...hmac.digest(first), ...hmac.digest(second))
    })
  })
  const derived = times(1_500, () => {
    const [ikm, salt, info, length] = [some(), some(), some(), pick(30) === 0 ? 8161 : pick(200)]
    return agree('hkdf', (crypto) => crypto.hkdfSha256(ikm, salt, info, length))
  })
  assert.ok((derived.get('refused') ?? 0) > 10, 'lengths that are refused came too')
})

test('sealed and opened bytes, whole and damaged', () => {
  const sealed = times(1_200, () => {
    const [key, nonce, aad, plaintext] = [nearly(32), nearly(12), some(), some()]
    return agree('seal', (crypto) => crypto.createAead(key).seal(nonce, aad, plaintext))
  })
  const opened = times(1_200, () => {
    const [key, nonce, aad, plaintext] = [bytes(32), bytes(12), some(), some()]
    const whole = nodeCrypto.createAead(key).seal(nonce, aad, plaintext)
    const tried = [whole, flipped(whole), whole.subarray(0, pick(whole.length)), some()][pick(4)] ?? whole
    return agree('open', (crypto) => crypto.createAead(key).open(nonce, aad, tried))
  })
  assert.ok((sealed.get('bytes') ?? 0) > 900 && (sealed.get('refused') ?? 0) > 20)
  assert.ok((opened.get('bytes') ?? 0) > 150 && (opened.get('undefined') ?? 0) > 500)
})

test('keys of P-256, shared secrets, and points of every kind', () => {
  const keys = times(250, () => {
    const scalar = pick(10) === 0 ? new Uint8Array(32).fill(pick(2) * 255) : nearly(32)
    return agree('public key', (crypto) => crypto.createP256(scalar).publicKey)
  })
  const shared = times(350, () => {
    const [ours, theirs] = [bytes(32), nodeCrypto.createP256(bytes(32)).publicKey]
    const parity = 2 + ((theirs[64] ?? 0) & 1)
    const points = [
      theirs,
      theirs,
      flipped(theirs),
      Uint8Array.of(parity, ...theirs.subarray(1, 33)),
      nearly(65),
    ]
    const point = points[pick(points.length)] ?? theirs
    return agree('shared secret', (crypto) => crypto.createP256(ours).dh(point))
  })
  assert.ok((keys.get('bytes') ?? 0) > 180 && (keys.get('refused') ?? 0) > 5)
  assert.ok((shared.get('bytes') ?? 0) > 80 && (shared.get('refused') ?? 0) > 80)
})

test('signatures, whole and damaged, under keys that are some and none', () => {
  times(300, () => {
    const [secret, message] = [nearly(32), some()]
    return agree('signature', (crypto) => crypto.createSigner(secret).sign(message))
  })
  const verdicts = times(600, () => {
    const [signer, message] = [nodeCrypto.createSigner(bytes(32)), some()]
    const whole = signer.sign(message)
    const tried = [whole, whole, flipped(whole), nearly(64)][pick(4)] ?? whole
    const key = [signer.publicKey, signer.publicKey, flipped(signer.publicKey), nearly(32)][pick(4)] ?? whole
    return agree('verdict', (crypto) => crypto.createVerifier(key).verify(message, tried))
  })
  assert.ok((verdicts.get('true') ?? 0) > 80 && (verdicts.get('false') ?? 0) > 200)
})

test('messages sealed to a key, and comparisons', () => {
  times(150, () => {
    const [recipient, entropy, info] = [nodeCrypto.createP256(bytes(32)), nearly(32), some()]
    const [aad, plaintext] = [some(), some()]
    return agree('hpke seal', (crypto) =>
      crypto.hpkeSeal(recipient.publicKey, entropy, { info, aad }, plaintext),
    )
  })
  const opened = times(150, () => {
    const [scalar, context, plaintext] = [bytes(32), { info: some(), aad: some() }, some()]
    const { publicKey } = nodeCrypto.createP256(scalar)
    const whole = nodeCrypto.hpkeSeal(publicKey, bytes(32), context, plaintext)
    const tried = [whole, flipped(whole), some()][pick(3)] ?? whole
    return agree('hpke open', (crypto) => crypto.hpkeOpen(crypto.createP256(scalar), context, tried))
  })
  const equal = times(600, () => {
    const a = some()
    const b = [Uint8Array.from(a), a.length === 0 ? a : flipped(a), some()][pick(3)] ?? a
    return agree('equal', (crypto) => crypto.equal(a, b))
  })
  assert.ok((opened.get('bytes') ?? 0) > 20 && (opened.get('undefined') ?? 0) > 50)
  assert.ok((equal.get('true') ?? 0) > 100 && (equal.get('false') ?? 0) > 100)
})

test('ten thousand cases were compared', () => {
  console.log(`${cases} cases`)
  assert.is(cases, 10_000)
})

test.run()
