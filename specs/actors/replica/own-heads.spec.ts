/** Which heads of its own history a device can still compare, however much it wrote offline. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { OwnHeads } from '../../../actors/replica/own-heads.ts'
import { limits } from '../../../runtime/index.ts'

const peer = new Uint8Array(32).fill(1)
const hash = (seq: number): Uint8Array => new Uint8Array(32).fill(seq % 251)

function write(heads: OwnHeads, from: number, to: number): void {
  for (let seq = from; seq <= to; seq++) heads.landed({ seq, commitHash: hash(seq) }, heads.surplus())
}

test('a head that a peer confirmed stays comparable through any number of later writes', () => {
  const heads = new OwnHeads(new Map())
  write(heads, 1, 5)
  heads.shown(peer, 5)
  heads.confirmed(peer, 5)

  write(heads, 6, 5 + 3 * limits.ownHeadsMax)

  assert.is(heads.compare(5, hash(5)), 'equal')
  assert.is(heads.compare(5, hash(6)), 'different')
})

test('a head that was sent and never answered stays comparable too', () => {
  const heads = new OwnHeads(new Map())
  write(heads, 1, 5)
  heads.shown(peer, 4)

  write(heads, 6, 5 + 2 * limits.ownHeadsMax)

  assert.is(heads.compare(4, hash(4)), 'equal')
  assert.is(heads.compare(3, hash(3)), 'unknown')
})

test('heads found at opening stay until a peer confirms a later one', () => {
  const heads = new OwnHeads(
    new Map([
      [10, hash(10)],
      [20, hash(20)],
    ]),
  )
  write(heads, 21, 21 + 2 * limits.ownHeadsMax)
  assert.is(heads.compare(10, hash(10)), 'equal')

  heads.confirmed(peer, 10)
  assert.is(heads.compare(20, hash(20)), 'equal', 'it may be the next to be sent')
  heads.confirmed(peer, 20)
  const removed = heads.surplus()

  assert.is(heads.compare(10, hash(10)), 'unknown')
  assert.ok(removed.includes(10))
  assert.is(heads.compare(20, hash(20)), 'equal')
})

test('rows do not grow while each head is confirmed', () => {
  const heads = new OwnHeads(new Map())
  let rows = 0
  for (let seq = 1; seq <= 10_000; seq++) {
    const removed = heads.surplus()
    rows += 1 - removed.length
    heads.landed({ seq, commitHash: hash(seq) }, removed)
    heads.shown(peer, seq)
    heads.confirmed(peer, seq)
  }

  assert.ok(rows < 10, `${rows} rows`)
})

test.run()
