/** What a Noise handshake and its transport ciphers promise, and what they refuse. */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { AssertionFailure, BlazeError, nodeCrypto } from '../../../runtime/index.ts'
import { nobleCrypto } from '../../../runtime/crypto/noble-crypto.ts'
import { createCipherState } from '../../../transports/noise/cipher-state.ts'
import { createHandshake, createP256Dh } from '../../../transports/noise/index.ts'
import type { DhKey, Handshake, HandshakeOptions } from '../../../transports/noise/index.ts'
import { parsePattern } from '../../../transports/noise/pattern.ts'
import { toHex } from '../../runtime/crypto/shared-vector.ts'

const seed = Number(process.env['SEED'] ?? Math.trunc(Math.random() * 2 ** 31))
console.log(`seed ${seed}; repeat with SEED=${seed}`)

const dh = createP256Dh(nodeCrypto)
const EMPTY = new Uint8Array(0)
const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const key = (fill: number): DhKey => dh.fromPrivate(new Uint8Array(32).fill(fill))
const isFailed = (error: unknown): boolean => error instanceof BlazeError && error.code === 'HANDSHAKE_FAILED'
const isAssertion = (error: unknown): boolean => error instanceof AssertionFailure
const isTypeError = (error: unknown): boolean => error instanceof TypeError

/** Bytes that differ at every draw and every run of a spec alike. */
function countingEntropy(start: number): (n: number) => Uint8Array {
  let draw = start
  return (n) => nodeCrypto.sha256(Uint8Array.of((draw += 1) & 255, start)).subarray(0, n)
}

type Pair = readonly [initiator: Handshake, responder: Handshake]

function pair(
  pattern: 'XK' | 'XXpsk3',
  initiator: Partial<HandshakeOptions> = {},
  responder: Partial<HandshakeOptions> = {},
): Pair {
  const shared = { pattern, dh, crypto: nodeCrypto, prologue: text('blazed/1') }
  const psk = pattern === 'XXpsk3' ? { psk: new Uint8Array(32).fill(7) } : {}
  const remote = pattern === 'XK' ? { remoteStatic: key(2).publicKey } : {}
  const ours = { initiator: true, staticKey: key(1), entropy: countingEntropy(10) }
  const theirs = { initiator: false, staticKey: key(2), entropy: countingEntropy(20) }
  return [
    createHandshake({ ...shared, ...psk, ...remote, ...ours, ...initiator }),
    createHandshake({ ...shared, ...psk, ...theirs, ...responder }),
  ]
}

/** Runs the three messages; `damage` may change one on its way. */
function run(
  [initiator, responder]: Pair,
  damage: (message: Uint8Array, index: number) => Uint8Array = (message) => message,
): void {
  responder.readMessage(damage(initiator.writeMessage(text('hello')), 0))
  initiator.readMessage(damage(responder.writeMessage(text('welcome')), 1))
  responder.readMessage(damage(initiator.writeMessage(text('verify')), 2))
}

for (const pattern of ['XK', 'XXpsk3'] as const) {
  test(`${pattern} over P-256 ends with one session between keys that know each other`, () => {
    const [initiator, responder] = pair(pattern)

    run([initiator, responder])

    assert.ok(initiator.finished && responder.finished)
    assert.is(toHex(initiator.handshakeHash), toHex(responder.handshakeHash))
    assert.is(toHex(responder.remoteStatic ?? EMPTY), toHex(key(1).publicKey))
    assert.is(toHex(initiator.remoteStatic ?? EMPTY), toHex(key(2).publicKey))
    const [a, b] = [initiator.split(), responder.split()]
    for (let n = 0; n < 3; n += 1) {
      const there = a.send.encrypt(text('aad'), text(`there ${n}`))
      assert.equal(b.receive.decrypt(text('aad'), there), text(`there ${n}`))
      assert.equal(a.receive.decrypt(EMPTY, b.send.encrypt(EMPTY, text('back'))), text('back'))
    }
    assert.is(a.send.nonce, 3)
  })

  test(`${pattern} fails when one byte of any message is changed, cut off or added`, () => {
    const property = fc.property(
      fc.nat(2),
      fc.nat(100_000),
      fc.integer({ min: 1, max: 255 }),
      fc.constantFrom('flip', 'cut', 'add'),
      (number, place, mask, kind) => {
        const damage = (message: Uint8Array, index: number): Uint8Array => {
          if (index !== number) return message
          if (kind === 'add') return Uint8Array.of(...message, mask)
          if (kind === 'cut') return message.subarray(0, place % message.length)
          return Uint8Array.from(message, (byte, i) => (i === place % message.length ? byte ^ mask : byte))
        }
        assert.throws(() => {
          run(pair(pattern), damage)
        }, isFailed)
      },
    )
    fc.assert(property, { seed, numRuns: 150 })
  })

  test(`${pattern} fails between two prologues`, () => {
    assert.throws(() => {
      run(pair(pattern, { prologue: text('blazed/2') }))
    }, isFailed)
  })
}

test('XK fails at the first message when the responder does not own the pinned key', () => {
  const [initiator, responder] = pair('XK', { remoteStatic: key(3).publicKey })

  assert.throws(() => responder.readMessage(initiator.writeMessage(EMPTY)), isFailed)
})

test('XXpsk3 fails at the third message when the psks differ', () => {
  const [initiator, responder] = pair('XXpsk3', { psk: new Uint8Array(32).fill(8) })

  responder.readMessage(initiator.writeMessage(EMPTY))
  initiator.readMessage(responder.writeMessage(EMPTY))
  assert.throws(() => responder.readMessage(initiator.writeMessage(EMPTY)), isFailed)
})

test('an ephemeral key that is no point fails the handshake also where it is first used on a write', () => {
  const [, responder] = pair('XXpsk3')
  const zeroPoint = Uint8Array.of(4, ...new Uint8Array(64))
  // Under a psk the first payload is already sealed under a key that anyone can derive: seal it as an attacker would.
  const [attacker] = pair('XXpsk3', { ephemeralKey: { publicKey: zeroPoint, dh: () => new Uint8Array(32) } })

  responder.readMessage(attacker.writeMessage(EMPTY))

  assert.throws(() => responder.writeMessage(EMPTY), isFailed)
  assert.throws(() => responder.writeMessage(EMPTY), isAssertion)
})

test('a handshake that failed neither writes, reads nor splits again', () => {
  const [initiator, responder] = pair('XK')
  const message = initiator.writeMessage(EMPTY)

  assert.throws(() => responder.readMessage(message.subarray(1)), isFailed)

  assert.throws(() => responder.readMessage(message), isFailed)
  assert.throws(() => responder.writeMessage(EMPTY), isAssertion)
  assert.throws(() => responder.split(), isAssertion)
  assert.is(responder.finished, false)
})

test('messages go in turn: early reads fail, early writes are bugs', () => {
  const [initiator, responder] = pair('XK')

  assert.throws(() => responder.writeMessage(EMPTY), isAssertion)
  initiator.writeMessage(EMPTY)
  assert.throws(() => initiator.writeMessage(EMPTY), isAssertion)
  const [other] = pair('XK')
  assert.throws(() => other.readMessage(new Uint8Array(81)), isFailed)
})

test('a handshake splits once, and only when finished', () => {
  const [initiator, responder] = pair('XK')
  assert.throws(() => initiator.split(), isAssertion)

  run([initiator, responder])
  initiator.split()

  assert.throws(() => initiator.split(), isAssertion)
  assert.throws(() => responder.readMessage(EMPTY), isFailed)
})

test('a message above 65,535 bytes is refused on both ends', () => {
  const [initiator, responder] = pair('XK')
  const most = 65_535 - 65 - 16

  assert.throws(() => pair('XK')[0].writeMessage(new Uint8Array(most + 1)), isTypeError)
  assert.throws(() => pair('XK')[0].writeMessage(new Uint8Array(70_000)), isTypeError)
  assert.throws(() => pair('XK')[1].readMessage(new Uint8Array(65_536)), isFailed)
  assert.is(responder.readMessage(initiator.writeMessage(new Uint8Array(most))).length, most)

  const cipher = createCipherState(nodeCrypto, new Uint8Array(32))
  assert.throws(() => cipher.encrypt(EMPTY, new Uint8Array(65_520)), isTypeError)
  assert.is(cipher.encrypt(EMPTY, new Uint8Array(65_519)).length, 65_535)
  assert.is(cipher.decrypt(EMPTY, new Uint8Array(65_536)), undefined)
})

test('a cipher state refuses replay, reordering and another aad without moving its nonce', () => {
  const send = createCipherState(nodeCrypto, new Uint8Array(32).fill(1))
  const receive = createCipherState(nodeCrypto, new Uint8Array(32).fill(1))
  const [first, second] = [send.encrypt(EMPTY, text('1')), send.encrypt(EMPTY, text('2'))]

  assert.is(receive.decrypt(EMPTY, second), undefined)
  assert.is(receive.decrypt(text('x'), first), undefined)
  assert.is(receive.nonce, 0)
  assert.equal(receive.decrypt(EMPTY, first), text('1'))
  assert.is(receive.decrypt(EMPTY, first), undefined)
  assert.equal(receive.decrypt(EMPTY, second), text('2'))
  assert.is(receive.nonce, 2)
})

test('the nonce is four zero bytes and a big-endian counter, also past 32 bits', () => {
  const crypto = { ...nodeCrypto }
  const nonces: string[] = []
  crypto.createAead = (bytes) => {
    const aead = nodeCrypto.createAead(bytes)
    return { ...aead, seal: (nonce, aad, plain) => (nonces.push(toHex(nonce)), aead.seal(nonce, aad, plain)) }
  }
  const cipher = createCipherState(crypto, new Uint8Array(32), 2 ** 32 - 1)

  cipher.encrypt(EMPTY, EMPTY)
  cipher.encrypt(EMPTY, EMPTY)
  cipher.rekey()

  assert.equal(nonces, ['0000000000000000ffffffff', '000000000000000100000000', '00000000ffffffffffffffff'])
  assert.is(cipher.nonce, 2 ** 32 + 1)
})

test('a cipher state whose nonces are used up encrypts and decrypts nothing', () => {
  const cipher = createCipherState(nodeCrypto, new Uint8Array(32), Number.MAX_SAFE_INTEGER - 1)

  cipher.encrypt(EMPTY, EMPTY)

  assert.throws(() => cipher.encrypt(EMPTY, EMPTY), isAssertion)
  assert.throws(() => cipher.decrypt(EMPTY, new Uint8Array(16)), isAssertion)
})

test('rekeying both ends at the same nonce goes on, rekeying one end stops the talk', () => {
  for (const crypto of [nodeCrypto, nobleCrypto]) {
    const send = createCipherState(crypto, new Uint8Array(32).fill(1))
    const receive = createCipherState(crypto, new Uint8Array(32).fill(1))
    send.rekey()
    const sealed = send.encrypt(EMPTY, text('x'))
    assert.is(receive.decrypt(EMPTY, sealed), undefined)
    receive.rekey()
    assert.equal(receive.decrypt(EMPTY, sealed), text('x'))
  }
})

test('keys that a pattern needs are demanded and keys that it does not use are refused', () => {
  const base = { dh, crypto: nodeCrypto, prologue: EMPTY, entropy: countingEntropy(1) }
  const staticKey = key(1)
  const remoteStatic = key(2).publicKey
  const psk = new Uint8Array(32)
  const wrong: HandshakeOptions[] = [
    { ...base, pattern: 'XK', initiator: true, remoteStatic },
    { ...base, pattern: 'XK', initiator: true, staticKey },
    { ...base, pattern: 'XK', initiator: false, staticKey, remoteStatic },
    { ...base, pattern: 'XK', initiator: true, staticKey, remoteStatic, psk },
    { ...base, pattern: 'XK', initiator: true, staticKey, remoteStatic: remoteStatic.subarray(1) },
    { ...base, pattern: 'XXpsk3', initiator: true, staticKey },
    { ...base, pattern: 'XXpsk3', initiator: true, staticKey, psk: psk.subarray(1) },
    { ...base, pattern: 'NNpsk3', initiator: true, psk },
  ]
  for (const options of wrong) assert.throws(() => createHandshake(options), isTypeError)
  for (const name of ['N', 'XZ', 'KI', 'XXpsk4', 'XKpsk', 'XXpsk3+psk0', 'XK1', 'toString']) {
    assert.throws(() => parsePattern(name), isTypeError, name)
  }
})

test('an ephemeral key is drawn again when the scalar is out of range, and a dead entropy source is a bug', () => {
  const draws = [new Uint8Array(32), new Uint8Array(32).fill(255), new Uint8Array(32).fill(9)]

  const drawn = dh.generate(() => draws.shift() ?? EMPTY)

  assert.is(toHex(drawn.publicKey), toHex(key(9).publicKey))
  assert.throws(() => dh.generate(() => new Uint8Array(32)), isAssertion)
})

test.run()
