/** What one peer brings is passed on to the others, down to the vector. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { RELAY_DATA } from '../../../actors/relay/message.ts'
import { partsOf } from '../replica/replica-world.ts'
import { connect, data, ExchangeWorld, forged, shown } from './exchange-world.ts'

test('a part that brings nothing but the vector of its round is news for the others', async () => {
  const world = new ExchangeWorld(7)
  const [pi, a, b] = [await world.member('pi'), await world.member('a'), await world.member('b')]
  await world.write(a, 1, 'one')
  // Nothing fits a part of a byte but its first tag.
  const parts = await world.settle(partsOf(a.space.replica, { peerVector: new Map() }, 1))
  assert.equal(
    parts.map(({ items }) => items.some(({ kind }) => kind === 'envelope')),
    [true, false],
  )
  const side = await forged(world, pi, 'a')
  const [atB, atPi] = connect(b, pi)
  pi.space.replica.onCommitted(() => atPi.exchange.pump())

  for (const [at, { items, upTo, last }] of parts.entries()) {
    side.frame(RELAY_DATA, data(items, { round: 1, part: at + 1, upTo, roundEnd: last }))
    await world.rest()
  }

  assert.equal(shown(b, 1), ['one'])
  assert.equal(b.space.replica.vectorDigest(), a.space.replica.vectorDigest())
  assert.ok(atB.exchange.caughtUp && atPi.exchange.caughtUp)
})

test.run()
