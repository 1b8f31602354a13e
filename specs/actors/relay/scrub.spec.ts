/** Scrub between two sides whose vectors agree and whose records do not: what it finds, sends, costs, and what it refuses (PROTOCOL §14). */
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { RELAY_SCRUB, RELAY_SCRUBBED } from '../../../actors/relay/message.ts'
import {
  encodeScrubAnswer,
  encodeScrubAsk,
  parseScrubAnswer,
  parseScrubAsk,
} from '../../../actors/relay/scrub-frame.ts'
import { BlazeError, bytesKey, equalBytes, limits } from '../../../runtime/index.ts'
import { pathOf } from '../../fixtures/visit-path.ts'
import { relayMachine } from '../../../actors/relay/machine.ts'
import { ConnectionWorld, lastOf, OpenAccess } from '../connection/connection-world.ts'
import { draft, tag } from '../replica/replica-world.ts'
import { connect, ExchangeWorld, forged, losing, shown, Side, type Member } from './exchange-world.ts'

interface Pair {
  readonly world: ExchangeWorld
  readonly pi: Member
  readonly a: Member
}

async function pair(seed: number): Promise<Pair> {
  const world = new ExchangeWorld(seed)
  return { world, pi: await world.member('pi'), a: await world.member('a') }
}

const isOneOf =
  (...numbers: readonly number[]) =>
  (found: Uint8Array): boolean =>
    numbers.some((number) => equalBytes(found, tag(number)))

/** `a` writes tags 1 to `count`; those that are lost never reach `pi`, whose vector says they did. */
async function diverge(
  { world, pi, a }: Pair,
  count: number,
  lost: readonly number[],
): Promise<[Side, Side]> {
  const sides: [Side, Side] = [new Side(a, 'pi'), new Side(pi, 'a')]
  sides[0].onTheWay = losing(isOneOf(...lost))
  sides[0].join(sides[1])
  sides[1].join(sides[0])
  for (const side of sides) side.exchange.start()
  const drafts = Array.from({ length: count }, (_, at) => draft(tag(at + 1), `text ${at + 1}`, []))
  await world.settle(a.space.replica.write(drafts))
  for (const side of sides) side.exchange.pump()
  await world.rest()
  sides[0].onTheWay = (message) => message
  assert.ok(sides[0].exchange.caughtUp && sides[1].exchange.caughtUp)
  return sides
}

function bytesOf(side: Side, from: number): number {
  return side.sent.slice(from).reduce((sum, { body }) => sum + body.length, 0)
}

test('two sides that hold the same find that out with one question', async () => {
  const { world, pi, a } = await pair(1)
  await world.write(a, 1, 'one')
  const [side, other] = connect(a, pi)
  await world.rest()
  const before = [side.sent.length, other.sent.length]

  assert.ok(side.exchange.scrub())
  await world.rest()

  assert.equal(side.exchange.standing.scrub, { compared: 1, found: 0, differs: false, stays: false })
  assert.equal([side.sent.length, other.sent.length], [(before[0] ?? 0) + 1, (before[1] ?? 0) + 1])
  assert.ok(bytesOf(side, before[0] ?? 0) + bytesOf(other, before[1] ?? 0) < 64)
})

test('a record that the peer lost on the way is found, sent and compared again', async () => {
  const worldPair = await pair(2)
  const { world, pi, a } = worldPair
  const [side, other] = await diverge(worldPair, 250, [77])
  assert.equal(shown(pi, 77), [])
  const before = [side.sent.length, other.sent.length]

  side.exchange.scrub()
  await world.rest()

  assert.equal(shown(pi, 77), ['text 77'])
  assert.equal(side.exchange.standing.scrub, { compared: 2, found: 1, differs: false, stays: false })
  assert.ok(equalBytes(pi.space.replica.liveTotals.sum, a.space.replica.liveTotals.sum))
  const asks = side.sent.slice(before[0]).filter(({ type }) => type === RELAY_SCRUB)
  // The last one finds roots the same.
  assert.is(asks.length, 6)
  const bytes = bytesOf(side, before[0] ?? 0) + bytesOf(other, before[1] ?? 0)
  assert.ok(bytes < 8_192, `${bytes} bytes`)
})

test('a record that this side lacks comes, and one that was deleted here stays deleted', async () => {
  const { world, pi, a } = await pair(3)
  const b = await world.member('b')
  const [first] = connect(b, pi)
  await world.write(b, 1, 'of b')
  await world.write(b, 2, 'of b too')
  first.exchange.pump()
  await world.rest()
  // `a` is told both, and takes one.
  const sides: [Side, Side] = [new Side(a, 'pi'), new Side(pi, 'a')]
  sides[1].onTheWay = losing(isOneOf(1))
  sides[0].join(sides[1])
  sides[1].join(sides[0])
  for (const side of sides) side.exchange.start()
  await world.rest()
  sides[1].onTheWay = (message) => message
  // The deletion is lost on its way to `pi`.
  sides[0].onTheWay = losing(isOneOf(2))
  const live = a.space.replica.committed(tag(2))
  await world.settle(a.space.replica.write([{ ...draft(tag(2), '', [...live]), deleted: true }]))
  sides[0].exchange.pump()
  await world.rest()
  sides[0].onTheWay = (message) => message
  assert.equal([shown(a, 1), shown(pi, 2)], [[], ['of b too']])

  sides[0].exchange.scrub()
  await world.rest()

  assert.equal(shown(a, 1), ['of b'])
  assert.is(sides[0].exchange.standing.scrub.found, 2)
  assert.ok(pi.space.replica.committed(tag(2)).every(({ deleted }) => deleted))
  assert.ok(equalBytes(pi.space.replica.liveTotals.sum, a.space.replica.liveTotals.sum))
})

test('many differences are found in a bounded number of questions', async () => {
  const worldPair = await pair(4)
  const { world, pi } = worldPair
  const lost = Array.from({ length: 40 }, (_, at) => 5 * at + 1)
  const [side] = await diverge(worldPair, 250, lost)
  const before = side.sent.length

  side.exchange.scrub()
  await world.rest()

  for (const number of lost) assert.is(shown(pi, number).length, 1)
  assert.is(side.exchange.standing.scrub.differs, false)
  assert.ok(side.sent.slice(before).filter(({ type }) => type === RELAY_SCRUB).length <= 16)
})

test('without a quiet moment nothing is compared: here it does not begin, and there it is answered later', async () => {
  const { world, pi, a } = await pair(5)
  const [side, other] = connect(a, pi)
  await world.rest()
  await world.write(a, 1, 'not sent yet')
  assert.not(side.exchange.scrub())
  side.exchange.pump()
  await world.rest()

  await world.write(pi, 2, 'never').catch(() => undefined)
  const b = await world.member('b')
  const [third] = connect(b, pi)
  await world.write(b, 3, 'of b')
  third.exchange.pump()
  await world.rest()
  // `pi` has what `a` was not told.
  assert.ok(side.exchange.scrub())
  await world.rest()

  assert.is(other.count(RELAY_SCRUBBED), 1)
  assert.equal(side.exchange.standing.scrub, { compared: 0, found: 0, differs: false, stays: false })
})

test('a difference that stays makes both sides verify themselves, and is not chased for ever', async () => {
  const worldPair = await pair(6)
  const { world, pi, a } = worldPair
  const [side] = await diverge(worldPair, 20, [7])
  side.onTheWay = losing(isOneOf(7))
  let verified = 0
  for (const { replica } of [pi.space, a.space]) {
    const verify = replica.verify.bind(replica)
    replica.verify = (options) => {
      verified += 1
      return verify(options)
    }
  }
  const before = side.sent.length

  side.exchange.scrub()
  await world.simulation.pass(60_000)

  const { differs, stays, found } = side.exchange.standing.scrub
  assert.equal([differs, stays, found], [true, true, limits.scrubRoundsMax])
  assert.is(verified, 2)
  assert.ok(
    side.sent.slice(before).filter(({ type }) => type === RELAY_SCRUB).length <= 6 * limits.scrubRoundsMax,
  )
  side.onTheWay = (message) => message
  side.exchange.scrub()
  await world.rest()
  assert.equal([side.exchange.standing.scrub.differs, shown(pi, 7)], [false, ['text 7']])
})

test('answers that were not asked for, and others than were asked for, end the connection', async () => {
  const answers = [
    encodeScrubAnswer({ kind: 'same' }),
    encodeScrubAnswer({ kind: 'nodes', nodes: [] }),
    encodeScrubAnswer({ kind: 'tags', tags: [] }),
    encodeScrubAnswer({ kind: 'verify' }),
    Uint8Array.of(9),
  ]
  for (const answer of answers) {
    const { world, a } = await pair(7)
    const side = await forged(world, a, 'pi')
    side.frame(RELAY_SCRUBBED, answer)
    assert.is(side.violation, 'PROTOCOL_VIOLATION')
  }
})

test('questions beyond their bounds, and two at a time, end the connection', async () => {
  const sum = new Uint8Array(16)
  const tags = Array.from({ length: limits.scrubLeafTagsMax + 1 }, (_, at) => ({ tag: tag(at), sum }))
  const prefixes = Array.from({ length: limits.scrubNodesMax + 1 }, (_, nibbles) => ({ depth: 4, nibbles }))
  const bad = [
    encodeScrubAsk({ kind: 'nodes', prefixes }),
    encodeScrubAsk({ kind: 'nodes', prefixes: [] }),
    encodeScrubAsk({ kind: 'leaves', lists: [] }),
    encodeScrubAsk({
      kind: 'leaves',
      lists: prefixes.slice(0, limits.scrubLeavesMax + 1).map((leaf) => ({ leaf, tags: [] })),
    }),
    encodeScrubAsk({ kind: 'leaves', lists: [{ leaf: { depth: 3, nibbles: 0 }, tags: [] }] }),
    encodeScrubAsk({ kind: 'leaves', lists: [{ leaf: { depth: 4, nibbles: 0 }, tags }] }),
    encodeScrubAsk({ kind: 'root', node: { depth: 1, nibbles: 0, count: 0, sum } }),
    Uint8Array.of(4),
    new Uint8Array(0),
  ]
  for (const ask of bad) assert.throws(() => parseScrubAsk(ask), /scrub/)
  const differing = Array.from({ length: limits.scrubTagsMax + 1 }, (_, at) => tag(at))
  assert.throws(() => parseScrubAnswer(encodeScrubAnswer({ kind: 'tags', tags: differing })), /tags/)
  const { world, pi } = await pair(8)
  const side = await forged(world, pi, 'a')
  const ask = encodeScrubAsk({ kind: 'nodes', prefixes: [{ depth: 1, nibbles: 0 }] })
  side.frame(RELAY_SCRUB, ask)
  side.frame(RELAY_SCRUB, ask)
  assert.is(side.violation, 'PROTOCOL_VIOLATION')
})

test('a connection compares at the end of its catch-up, and shows that it repairs', async () => {
  const world = new ConnectionWorld(9)
  const pi = await world.member('pi')
  const a = await world.member('a')
  await world.listen(new OpenAccess(pi.space))
  await world.write(a, 1, 'one')
  const dialed = world.dial(a)
  await world.rest()
  assert.equal(lastOf(dialed).relay?.scrub.compared, 1)

  await world.simulation.pass(limits.scrubIntervalMs * 1.3)
  assert.equal(lastOf(dialed).relay?.scrub.compared, 2)
  const known = new Set(pi.space.replica.committed(tag(1)).map(({ hash }) => bytesKey(hash)))
  assert.is(known.size, 1)
})

test('a repair that the peer refuses is tried less and less often, though all else is caught up each time', async () => {
  const world = new ConnectionWorld(10)
  const pi = await world.member('pi')
  const a = await world.member('a')
  const sides = await diverge({ world, pi, a }, 20, [7])
  for (const { exchange } of sides) exchange.end()
  const { replica } = pi.space
  const applyPart = replica.applyPart.bind(replica)
  let refusals = 0
  const refuse = (): Promise<never> => {
    refusals += 1
    return Promise.reject(new BlazeError('QUOTA', 'too much of late'))
  }
  Object.assign(replica, { applyPart: refuse })
  await world.listen(new OpenAccess(pi.space))
  const dialed = world.dial(a)
  await world.simulation.pass(300_000)

  assert.ok(refusals > 8 && refusals < 25, `${refusals} in five minutes`)
  Object.assign(replica, { applyPart })
  await world.simulation.pass(2 * limits.relayRetryMaxMs)
  assert.equal(lastOf(dialed).relay?.scrub.differs, false)
  assert.equal(shown(pi, 7), ['text 7'])
})

test('a relay that repairs is live again when roots agree, and can be refused, forked or left behind meanwhile', () => {
  const start = ['relay.negotiated', 'relay.caughtUp', 'relay.differs'] as const
  const states = ['negotiating', 'syncing', 'live', 'repairing']

  assert.equal(pathOf(relayMachine, ...start, 'relay.same'), [...states, 'live'])
  assert.equal(pathOf(relayMachine, ...start, 'relay.behind'), [...states, 'syncing'])
  assert.equal(pathOf(relayMachine, ...start, 'relay.spoiled'), [...states, 'paused'])
  assert.equal(pathOf(relayMachine, ...start, 'relay.forked'), [...states, 'diverged'])
})

test.run()
