/** Of whom a round is here in part: at whoever takes it, wherever it is passed on to, and after any opening (REPLICATION rules 12 and 18). */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { RELAY_DATA } from '../../../actors/relay/message.ts'
import { encodeAnnouncement } from '../../../actors/team/announcement.ts'
import {
  connect,
  data,
  ExchangeWorld,
  forged,
  shown,
  type Member,
  type Side,
} from '../relay/exchange-world.ts'
import { device, replicaId, spaceId } from '../team/roster.ts'
import { draft, partsOf, tag } from './replica-world.ts'

/** `pi` takes the round of `a` in parts of one record, and passes on to `b` what it has. */
async function world(seed: number, records: number) {
  const exchanges = new ExchangeWorld(seed)
  const [pi, a, b] = [await exchanges.member('pi'), await exchanges.member('a'), await exchanges.member('b')]
  const drafts = Array.from({ length: records }, (_, at) => draft(tag(at + 1), `text ${at + 1}`, []))
  await exchanges.settle(a.space.replica.write(drafts, { atomic: true }))
  const parts = await exchanges.settle(partsOf(a.space.replica, { peerVector: new Map() }, 1))
  const side = await forged(exchanges, pi, 'a')
  const [atB, atPi] = connect(b, pi)
  pi.space.replica.onCommitted(() => atPi.exchange.pump())
  return { exchanges, pi, a, b, parts, side, atB }
}

function offer(side: Side, parts: Awaited<ReturnType<typeof partsOf>>, at: number): void {
  const part = parts[at]
  assert.ok(part)
  const { items, upTo, last } = part
  side.frame(RELAY_DATA, data(items, { round: 1, part: at + 1, upTo, roundEnd: last }))
}

function names({ space }: Member): string[] {
  const known = new Map(['a', 'b'].map((name) => [device(name).keys.signKey.join(), name]))
  return space.unfinished.map((key) => known.get(key.join()) ?? 'nobody')
}

test('until its last part comes a round is unfinished for whoever has some of it, and for nobody else', async () => {
  const { exchanges, pi, a, b, parts, side, atB } = await world(1, 2)
  assert.is.not(parts.length, 1)
  assert.equal([names(pi), names(b)], [[], []])

  offer(side, parts, 0)
  await exchanges.rest()
  // The whole of the transaction came; the end of its round did not.
  assert.equal(shown(b, 1), ['text 1'])
  assert.equal([names(pi), names(b), names(a)], [['a'], ['a'], []])
  assert.ok(atB.exchange.caughtUp)

  for (let at = 1; at < parts.length; at += 1) offer(side, parts, at)
  await exchanges.rest()
  assert.equal([names(pi), names(b)], [[], []])
  assert.equal(b.space.replica.vectorDigest(), a.space.replica.vectorDigest())
})

test('an opening finds what was unfinished before it', async () => {
  const { exchanges, b, parts, side } = await world(2, 2)
  offer(side, parts, 0)
  await exchanges.rest()
  await exchanges.settle(b.space.close())

  const again = await exchanges.member('b', b.volume)

  assert.equal(names(again), ['a'])
})

test('an id that its device has left brings no more', async () => {
  const { exchanges, b, parts, side } = await world(3, 2)
  offer(side, parts, 0)
  await exchanges.rest()
  assert.equal(names(b), ['a'])

  const left = { replicaId: replicaId('a'), forkPoint: 0 }
  const { signer } = device('a')
  const announced = encodeAnnouncement({
    spaceId,
    replicaId: replicaId('a2'),
    n: 2,
    predecessor: left,
    signer,
  })
  await exchanges.settle(b.space.learn({ announcements: [announced] }))

  assert.equal(names(b), [])
  assert.is(b.space.replica.ahead.length, 1)
})

test('own writes that come back are not unfinished, and neither is what the vector covers', async () => {
  const { exchanges, pi, a, parts, side } = await world(4, 2)
  for (let at = 0; at < parts.length; at += 1) offer(side, parts, at)
  await exchanges.rest()
  connect(a, pi)
  await exchanges.rest()

  assert.equal([names(a), names(pi)], [[], []])
  assert.equal(a.space.replica.ahead, [])
})

test.run()
