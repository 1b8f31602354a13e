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

  assert.is(heads.compare(10, hash(10)), 'equal', 'a peer that was restored may show it')
  assert.is(heads.compare(20, hash(20)), 'equal')
})

test('of what all peers have confirmed the newest heads stay, and the others go with their rows', () => {
  const heads = new OwnHeads(new Map())
  const last = limits.ownHeadsConfirmedMax + 50
  for (let seq = 1; seq <= last; seq++) {
    write(heads, seq, seq)
    heads.shown(peer, seq)
  }

  heads.confirmed(peer, last)

  assert.is(heads.compare(50, hash(50)), 'equal')
  assert.is(heads.compare(49, hash(49)), 'unknown')
  assert.equal(
    heads.surplus().slice(0, 49),
    Array.from({ length: 49 }, (_, at) => at + 1),
  )
})

test('what every peer has confirmed is known after the next batch, and not raised by one peer alone', () => {
  const heads = new OwnHeads(new Map(), 3)
  const other = new Uint8Array(32).fill(2)
  write(heads, 4, 9)
  heads.shown(peer, 9)
  heads.shown(other, 9)

  heads.confirmed(peer, 9)
  const alone = [heads.confirmedSeq, heads.unstored()]
  heads.confirmed(other, 6)
  const both = [heads.confirmedSeq, heads.unstored()]
  heads.stored(6)

  assert.equal(
    [alone, both],
    [
      [3, undefined],
      [6, 6],
    ],
  )
  assert.equal([heads.confirmedSeq, heads.unstored()], [6, undefined])
})

test('rows have a bound while each head is confirmed', () => {
  const heads = new OwnHeads(new Map())
  let rows = 0
  for (let seq = 1; seq <= 10_000; seq++) {
    const removed = heads.surplus()
    rows += 1 - removed.length
    heads.landed({ seq, commitHash: hash(seq) }, removed)
    heads.shown(peer, seq)
    heads.confirmed(peer, seq)
  }

  assert.ok(rows < limits.ownHeadsConfirmedMax + 10, `${rows} rows`)
})

test.run()
