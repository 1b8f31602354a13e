/** What two exchanges do for each other: rounds, acknowledgements, marks, team news, echoes, slow peers. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  encodeAck,
  encodeHello,
  parseData,
  parseHello,
  parseSpoiled,
  RELAY_ACK,
  RELAY_ANNOUNCE,
  RELAY_DATA,
  RELAY_HELLO,
  RELAY_MARK,
  RELAY_MARKED,
  RELAY_READY,
  RELAY_SPOILED,
  RELAY_TEAM,
  RELAY_VECTOR,
} from '../../../actors/relay/message.ts'
import { limits } from '../../../runtime/index.ts'
import { partsOf } from '../replica/replica-world.ts'
import { addBody, announcement, entry, hashOf, replicaId } from '../team/roster.ts'
import { addReader, connect, data, ExchangeWorld, forged, log, shown, Side } from './exchange-world.ts'
import type { Member } from './exchange-world.ts'

const MARK_7 = Uint8Array.of(0, 0, 0, 7)

async function pair(seed: number): Promise<{ world: ExchangeWorld; pi: Member; a: Member }> {
  const world = new ExchangeWorld(seed)
  return { world, pi: await world.member('pi'), a: await world.member('a') }
}

test('two spaces end with the same writes, and both say so', async () => {
  const { world, pi, a } = await pair(1)
  const b = await world.member('b')
  await world.write(b, 2, 'from b')
  connect(b, pi)
  await world.rest()
  await world.write(a, 1, 'from a')

  const [atA, atPi] = connect(a, pi)
  await world.rest()

  assert.equal(shown(pi, 1), ['from a'])
  assert.equal(shown(a, 2), ['from b'])
  assert.ok(atA.exchange.caughtUp && atPi.exchange.caughtUp)
  assert.is(atA.exchange.ackedSeq(replicaId('a')), 1)
  assert.is(atA.exchange.lag, 0)
})

test('what a peer wrote, or has, is not sent to it', async () => {
  const { world, pi, a } = await pair(2)
  const [atA, atPi] = connect(a, pi)
  await world.rest()

  await world.write(a, 1, 'mine')
  atA.exchange.pump()
  await world.rest()
  atPi.exchange.pump()
  await world.rest()

  assert.equal([atA.envelopes, atPi.envelopes], [1, 0])
  assert.ok(atPi.exchange.caughtUp)
})

test('a second stream goes on at the cursor, and a peer that forgot its incarnation is asked by vectors', async () => {
  const { world, pi, a } = await pair(3)
  for (let number = 1; number <= 5; number++) await world.write(a, number, `${number}`)
  connect(a, pi)
  await world.rest()

  await world.write(a, 6, 'new')
  const [byCursor] = connect(a, pi)
  await world.rest()
  const wiped = await world.member('pi')
  const [afterWipe] = connect(a, wiped)
  await world.rest()

  assert.is(byCursor.envelopes, 1)
  assert.is(afterWipe.envelopes, 6)
  assert.equal(shown(wiped, 6), ['new'])
})

test('a cursor into an incarnation that is not listed is not believed', async () => {
  const { world, pi, a } = await pair(4)
  await world.write(a, 1, 'one')
  const side = new Side(a, 'pi')
  side.exchange.start()
  const lies = new Side(pi, 'a')
  lies.exchange.start()
  const { teamDigest, vectorDigest } = parseHello(lies.sent[0]?.body ?? new Uint8Array(0))
  side.frame(
    RELAY_HELLO,
    helloWith({ incarnation: new Uint8Array(16).fill(3), arrival: 1 }, teamDigest, vectorDigest),
  )
  side.frame(RELAY_READY)
  await world.rest()

  assert.is(side.envelopes, 1)
})

test('a peer that never acknowledges costs its parts in flight and no more', async () => {
  const { world, a } = await pair(5)
  for (let number = 1; number <= 80; number++) await world.write(a, number, 'x'.repeat(60_000))
  const side = await forged(world, a, 'pi')

  const before = side.count(RELAY_DATA)
  const parts = side.sent.filter(({ type }) => type === RELAY_DATA).map(({ body }) => parseData(body))
  side.exchange.pump()
  await world.rest()
  const stuck = side.count(RELAY_DATA)
  side.frame(RELAY_ACK, encodeAck({ round: 1, part: 1, arrival: parts[0]?.upTo ?? 0, vector: [] }))
  await world.rest()

  assert.is(parts.filter(({ partEnd }) => partEnd).length, limits.relayPartsInFlightMax)
  assert.is(stuck, before)
  assert.ok(side.count(RELAY_DATA) > before)
  assert.not.ok(side.exchange.caughtUp)
})

test('a stream that takes no more is sent no further part until it is writable', async () => {
  const { world, a } = await pair(6)
  for (let number = 1; number <= 20; number++) await world.write(a, number, 'x'.repeat(60_000))
  const side = new Side(a, 'pi')
  side.open = false
  side.exchange.start()
  side.frame(RELAY_HELLO, helloWith(undefined))
  side.frame(RELAY_READY)
  await world.rest()
  const held = side.count(RELAY_DATA)

  side.turn(() => side.exchange.writable())
  await world.rest()

  assert.is(held, 1)
  assert.is(side.count(RELAY_DATA), 2)
})

test('a mark is answered when everything held then was acknowledged, and not before', async () => {
  const { world, a } = await pair(7)
  await world.write(a, 1, 'held')
  const side = await forged(world, a, 'pi')

  side.frame(RELAY_MARK, MARK_7)
  await world.rest()
  const early = side.count(RELAY_MARKED)
  await world.write(a, 2, 'later')
  side.exchange.pump()
  await world.rest()
  side.frame(RELAY_ACK, encodeAck({ round: 1, part: 1, arrival: 1, vector: [] }))
  await world.rest()

  assert.is(early, 0)
  assert.is(side.count(RELAY_MARKED), 1)
  assert.not.ok(side.exchange.caughtUp)
})

test('a mark at an empty space waits for the first round too', async () => {
  const { world, pi } = await pair(8)
  const side = await forged(world, pi, 'a')
  side.frame(RELAY_MARK, MARK_7)
  await world.rest()
  const early = side.count(RELAY_MARKED)

  side.frame(RELAY_ACK, encodeAck({ round: 1, part: 1, arrival: 0, vector: [] }))
  await world.rest()

  assert.equal([early, side.count(RELAY_MARKED)], [0, 1])
})

test('a device that is not in the team is sent no data until it is', async () => {
  const { world, a } = await pair(9)
  await world.write(a, 1, 'for members')
  const side = await forged(world, a, 'newcomer')
  side.frame(RELAY_MARK, MARK_7)
  side.turn(() => side.exchange.writable())
  await world.rest()
  const before = [side.count(RELAY_DATA), side.count(RELAY_MARKED)]

  const joined = entry('owner', addBody('newcomer', 'writer'), [hashOf(addReader)])
  await world.settle(a.space.learn({ entries: [joined] }))
  side.exchange.teamChanged()
  await world.rest()

  assert.equal(before, [0, 0])
  assert.is(side.envelopes, 1)
})

test('team entries travel while a stream is live, once, and not back to where they came from', async () => {
  const { world, pi, a } = await pair(10)
  const [atA, atPi] = connect(a, pi)
  await world.rest()
  const joined = entry('owner', addBody('newcomer', 'writer'), [hashOf(addReader)])

  await world.settle(a.space.learn({ entries: [joined], announcements: [announcement('newcomer')] }))
  atA.exchange.teamChanged()
  await world.rest()
  atPi.exchange.teamChanged()
  atA.exchange.teamChanged()
  await world.rest()

  assert.ok(pi.space.team.has(hashOf(joined)))
  assert.ok(pi.space.team.device(replicaId('newcomer')) !== undefined)
  assert.equal([atA.count(RELAY_TEAM), atA.count(RELAY_ANNOUNCE)], [1, 1])
  assert.equal([atPi.count(RELAY_TEAM), atPi.count(RELAY_ANNOUNCE)], [0, 0])
})

test('an entry that was learned between the two hellos is told, though the digests were equal', async () => {
  const { world, pi, a } = await pair(11)
  const atPi = new Side(pi, 'a')
  atPi.exchange.start()
  const joined = entry('owner', addBody('newcomer', 'writer'), [hashOf(addReader)])
  await world.settle(pi.space.learn({ entries: [joined] }))
  atPi.exchange.teamChanged()

  const atA = new Side(a, 'pi')
  atPi.join(atA)
  atA.join(atPi)
  atA.exchange.start()
  await world.rest()

  assert.ok(a.space.team.has(hashOf(joined)))
})

test('an announcement goes ahead of the data that needs it, whatever wakes the sender', async () => {
  const { world, pi, a } = await pair(12)
  const [atPi] = connect(pi, a)
  await world.rest()
  const added = entry('owner', addBody('c', 'writer'), [hashOf(addReader)])
  const news = { entries: [added], announcements: [announcement('c')] }
  const c = await world.member('c', undefined, [...log, added])
  await world.settle(c.space.learn(news))
  await world.settle(pi.space.learn(news))
  await world.write(c, 1, 'from c')

  const parts = await world.settle(partsOf(c.space.replica, { peerVector: new Map() }))
  const part = parts[0]
  assert.ok(part)
  const offered = { peer: c.space.spaceId, incarnation: c.space.replica.incarnation, roundEnd: true }
  await world.settle(pi.space.replica.applyPart({ ...offered, ...part }))
  atPi.exchange.pump()
  await world.rest()

  assert.is(atPi.ended, undefined)
  assert.equal(shown(a, 1), ['from c'])
})

test('what was acknowledged is told even when the vector moved between the two hellos', async () => {
  const { world, pi, a } = await pair(13)
  await world.write(a, 1, 'one')
  const parts = await world.settle(partsOf(a.space.replica, { peerVector: new Map() }))
  const part = parts[0]
  assert.ok(part)

  const atPi = new Side(pi, 'a')
  atPi.exchange.start()
  const peer = parseHello(atPi.sent[0]?.body ?? new Uint8Array(0))
  assert.is(peer.lastArrival, 0)
  // A part of the stream before, which was still being applied when this one began.
  const offered = { peer: a.space.spaceId, incarnation: a.space.replica.incarnation, roundEnd: true }
  await world.settle(pi.space.replica.applyPart({ ...offered, ...part }))
  const atA = new Side(a, 'pi')
  atPi.join(atA)
  atA.join(atPi)
  atA.exchange.start()
  await world.rest()

  assert.is(atA.exchange.ackedSeq(replicaId('a')), 1)
})

test('an exchange is not caught up in the middle of a longer round', async () => {
  const { world, pi, a } = await pair(14)
  await world.write(a, 1, 'x'.repeat(60_000))
  await world.write(a, 2, 'y'.repeat(60_000))
  const parts = await world.settle(partsOf(a.space.replica, { peerVector: new Map() }, 61_000))
  assert.is(parts.length, 2)
  const side = await forged(world, pi, 'a')
  side.frame(RELAY_ACK, encodeAck({ round: 1, part: 1, arrival: 0, vector: [] }))
  side.frame(RELAY_DATA, data([], { round: 1, upTo: 0 }))
  await world.rest()
  const before = side.exchange.caughtUp

  side.frame(RELAY_DATA, data([], { round: 1, part: 2, upTo: 0, roundEnd: false }))
  await world.rest()
  const open = [side.exchange.standing.receiving, side.exchange.caughtUp]
  const [first, second] = parts
  assert.ok(first && second)
  side.frame(RELAY_DATA, data(first.items, { round: 2, upTo: first.upTo, roundEnd: false }))
  await world.rest()
  const between = [side.exchange.standing.receiving, side.exchange.caughtUp]
  side.frame(RELAY_DATA, data(second.items, { round: 2, part: 2, upTo: second.upTo }))
  await world.rest()

  assert.equal([before, ...open, ...between], [true, true, false, true, false])
  assert.not.ok(side.exchange.standing.receiving)
  assert.is(side.count(RELAY_ACK), 4)
  assert.equal(shown(pi, 2), ['y'.repeat(60_000)])
})

test('an acknowledgement leaves only after the batch was synced', async () => {
  const { world, pi, a } = await pair(15)
  await world.write(a, 1, 'one')
  const [part] = await world.settle(partsOf(a.space.replica, { peerVector: new Map() }))
  assert.ok(part)
  const side = await forged(world, pi, 'a')
  const rows = pi.volume.rows('store')
  const everything = { gte: Uint8Array.of(0), lt: Uint8Array.of(255, 255), limit: 10_000 }
  const before = (await rows.range(everything)).length

  side.frame(RELAY_DATA, data(part.items, { upTo: part.upTo }))
  await world.simulation.run(() => side.count(RELAY_ACK) > 0, { virtualMs: 1_000 })
  pi.volume.crash()
  const after = (await rows.range(everything)).length
  const again = await world.member('pi', pi.volume)

  assert.ok(after > before)
  assert.equal(shown(again, 1), ['one'])
})

test('a store that fails is told to the peer, which would wait for ever', async () => {
  const { world, pi, a } = await pair(16)
  const [atA, atPi] = connect(a, pi)
  await world.rest()

  pi.volume.failNextBatch()
  await world.write(a, 1, 'one')
  atA.exchange.pump()
  await world.rest()

  assert.is(atPi.ended?.code, 'POISONED')
  assert.is(atA.ended?.code, 'POISONED')
  assert.is(atA.exchange.ackedSeq(replicaId('a')), 0)
})

test('a round that cannot be read is told to the peer', async () => {
  const { world, a } = await pair(17)
  await world.write(a, 1, 'one')
  const side = new Side(a, 'pi')
  side.exchange.start()
  await world.settle(a.space.close())

  side.frame(RELAY_HELLO, helloWith(undefined))
  side.frame(RELAY_READY)
  await world.rest()

  const spoiled = side.sent.find(({ type }) => type === RELAY_SPOILED)
  assert.ok(spoiled)
  assert.is(parseSpoiled(spoiled.body).code, 'CLOSED')
  assert.is(side.ended?.code, 'CLOSED')
  assert.is(side.broken, undefined)
})

test('the vector is sent when it differs, and nothing at all when both sides are alike', async () => {
  const { world, pi, a } = await pair(18)
  await world.write(a, 1, 'one')
  const [first] = connect(a, pi)
  await world.rest()
  const [second, atPi] = connect(a, pi)
  await world.rest()

  assert.is(first.count(RELAY_VECTOR), 1)
  assert.equal(
    [second.count(RELAY_VECTOR), second.count(RELAY_DATA), second.count(RELAY_TEAM), atPi.envelopes],
    [0, 0, 0, 0],
  )
  assert.ok(second.exchange.caughtUp && atPi.exchange.caughtUp)
})

test.run()

function helloWith(
  cursor: { incarnation: Uint8Array; arrival: number } | undefined,
  teamDigest: Uint8Array = new Uint8Array(32),
  vectorDigest: Uint8Array = new Uint8Array(32),
): Uint8Array {
  const hello = { incarnation: new Uint8Array(16).fill(9), lastArrival: 0, clockMs: 0 }
  return encodeHello({ ...hello, cursor, vectorDigest, teamDigest })
}
