/**
 * Frozen bytes of the relay messages of PROTOCOL §10 (specs/vectors/relay.json). `REWRITE=1` writes the file anew; the difference is then
 * read by a person, because every change of it is a change of the protocol.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
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
import { fromHex, toHex } from '../../../runtime/index.ts'

const path = fileURLToPath(new URL('../../vectors/relay.json', import.meta.url))
const count = (length: number, from: number): Uint8Array => Uint8Array.from({ length }, (_, at) => from + at)

const cursor = { incarnation: count(16, 0x20), arrival: 0x0102_0304_0506 }
const hello = {
  incarnation: count(16, 0x10),
  lastArrival: 258,
  cursor: undefined,
  vectorDigest: count(32, 0x40),
  teamDigest: count(32, 0x60),
  clockMs: 1_735_689_600_000,
}
const entries = [
  { replicaId: count(8, 0x80), seq: 7, commitHash: count(32, 0x90) },
  { replicaId: count(8, 0x88), seq: 2 ** 40, commitHash: count(32, 0xb0) },
]
const data = {
  round: 3,
  part: 2,
  partEnd: true,
  roundEnd: true,
  upTo: 99,
  items: count(5, 1),
}
const ack = { round: 3, part: 2, arrival: 99, vector: entries }
const spoiled = { round: 3, part: 2, code: 'FORKED' as const, text: 'replica 80… has two histories' }

function build(): Record<string, string> {
  const made = {
    hello: encodeHello({ ...hello, cursor }),
    helloWithoutCursor: encodeHello(hello),
    helloOfMisfit: encodeHello({ ...hello, rebasing: true }),
    blobs: encodeBlobs([count(3, 1), count(2, 9)])[0] ?? count(0, 0),
    vector: encodeVector(entries)[0] ?? count(0, 0),
    data: encodeData(data),
    dataInTheMiddle: encodeData({ ...data, partEnd: false, roundEnd: false }),
    ack: encodeAck(ack),
    ackOfMisfit: encodeAck({ ...ack, vector: [] }),
    spoiled: encodeSpoiled(spoiled),
    mark: encodeMark(0x0102_0304),
  }
  return Object.fromEntries(Object.entries(made).map(([name, bytes]) => [name, toHex(bytes)]))
}

if (process.env['REWRITE'] === '1') writeFileSync(path, `${JSON.stringify(build(), null, 2)}\n`)
if (!existsSync(path)) throw new Error('specs/vectors/relay.json is missing; REWRITE=1 makes it')
const frozen = JSON.parse(readFileSync(path, 'utf8')) as Record<string, string>

test('the bytes of the relay messages are the frozen ones', () => {
  assert.equal(build(), frozen)
})

test('frozen messages read as what they were made of', () => {
  const bytes = (name: string): Uint8Array => fromHex(frozen[name] ?? '')

  assert.equal(parseHello(bytes('hello')), { ...hello, cursor })
  assert.equal(parseHello(bytes('helloWithoutCursor')), hello)
  assert.is(parseHello(bytes('helloOfMisfit')).rebasing, true)
  assert.equal(parseBlobs(bytes('blobs')), [count(3, 1), count(2, 9)])
  assert.equal(parseVector(bytes('vector')), entries)
  assert.equal(parseData(bytes('data')), data)
  assert.is(parseData(bytes('dataInTheMiddle')).partEnd, false)
  assert.equal(parseAck(bytes('ack')), ack)
  assert.equal(parseSpoiled(bytes('spoiled')), spoiled)
  assert.is(parseMark(bytes('mark')), 0x0102_0304)
})

test.run()
