/** Both directions of a channel rekey by count, in step. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { limits, nodeCrypto } from '../../../runtime/index.ts'
import { createRecordCipher } from '../../../transports/channel/record-cipher.ts'
import type { RecordCipher } from '../../../transports/channel/record-cipher.ts'
import { createCipherState } from '../../../transports/noise/cipher-state.ts'

function pair(
  recordsPerKey: readonly [number, number],
  firstNonce = 0,
): readonly [RecordCipher, RecordCipher] {
  const state = (fill: number) => createCipherState(nodeCrypto, new Uint8Array(32).fill(fill), firstNonce)
  return [
    createRecordCipher({ send: state(1), receive: state(2) }, recordsPerKey[0]),
    createRecordCipher({ send: state(2), receive: state(1) }, recordsPerKey[1]),
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

test('what is not the next record changes nothing', () => {
  const [a, b] = pair([4, 4])
  const first = a.seal(text(1))

  assert.is(b.open(a.seal(text(2))), undefined)
  assert.is(b.open(new Uint8Array(5)), undefined)
  assert.equal(b.open(first), text(1))
})

test.run()
