/** What an exchange does not take: messages out of order, broken bytes, too much at once, and parts that do not verify. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
  encodeAck,
  encodeBlobs,
  encodeHello,
  encodeMark,
  encodeSpoiled,
  encodeVector,
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
import type { PartItem } from '../../../actors/replica/index.ts'
import { limits } from '../../../runtime/index.ts'
import { partsOf } from '../replica/replica-world.ts'
import { announcement, derive, device, replicaId } from '../team/roster.ts'
import { data, ExchangeWorld, forged, shown, Side, strangeHello } from './exchange-world.ts'
import type { Member } from './exchange-world.ts'

const NOTHING = new Uint8Array(0)

async function pi(seed: number): Promise<{ world: ExchangeWorld; member: Member }> {
  const world = new ExchangeWorld(seed)
  return { world, member: await world.member('pi') }
}

/** What a round of this device would carry. */
async function itemsOf(world: ExchangeWorld, member: Member): Promise<PartItem[]> {
  const [part] = await world.settle(partsOf(member.space.replica, { peerVector: new Map() }))
  if (part === undefined) throw new Error('a round has a part')
  return part.items
}

test('nothing comes before hello', async () => {
  const { member } = await pi(1)
  for (const type of [17, 18, 19, 20, 21, 22, 23, 25, 26]) {
    const side = new Side(member, 'a')
    side.exchange.start()

    side.frame(type, NOTHING)

    assert.is(side.violation, 'PROTOCOL_VIOLATION', `type ${type}`)
  }
})

test('data, acknowledgements and marks do not come before ready', async () => {
  const { member } = await pi(2)
  const early: [number, Uint8Array][] = [
    [RELAY_DATA, data([])],
    [RELAY_ACK, encodeAck({ round: 1, part: 1, arrival: 0, vector: [] })],
    [RELAY_MARK, encodeMark(1)],
    [RELAY_MARKED, encodeMark(1)],
  ]
  for (const [type, body] of early) {
    const side = new Side(member, 'a')
    side.exchange.start()
    side.frame(RELAY_HELLO, encodeHello(strangeHello()))

    side.frame(type, body)

    assert.is(side.violation, 'PROTOCOL_VIOLATION', `type ${type}`)
  }
})

test('hello and ready come once, and no vector after ready', async () => {
  for (const type of [RELAY_HELLO, RELAY_READY, RELAY_VECTOR]) {
    const { world, member } = await pi(3)
    const side = await forged(world, member, 'a')

    side.frame(type, type === RELAY_HELLO ? encodeHello(strangeHello()) : NOTHING)

    assert.is(side.violation, 'PROTOCOL_VIOLATION', `type ${type}`)
  }
})

test('unknown and reserved types are refused', async () => {
  for (const type of [24, 27, 63]) {
    const { world, member } = await pi(4)
    const side = await forged(world, member, 'a')

    side.frame(type, NOTHING)

    assert.is(side.violation, 'PROTOCOL_VIOLATION', `type ${type}`)
  }
})

test('an acknowledgement that is not of the oldest part in flight is refused', async () => {
  const cases = [
    { round: 1, part: 2, arrival: 0, vector: [] },
    { round: 2, part: 1, arrival: 0, vector: [] },
  ]
  for (const ack of cases) {
    const { world, member } = await pi(5)
    const side = await forged(world, member, 'a')
    side.frame(RELAY_ACK, encodeAck(ack))
    assert.is(side.violation, 'PROTOCOL_VIOLATION')
  }
  const { world, member } = await pi(5)
  const side = await forged(world, member, 'a')
  const ack = encodeAck({ round: 1, part: 1, arrival: 0, vector: [] })
  side.frame(RELAY_ACK, ack)
  assert.is(side.violation, undefined)
  side.frame(RELAY_ACK, ack)
  assert.is(side.violation, 'PROTOCOL_VIOLATION')
})

test('a mark that was not asked is not answered, and more than the limit are not taken', async () => {
  const { world, member } = await pi(6)
  const liar = await forged(world, member, 'a')
  liar.frame(RELAY_MARKED, encodeMark(1))
  assert.is(liar.violation, 'PROTOCOL_VIOLATION')

  const asker = await forged(world, member, 'a')
  for (let id = 1; id <= limits.relayMarksMax; id++) asker.frame(RELAY_MARK, encodeMark(id))
  assert.is(asker.violation, undefined)
  asker.frame(RELAY_MARK, encodeMark(limits.relayMarksMax + 1))
  assert.is(asker.violation, 'PROTOCOL_VIOLATION')
})

test('every truncated body is a violation, and nothing of it is applied', async () => {
  const world = new ExchangeWorld(7)
  const a = await world.member('a')
  await world.write(a, 1, 'one')
  const whole = data(await itemsOf(world, a))
  const bodies: [number, Uint8Array][] = [
    [RELAY_DATA, whole],
    [RELAY_ACK, encodeAck({ round: 1, part: 1, arrival: 0, vector: [...a.space.replica.vector().values()] })],
    [RELAY_TEAM, encodeBlobs([derive('entry')])[0] ?? NOTHING],
    [RELAY_ANNOUNCE, encodeBlobs([announcement('a')])[0] ?? NOTHING],
    [RELAY_MARK, encodeMark(1)],
    [RELAY_SPOILED, encodeSpoiled({ round: 1, part: 1, code: 'QUOTA', text: '' })],
  ]
  const member = await world.member('pi')
  for (const [type, body] of bodies) {
    for (const length of [1, 9, body.length - 1]) {
      if (length >= body.length) continue
      const side = await forged(world, member, 'a')
      side.frame(type, body.subarray(0, length))
      await world.rest()
      assert.is(side.violation, 'PROTOCOL_VIOLATION', `type ${type} cut to ${length}`)
    }
  }
  assert.is(member.space.replica.liveEnvelopes, 0)
})

test('more messages, parts and bytes than the limits are refused', async () => {
  const { world, member } = await pi(8)
  const blob = encodeBlobs([announcement('a')])[0] ?? NOTHING
  const steps = await forged(world, member, 'a')
  for (let n = 0; n <= limits.relayStepsMax; n++) steps.frame(RELAY_ANNOUNCE, blob)
  assert.is(steps.violation, undefined)
  steps.frame(RELAY_ANNOUNCE, blob)
  assert.is(steps.violation, 'PROTOCOL_VIOLATION')

  const parts = await forged(world, member, 'a')
  for (let n = 1; n <= limits.relayPartsInFlightMax; n++) parts.frame(RELAY_DATA, data([], { round: n }))
  assert.is(parts.violation, undefined)
  parts.frame(RELAY_DATA, data([], { round: 99 }))
  assert.is(parts.violation, 'PROTOCOL_VIOLATION')

  const bytes = await forged(world, member, 'a')
  const item: PartItem = { kind: 'commit', bytes: new Uint8Array(500_000) }
  const piece = data([item], { partEnd: false, roundEnd: false })
  for (let n = 0; n < 12; n++) bytes.frame(RELAY_DATA, piece)
  assert.is(bytes.violation, undefined)
  bytes.frame(RELAY_DATA, piece)
  assert.is(bytes.violation, 'PROTOCOL_VIOLATION')

  const entries = Array.from({ length: limits.announcementsMax + 1 }, (_, n) => {
    return { replicaId: derive(`replica ${n}`, 8), seq: 1, commitHash: derive('hash') }
  })
  const vectors = new Side(member, 'a')
  vectors.exchange.start()
  vectors.frame(RELAY_HELLO, encodeHello(strangeHello()))
  for (const body of encodeVector(entries)) vectors.frame(RELAY_VECTOR, body)
  assert.is(vectors.violation, 'PROTOCOL_VIOLATION')
})

test('the pieces of a part name it alike, and parts come in order', async () => {
  const piece = { partEnd: false, roundEnd: false }
  const orders: [Partial<Parameters<typeof data>[1]>, Partial<Parameters<typeof data>[1]>][] = [
    [{ ...piece }, { part: 2 }],
    [{ ...piece }, { round: 2 }],
    [{ ...piece }, { upTo: 2 }],
    [{}, {}],
    [{ round: 2 }, { round: 1, part: 9 }],
  ]
  for (const [first, second] of orders) {
    const { world, member } = await pi(9)
    const side = await forged(world, member, 'a')
    side.frame(RELAY_DATA, data([], first))
    assert.is(side.violation, undefined)

    side.frame(RELAY_DATA, data([], second))

    assert.is(side.violation, 'PROTOCOL_VIOLATION', JSON.stringify([first, second]))
  }
})

test('the pieces of a part give no credit back while another part is applied, and all of it later', async () => {
  const { world, member } = await pi(10)
  const side = await forged(world, member, 'a')
  const before = side.creditBack
  const item: PartItem = { kind: 'commit', bytes: new Uint8Array(1_000) }
  const whole = data([])
  const piece = data([item], { round: 2, partEnd: false, roundEnd: false })

  side.frame(RELAY_DATA, whole)
  side.frame(RELAY_DATA, piece)
  const busy = side.creditBack - before
  await world.rest()
  const idle = side.creditBack - before
  side.frame(RELAY_DATA, piece)

  assert.is(busy, 0)
  assert.is(idle, whole.length + piece.length)
  assert.is(side.creditBack - before, whole.length + 2 * piece.length)
})

test('a part that is whole a minute after it began is taken; one that is not ends the connection with TIMEOUT', async () => {
  const piece = { partEnd: false, roundEnd: false }
  for (const late of [false, true]) {
    const { world, member } = await pi(12)
    const side = await forged(world, member, 'a')
    side.frame(RELAY_DATA, data([], piece))
    await world.simulation.pass(limits.relayPartMs / 2)
    side.frame(RELAY_DATA, data([], piece))
    await world.simulation.pass(limits.relayPartMs / 2 - 1)
    assert.is(side.violation, undefined)
    if (late) await world.simulation.pass(1)
    side.frame(RELAY_DATA, data([]))
    await world.simulation.pass(2 * limits.relayPartMs)

    assert.is(side.violation, late ? 'TIMEOUT' : undefined)
    assert.is(side.count(RELAY_ACK), late ? 0 : 1)
  }
})

test('what the sender could have checked spoils the round, and nothing after it is applied', async () => {
  const world = new ExchangeWorld(11)
  const b = await world.member('b')
  await world.write(b, 2, 'from b')
  const fine = await itemsOf(world, b)
  const reader = await world.member('reader')
  await world.write(reader, 1, 'not allowed')
  const c = await world.member('c')
  await world.write(c, 1, 'nobody announced me')
  const forgery = fine.map((item): PartItem => {
    if (item.kind !== 'commit') return item
    const bytes = item.bytes.slice()
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
    return { ...item, bytes }
  })
  const tampered = fine.map((item): PartItem => {
    if (item.kind !== 'envelope') return item
    const bytes = item.bytes.slice()
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
    return { ...item, bytes }
  })

  const cases: [string, PartItem[]][] = [
    ['FORBIDDEN', await itemsOf(world, reader)],
    ['UNKNOWN_REPLICA', await itemsOf(world, c)],
    ['BAD_SIGNATURE', tampered],
  ]
  for (const [code, items] of cases) {
    const member = await world.member('pi')
    const side = await forged(world, member, 'a')

    side.frame(RELAY_DATA, data(items, { upTo: 1 }))
    side.frame(RELAY_DATA, data(fine, { round: 2, upTo: 2 }))
    await world.rest()
    side.frame(RELAY_DATA, data(fine, { round: 3, upTo: 3 }))
    await world.rest()

    const spoiled = side.sent.find(({ type }) => type === RELAY_SPOILED)
    assert.ok(spoiled, code)
    const { round, part, code: told } = parseSpoiled(spoiled.body)
    assert.equal([round, part, told], [1, 1, code])
    assert.is(side.ended?.code, code)
    assert.is(side.count(RELAY_ACK), 0)
    assert.is(member.space.replica.liveEnvelopes, 0)
    assert.is(member.space.replica.vector().size, 0)
    assert.is(member.space.replica.cursor(device('a').keys.signKey), undefined)
  }
  const member = await world.member('pi')
  const side = await forged(world, member, 'a')
  side.frame(RELAY_DATA, data(forgery))
  await world.rest()
  assert.ok(side.ended !== undefined && member.space.replica.liveEnvelopes === 0)
})

test('a log entry that does not verify ends the exchange, and the next message is not looked at', async () => {
  const world = new ExchangeWorld(12)
  const b = await world.member('b')
  await world.write(b, 2, 'from b')
  const member = await world.member('pi')
  const side = await forged(world, member, 'a')
  const forgery = announcement('newcomer').slice()
  forgery[forgery.length - 1] = (forgery.at(-1) ?? 0) ^ 1

  side.frame(RELAY_ANNOUNCE, encodeBlobs([forgery])[0])
  side.frame(RELAY_DATA, data(await itemsOf(world, b)))
  await world.rest()

  assert.is(side.ended?.code, 'BAD_SIGNATURE')
  assert.is(member.space.replica.liveEnvelopes, 0)
})

test('a refusal of the peer ends the exchange, and no part follows', async () => {
  const world = new ExchangeWorld(13)
  const a = await world.member('a')
  const side = await forged(world, a, 'pi')
  const before = side.count(RELAY_DATA)

  side.frame(RELAY_SPOILED, encodeSpoiled({ round: 1, part: 1, code: 'QUOTA', text: 'full' }))
  await world.write(a, 1, 'late')
  side.exchange.pump()
  side.exchange.teamChanged()
  side.exchange.mark(1)
  side.turn(() => side.exchange.writable())
  await world.rest()

  assert.is(side.ended?.code, 'QUOTA')
  assert.is(side.ended?.details['byPeer'], true)
  assert.is(side.count(RELAY_DATA), before)
  assert.is(side.count(RELAY_MARK), 0)
})

test('a peer that shows another history of this device is sent nothing', async () => {
  for (const seq of [1, 2]) {
    const world = new ExchangeWorld(14)
    const a = await world.member('a')
    await world.write(a, 1, 'one')
    const side = new Side(a, 'pi')
    side.exchange.start()
    side.frame(RELAY_HELLO, encodeHello(strangeHello()))

    const shownHead = { replicaId: replicaId('a'), seq, commitHash: derive('another history') }
    side.frame(RELAY_VECTOR, encodeVector([shownHead])[0])
    side.frame(RELAY_READY)
    await world.rest()

    assert.is(side.ended?.code, 'FORKED')
    assert.is(side.count(RELAY_DATA), 0)
    assert.equal(shown(a, 1), ['one'])
  }
})

test.run()
