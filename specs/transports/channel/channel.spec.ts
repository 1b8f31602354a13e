/** Two honest ends of a channel: messages, credit, fairness and bounds. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { createChance, limits } from '../../../runtime/index.ts'
import { bytes, channels, createWorld, ends, stream, tampered, watchChannel } from './channel-world.ts'

const seed = Number(process.env['SEED'] ?? Math.trunc(Math.random() * 2 ** 31))
console.log(`seed ${seed}; repeat with SEED=${seed}`)

const OPEN = 8
const RESET = 9
const DATA = 21
const MIB = 1024 * 1024

test('messages of every size arrive whole and in order on their streams', async () => {
  const e = await ends(seed)
  const random = createChance(seed)
  const sizes = [
    0,
    1,
    limits.fragmentBytesMax - 1,
    limits.fragmentBytesMax,
    limits.fragmentBytesMax + 1,
    65_509,
    65_510,
    MIB,
  ]
  const ids = [await stream(e), await stream(e), await stream(e)]
  const sent = ids.map((): Uint8Array[] => [])
  e.acceptor.attach({
    message: (id, type, body) => {
      e.there.messages.push({ stream: id, type, body })
      e.acceptor.consumed(id, body.length)
    },
    writable: () => undefined,
    closed: (error) => e.there.closed.push(error?.code),
  })

  for (let n = 0; n < 60; n++) {
    const lane = Math.floor(random() * ids.length)
    const size = n < sizes.length ? (sizes[n] ?? 0) : Math.floor(random() ** 4 * 200_000)
    const body = bytes(size, n)
    e.dialler.send(ids[lane] ?? 0, DATA, body)
    sent[lane]?.push(body)
    if (random() < 0.3) await e.settle()
  }
  await e.settle()

  assert.equal(e.there.closed, [])
  ids.forEach((id, lane) => {
    const got = e.there.messages.filter((message) => message.stream === id).map(({ body }) => body)
    assert.is(got.length, sent[lane]?.length)
    got.forEach((body, n) => assert.ok(Buffer.from(body).equals(sent[lane]?.[n] ?? new Uint8Array(1))))
  })
})

test('a message above 1 MiB, a wrong type and a wrong stream are TypeErrors, and nothing is sent', async () => {
  const e = await ends()
  const id = await stream(e)

  assert.throws(() => e.dialler.send(id, DATA, new Uint8Array(MIB + 1)), TypeError)
  for (const [lane, type] of [
    [0, DATA],
    [id, 6],
    [id, 1],
    [0, 4],
    [id, 5],
    [id, 12],
    [id, 256],
    [0, RESET],
  ] as const) {
    assert.throws(() => e.dialler.send(lane, type, bytes(1)), TypeError, `${lane} ${type}`)
  }
  assert.throws(() => e.dialler.send(id, OPEN, bytes(16)), TypeError, 'opened twice')
  assert.throws(() => e.acceptor.open(), TypeError)
  assert.is(e.dialler.queuedBytes(id), 0)
})

test('without credit a stream waits, others do not, and the credit that comes back lets it go on', async () => {
  const e = await ends()
  const [first, second] = [await stream(e), await stream(e)]

  for (let n = 0; n < 4; n++) {
    e.dialler.send(first, DATA, bytes(MIB / 4, n))
    await e.settle()
  }
  assert.is(e.dialler.send(first, DATA, bytes(10)), false)
  assert.ok(e.dialler.send(second, DATA, bytes(10)))
  await e.settle()
  assert.is(e.there.messages.filter((message) => message.stream === first).length, 4)
  assert.is(e.there.messages.filter((message) => message.stream === second).length, 1)
  assert.ok(e.dialler.queuedBytes(first) > 0)
  e.here.writable.length = 0
  e.acceptor.consumed(first, MIB / 4)
  await e.settle()

  assert.is(e.there.messages.length, 6)
  assert.equal(e.here.writable, [first])
  assert.is(e.dialler.queuedBytes(first), 0)
})

test('messages of 1 MiB follow each other as fast as they are consumed, in both directions', async () => {
  const e = await ends()
  const id = await stream(e)
  let got = 0
  for (const end of [e.dialler, e.acceptor]) {
    end.attach({
      message: (lane, _, body) => {
        got++
        // In pieces, as parts are applied.
        for (let left = body.length; left > 0; left -= MIB / 16) end.consumed(lane, MIB / 16)
      },
      writable: () => undefined,
      closed: (error) => assert.unreachable(String(error)),
    })
  }

  for (let n = 0; n < 6; n++)
    for (const end of [e.dialler, e.acceptor]) end.send(id, DATA, new Uint8Array(MIB))
  await e.settle()

  assert.is(got, 12)
})

test('giving back more than came is a bug, and asserted', async () => {
  const e = await ends()
  const id = await stream(e)
  e.dialler.send(id, DATA, bytes(10))
  await e.settle()

  assert.throws(() => e.acceptor.consumed(id, 11), /consumed 11 bytes/)
  e.acceptor.consumed(id, 10)
  assert.throws(() => e.acceptor.consumed(id, 1), /where 0 came/)
})

test('a sender above the mark of its stream is told to wait, and told when there is room', async () => {
  const e = await ends()
  const id = await stream(e)

  assert.ok(e.dialler.writable(id))
  assert.ok(e.dialler.send(id, DATA, bytes(limits.streamQueueHighBytes - 10)))
  assert.is(e.dialler.send(id, DATA, bytes(1)), false)
  assert.not.ok(e.dialler.writable(id))
  await e.settle()

  assert.equal(e.here.writable, [id])
  assert.ok(e.dialler.writable(id))
})

test('8 MiB of queued messages are sent, one byte more closes the channel with OVERLOADED on both sides', async () => {
  for (const extra of [0, 1]) {
    const e = await ends()
    const ids: number[] = []
    for (let n = 0; n < 8; n++) ids.push(await stream(e))

    // In one tick, so that nothing leaves in between; a head of 10 bytes each.
    for (const id of ids) e.dialler.send(id, DATA, new Uint8Array(MIB - 10 + (id === ids[7] ? extra : 0)))
    await e.settle()

    assert.equal(e.there.messages.length, extra === 0 ? 8 : 0)
    assert.equal([e.here.closed, e.there.closed], extra === 0 ? [[], []] : [['OVERLOADED'], ['OVERLOADED']])
  }
})

test('a peer that reads nothing leaves the rest queued here, not in the link', async () => {
  const world = createWorld()
  const { dialler, acceptor } = await channels(world)
  watchChannel(dialler)
  const ids = [dialler.open(), dialler.open(), dialler.open(), dialler.open()]

  for (const id of ids) {
    dialler.send(id, OPEN, bytes(16))
    dialler.send(id, DATA, new Uint8Array(MIB))
  }
  await world.simulation.pass(1_000)
  const queued = ids.reduce((sum, id) => sum + dialler.queuedBytes(id), 0)
  const there = watchChannel(acceptor)
  await world.simulation.pass(1_000)

  const inLink = 4 * MIB - queued
  assert.ok(inLink > 0 && inLink < limits.linkHighWaterBytes + 2 * limits.recordBytesMax, `${inLink}`)
  assert.is(there.messages.filter(({ type }) => type === DATA).length, 4)
})

test('six streams with a message of 1 MiB each stay within what the peer gathers at once', async () => {
  const e = await ends()
  const ids: number[] = []
  for (let n = 0; n < 6; n++) ids.push(await stream(e))

  for (const id of ids) e.dialler.send(id, DATA, new Uint8Array(MIB))
  await e.settle()

  assert.equal(e.there.closed, [])
  assert.equal(
    e.there.messages.map((message) => message.stream),
    ids,
  )
})

test('control goes ahead of all streams, and a small message does not wait for a large one', async () => {
  const e = await ends()
  const [bulk, live] = [await stream(e), await stream(e)]

  e.dialler.send(bulk, DATA, new Uint8Array(MIB))
  e.dialler.send(live, DATA, bytes(100))
  e.dialler.send(0, 6, bytes(20))
  await e.settle()

  assert.equal(
    e.there.messages.map((message) => message.stream),
    [0, live, bulk],
  )
})

test('the messages of a tick share records', async () => {
  const records: number[] = []
  const e = await ends(1, ([near, far]) => [
    tampered(near, (record) => {
      records.push(record.length)
      return record
    }),
    far,
  ])
  const id = await stream(e)
  records.length = 0

  for (let n = 0; n < 100; n++) e.dialler.send(id, DATA, bytes(50))
  await e.settle()

  assert.equal(records, [100 * 60 + 16])
  assert.is(e.there.messages.length, 100)
  assert.is(e.dialler.counters.messagesSent, 101)
  assert.is(e.acceptor.counters.messagesReceived, 101)
  assert.is(e.acceptor.counters.bytesReceived, e.dialler.counters.bytesSent)
})

test('records fill up to the limit and never pass it', async () => {
  const records: number[] = []
  const e = await ends(1, ([near, far]) => [
    tampered(near, (record) => {
      records.push(record.length)
      return record
    }),
    far,
  ])
  const id = await stream(e)

  e.dialler.send(id, DATA, new Uint8Array(MIB))
  await e.settle()

  assert.ok(records.every((length) => length <= limits.recordBytesMax))
  assert.ok(records.filter((length) => length > limits.recordBytesMax - 20).length >= 15, String(records))
})

test('messages that came before attach are delivered at attach', async () => {
  const world = createWorld()
  const { dialler, acceptor } = await channels(world)

  dialler.send(0, 6, bytes(3))
  await world.simulation.pass(50)
  const seen = watchChannel(acceptor)
  await world.simulation.pass(50)

  assert.is(seen.messages.length, 1)
})

test.run()
