/** Nothing is sent back to whom it came from. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { RELAY_DATA } from '../../../actors/relay/message.ts'
import { draft, partsOf, tag } from '../replica/replica-world.ts'
import { connect, data, ExchangeWorld, forged, shown } from './exchange-world.ts'
import type { Member } from './exchange-world.ts'

async function pair(seed: number): Promise<{ world: ExchangeWorld; pi: Member; a: Member }> {
  const world = new ExchangeWorld(seed)
  return { world, pi: await world.member('pi'), a: await world.member('a') }
}

test('what a peer passes on in the middle of the long round of another is not sent back to it', async () => {
  const { world, pi, a } = await pair(23)
  const b = await world.member('b')
  await world.write(a, 1, 'x'.repeat(60_000))
  await world.write(a, 2, 'y'.repeat(60_000))
  const [first] = await world.settle(partsOf(a.space.replica, { peerVector: new Map() }, 61_000))
  const side = await forged(world, pi, 'a')
  side.frame(RELAY_DATA, data(first?.items ?? [], { round: 1, upTo: first?.upTo ?? 0, roundEnd: false }))
  await world.rest()

  const [atB, atPi] = connect(b, pi)
  await world.rest()
  atB.exchange.pump()
  await world.rest()

  assert.equal(shown(b, 1), ['x'.repeat(60_000)])
  assert.is(b.space.replica.vector().size, 0)
  assert.equal([atB.envelopes, atPi.envelopes], [0, 1])
  assert.ok(atB.exchange.caughtUp && atPi.exchange.caughtUp)
})

test('a burst of many parts comes back to its writer in no part', async () => {
  const { world, pi, a } = await pair(19)
  const [atA, atPi] = connect(a, pi)
  await world.rest()

  const drafts = Array.from({ length: 60 }, (_, n) => draft(tag(n + 1), 'x'.repeat(60_000), []))
  await world.settle(a.space.replica.write(drafts))
  atA.exchange.pump()
  await world.rest()
  atPi.exchange.pump()
  await world.rest()

  assert.equal([atA.envelopes, atPi.envelopes], [60, 0])
  assert.ok(atA.exchange.caughtUp && atPi.exchange.caughtUp)
})

test.run()
