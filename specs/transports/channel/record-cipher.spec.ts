/** Both directions of a channel rekey in step: by count, by bytes, and where the sender says so. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { limits, nodeCrypto } from '../../../runtime/index.ts'
import { createRecordCipher } from '../../../transports/channel/record-cipher.ts'
import type { RecordCipher } from '../../../transports/channel/record-cipher.ts'
import { createCipherState } from '../../../transports/noise/cipher-state.ts'

function pair(
  records: readonly [number, number],
  firstNonce = 0,
  bytes: readonly [number, number] = [limits.bytesPerKey, limits.bytesPerKey],
): readonly [RecordCipher, RecordCipher] {
  const state = (fill: number) => createCipherState(nodeCrypto, new Uint8Array(32).fill(fill), firstNonce)
  return [
    createRecordCipher({ send: state(1), receive: state(2) }, { records: records[0], bytes: bytes[0] }),
    createRecordCipher({ send: state(2), receive: state(1) }, { records: records[1], bytes: bytes[1] }),
  ]
}

const text = (n: number): Uint8Array => new TextEncoder().encode(`record ${n}`)

test('records go through many rekeyings in both directions, at different paces', () => {
  const [a, b] = pair([4, 4])

  for (let n = 0; n < 50; n++) {
    assert.equal(b.open(a.seal(text(n))), text(n))
    if (n % 3 === 0) assert.equal(a.open(b.seal(text(n))), text(n))
  }
})

test('an end that does not rekey cannot read on', () => {
  const [a, b] = pair([4, 1_000])

  for (let n = 0; n < 4; n++) assert.equal(b.open(a.seal(text(n))), text(n))
  assert.is(b.open(a.seal(text(4))), undefined)
})

test('the protocol rekeys after 2^20 records', () => {
  assert.is(limits.recordsPerKey, 2 ** 20)
  const [a] = pair([limits.recordsPerKey, limits.recordsPerKey], limits.recordsPerKey - 1)
  const plain = createCipherState(nodeCrypto, new Uint8Array(32).fill(1), limits.recordsPerKey - 1)
  const empty = new Uint8Array(0)

  assert.equal(a.seal(text(1)), plain.encrypt(empty, text(1)))
  plain.rekey()
  assert.equal(a.seal(text(2)), plain.encrypt(empty, text(2)))
})

test('records go through many rekeyings by bytes, whatever their lengths', () => {
  const [a, b] = pair([1_000, 1_000], 0, [100, 100])

  for (let n = 0; n < 60; n++) {
    const body = new Uint8Array(n * 3).fill(n)
    assert.equal(b.open(a.seal(body)), body)
    if (n % 3 === 0) assert.equal(a.open(b.seal(body)), body)
  }
})

test('the record that reaches the bytes is the last under its key, one byte less is not', () => {
  const rekeyed = (bodyBytes: number): boolean => {
    const [a] = pair([1_000, 1_000], 0, [100, 100])
    const plain = createCipherState(nodeCrypto, new Uint8Array(32).fill(1))
    const empty = new Uint8Array(0)
    a.seal(new Uint8Array(bodyBytes))
    plain.encrypt(empty, empty)
    return Buffer.compare(a.seal(text(2)), plain.encrypt(empty, text(2))) !== 0
  }

  assert.equal([rekeyed(100 - 16 - 1), rekeyed(100 - 16)], [false, true])
})

test('a rekeying by bytes starts the count of bytes anew', () => {
  const [a] = pair([1_000, 1_000], 0, [100, 100])
  const plain = createCipherState(nodeCrypto, new Uint8Array(32).fill(1))
  const empty = new Uint8Array(0)

  a.seal(new Uint8Array(200))
  plain.encrypt(empty, empty)
  plain.rekey()

  assert.equal(a.seal(text(2)), plain.encrypt(empty, text(2)))
  assert.equal(a.seal(text(3)), plain.encrypt(empty, text(3)))
})

test('an end that counts bytes otherwise cannot read on', () => {
  const [a, b] = pair([1_000, 1_000], 0, [40, 1_000])

  assert.equal(b.open(a.seal(text(1))), text(1))
  assert.equal(b.open(a.seal(text(2))), text(2))
  assert.is(b.open(a.seal(text(3))), undefined)
})

test('a rekeying that was asked for turns one direction, at the record where both ask', () => {
  const [a, b] = pair([1_000, 1_000])
  assert.equal(b.open(a.seal(text(1))), text(1))

  a.rekeySend()
  const next = a.seal(text(2))
  assert.is(b.open(next), undefined)
  b.rekeyReceive()

  assert.equal(b.open(next), text(2))
  assert.equal(a.open(b.seal(text(3))), text(3))
})

test('the protocol rekeys after 2^30 bytes', () => {
  assert.is(limits.bytesPerKey, 2 ** 30)
})

test('what is not the next record changes nothing', () => {
  const [a, b] = pair([4, 4])
  const first = a.seal(text(1))

  assert.is(b.open(a.seal(text(2))), undefined)
  assert.is(b.open(new Uint8Array(5)), undefined)
  assert.equal(b.open(first), text(1))
})

test.run()
