/** Bytes of the relay messages of PROTOCOL §10: they survive, and what the table does not allow is refused. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  encodeAck,
  encodeBlobs,
  encodeData,
  encodeHello,
  encodeMark,
  encodeSpoiled,
  encodeVector,
  parseAck,
  parseBlobs,
  parseData,
  parseHello,
  parseMark,
  parseSpoiled,
  parseVector,
} from '../../../actors/relay/message.ts'
import { BlazeError, limits } from '../../../runtime/index.ts'

const bytes = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value)
const entry = { replicaId: bytes(8, 1), seq: 281_474_976_710_655, commitHash: bytes(32, 2) }
const hello = {
  incarnation: bytes(16, 3),
  lastArrival: 7,
  cursor: { incarnation: bytes(16, 4), arrival: 6 },
  vectorDigest: bytes(32, 5),
  teamDigest: bytes(32, 6),
  clockMs: 1_700_000_000_000,
}

test('hello survives its bytes, with and without a cursor', () => {
  const fresh = { ...hello, cursor: undefined }

  assert.equal(parseHello(encodeHello(hello)), hello)
  assert.equal(parseHello(encodeHello(fresh)), fresh)
})

test('hello has the layout of PROTOCOL §10', () => {
  const encoded = encodeHello(hello)

  assert.is(encoded.length, 4 + 16 + 6 + 1 + 22 + 32 + 32 + 6)
  assert.is(encoded[26], 1)
})

test('data, ack, spoiled, mark and vector survive their bytes', () => {
  const data = {
    round: 1,
    part: 2,
    partEnd: true,
    roundEnd: true,
    upTo: 9,
    items: bytes(3, 1),
  }
  const ack = { round: 1, part: 2, arrival: 9, vector: [entry] }
  const spoiled = { round: 1, part: 2, code: 'FORBIDDEN' as const, text: 'no' }

  assert.equal(parseData(encodeData(data)), data)
  assert.equal(parseAck(encodeAck(ack)), ack)
  assert.equal(parseSpoiled(encodeSpoiled(spoiled)), spoiled)
  assert.is(parseMark(encodeMark(77)), 77)
  assert.equal(encodeVector([entry, entry]).flatMap(parseVector), [entry, entry])
})

test('every truncation of a message is refused', () => {
  const whole: [Uint8Array, (bytes: Uint8Array) => unknown][] = [
    [encodeHello(hello), parseHello],
    [encodeAck({ round: 1, part: 2, arrival: 9, vector: [entry] }), parseAck],
    [encodeMark(1), parseMark],
    [encodeBlobs([bytes(5, 1)])[0] ?? bytes(0, 0), parseBlobs],
  ]

  for (const [encoded, parse] of whole) {
    for (let length = 0; length < encoded.length; length++) {
      const cut = encoded.subarray(0, length)
      // A list or an ack cut between two entries is a shorter message of the same kind.
      const shorter = (parse === parseBlobs && length === 0) || (parse === parseAck && length === 14)
      if (!shorter) refuses(() => parse(cut))
    }
  }
})

test('trailing bytes, unknown flags and a round end without a part end are refused', () => {
  const data = encodeData({
    round: 1,
    part: 1,
    partEnd: true,
    roundEnd: true,
    upTo: 1,
    items: bytes(0, 0),
  })
  const flagged = (flags: number): Uint8Array => {
    const copy = data.slice()
    copy[8] = flags
    return copy
  }

  refuses(() => parseHello(new Uint8Array([...encodeHello(hello), 0])))
  refuses(() => parseData(flagged(4)))
  refuses(() => parseData(flagged(2)))
  assert.is(parseData(flagged(3)).roundEnd, true)
})

test('lists are packed into messages below the limit', () => {
  const blobs = Array.from({ length: 20 }, (_, at) => bytes(100_000, at))

  const bodies = encodeBlobs(blobs)

  assert.ok(bodies.length > 1)
  assert.ok(bodies.every((body) => body.length <= limits.relayBatchBytesMax))
  assert.equal(bodies.flatMap(parseBlobs), blobs)
})

test.run()

function refuses(work: () => unknown): void {
  try {
    work()
  } catch (error) {
    assert.ok(error instanceof BlazeError)
    assert.is(error.code, 'PROTOCOL_VIOLATION')
    return
  }
  assert.unreachable('expected a refusal')
}
