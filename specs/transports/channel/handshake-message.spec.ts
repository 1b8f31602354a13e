/** The bytes of the handshake and of frames are those of PROTOCOL §7 and §8, laid out here by hand. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { BlazeError, toHex } from '../../../runtime/index.ts'
import { encodeErrorBody, parseErrorBody } from '../../../transports/channel/error-body.ts'
import { layFrame } from '../../../transports/channel/frame.ts'
import {
  deviceProofBytes,
  encodeDeviceProof,
  encodeFeatures,
  encodeGrant,
  encodeHello,
  encodePrologue,
  encodeRefusal,
  encodeVerify,
  encodeWelcome,
  encodeWelcomePayload,
  parseComplete,
  parseDeviceProof,
  parseRefusal,
  parseWelcomePayload,
  serverProofBytes,
} from '../../../transports/channel/handshake-message.ts'

const fill = (value: number, length: number): Uint8Array => new Uint8Array(length).fill(value)
const hex = (value: string): string => toHex(new TextEncoder().encode(value))
const isViolation = (error: unknown): boolean =>
  error instanceof BlazeError && error.code === 'PROTOCOL_VIOLATION'

test('prologue, hello, welcome, verify and refusal', () => {
  const id = fill(0xaa, 16)
  const ids = 'aa'.repeat(16)
  const message = Uint8Array.of(1, 2)

  assert.is(
    toHex(encodePrologue('XK', fill(0, 0), fill(0xbb, 32))),
    `${hex('blazed/1')}0100${'bb'.repeat(32)}`,
  )
  assert.is(toHex(encodePrologue('XXpsk3', id, fill(0, 0))), `${hex('blazed/1')}0210${ids}`)
  assert.is(toHex(encodeHello({ pattern: 'XK', id: fill(0, 0), message })), '424c5a0101000102')
  assert.is(toHex(encodeHello({ pattern: 'XXpsk3', id, message })), `424c5a010210${ids}0102`)
  assert.is(toHex(encodeFeatures()), '00000000')
  assert.is(toHex(encodeWelcome(message)), '020102')
  assert.is(toHex(encodeVerify(message)), '030102')
  assert.is(toHex(encodeRefusal('refused')) + toHex(encodeRefusal('busy')), 'ff01ff02')
  assert.equal(
    [parseRefusal(Uint8Array.of(255, 2)), parseRefusal(Uint8Array.of(255, 9))],
    ['busy', 'refused'],
  )
  assert.is(parseRefusal(Uint8Array.of(255, 1, 0)), undefined)
})

test('the payload of the welcome', () => {
  const welcome = { challenge: fill(0xcc, 32), timeMs: 0x0102_0304_0506, streamsMax: 1024 }
  const bytes = encodeWelcomePayload(welcome)

  assert.is(toHex(bytes), `${'cc'.repeat(32)}0102030405060000ffff001000000400`)
  assert.equal(parseWelcomePayload(bytes), welcome)
  assert.throws(() => parseWelcomePayload(bytes.subarray(0, -1)), isViolation)
  assert.throws(() => parseWelcomePayload(Uint8Array.of(...bytes, 0)), isViolation)
})

test('what the devices sign, and their proofs', () => {
  const [hash, middle, key] = [fill(1, 32), fill(2, 32), fill(3, 65)]
  const tail = `${'01'.repeat(32)}${'02'.repeat(32)}${'03'.repeat(65)}`
  const proof = { deviceKey: fill(4, 32), signature: fill(5, 64) }

  assert.is(toHex(deviceProofBytes(hash, middle, key)), hex('blazedb/device/1') + tail)
  assert.is(toHex(serverProofBytes(hash, middle, key)), hex('blazedb/server/1') + tail)
  assert.is(toHex(encodeDeviceProof(proof)), '04'.repeat(32) + '05'.repeat(64))
  assert.equal(parseDeviceProof(encodeDeviceProof(proof)), proof)
  assert.throws(() => parseDeviceProof(fill(0, 97)), isViolation)
})

test('a complete that grants, and one that denies', () => {
  const proof = { deviceKey: fill(4, 32), signature: fill(5, 64) }
  const rights = { mayHost: true, successor: false }
  const rest = { sessionId: fill(6, 16), staticKey: fill(7, 65), ...rights, pairing: Uint8Array.of(8, 9) }
  const bytes = encodeGrant({ ...proof, ...rest })

  const laid = [
    '0000',
    '04'.repeat(32),
    '05'.repeat(64),
    '06'.repeat(16),
    '07'.repeat(65),
    '01',
    '00000002',
    '0809',
  ]
  assert.is(toHex(bytes), laid.join(''))
  assert.equal(parseComplete(bytes), { kind: 'granted', grant: { ...proof, ...rest } })
  for (const [mayHost, successor, byte] of [
    [false, false, '00'],
    [false, true, '02'],
    [true, true, '03'],
  ] as const) {
    const other = { ...proof, ...rest, mayHost, successor }
    assert.is(toHex(encodeGrant(other)), laid.with(5, byte).join(''))
    assert.equal(parseComplete(encodeGrant(other)), { kind: 'granted', grant: other })
  }
  assert.equal(parseComplete(encodeErrorBody(5, 'used')), { kind: 'denied', code: 'CODE_USED', text: 'used' })
  assert.equal(parseComplete(encodeErrorBody(999, '')), { kind: 'denied', code: 'REFUSED', text: '' })
  for (let length = 0; length < bytes.length; length++) {
    assert.throws(() => parseComplete(bytes.subarray(0, length)), isViolation, String(length))
  }
})

test('a frame', () => {
  const record = new Uint8Array(20)

  assert.is(layFrame(record, 1, { type: 21, more: true, stream: 0x01020304 }, Uint8Array.of(0xaa, 0xbb)), 13)
  assert.is(toHex(record.subarray(0, 14)), '000000000815010102' + '0304aabb00')
})

test('the text of an error is cut at 512 bytes, between characters, and longer ones are refused', () => {
  assert.is(toHex(encodeErrorBody(3, 'no')), '00036e6f')
  const cut = parseErrorBody(encodeErrorBody(3, `a${'é'.repeat(400)}`), 'bye')
  assert.is(cut.text, `a${'é'.repeat(255)}`)
  assert.throws(() => parseErrorBody(fill(65, 2 + 513), 'bye'), isViolation)
  assert.throws(() => parseErrorBody(Uint8Array.of(0), 'bye'), isViolation)
})

test.run()
