/** One end of a channel against a peer that writes its own frames: each bound at its limit and one above. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { concatBytes, limits, readU32 } from '../../../runtime/index.ts'
import { byeCode, DATA, fragments, frame, hostile, MIB, OPEN, u32 } from './plain-peer.ts'

test('frames that are none end the channel with PROTOCOL_VIOLATION and a bye that says so', async () => {
  const empty = new Uint8Array(0)
  const cases: [string, Uint8Array][] = [
    ['a cut head', frame(6, 0, empty).subarray(0, 9)],
    ['a length that is too long', concatBytes([u32(7), frame(6, 0, empty).subarray(4)])],
    ['a length below the head', concatBytes([u32(5), frame(6, 0, empty).subarray(4)])],
    ['a length of 4 GiB', concatBytes([u32(0xffff_ffff), frame(6, 0, empty).subarray(4)])],
    ['bytes behind the last frame', concatBytes([frame(6, 0, empty), Uint8Array.of(0)])],
    ['unknown flags', frame(6, 0, empty, 2)],
    ['type 0', frame(0, 0, empty)],
    ['a second complete', frame(5, 0, empty)],
    ['an unknown type of the channel', frame(12, 0, empty)],
    ['a relay message on the control stream', frame(DATA, 0, empty)],
    ['a request on a stream', frame(6, 1, empty)],
    ['a bye on a stream', frame(4, 1, Uint8Array.of(0, 0))],
    ['a stream that is not open', frame(DATA, 1, empty)],
    ['stream 0 opened', frame(OPEN, 0, empty)],
    ['an open in fragments', frame(OPEN, 1, empty, 1)],
    ['a ping of 7 bytes', frame(1, 0, new Uint8Array(7))],
    ['a pong of 9 bytes', frame(2, 0, new Uint8Array(9))],
    ['a bye of 1 byte', frame(4, 0, new Uint8Array(1))],
    ['an ill-formed text in a bye', frame(4, 0, Uint8Array.of(0, 1, 0xff))],
    ['a credit for the control stream', frame(3, 0, u32(1))],
    ['a fragment of a ping', frame(1, 0, new Uint8Array(8), 1)],
    ['an empty fragment', frame(6, 0, empty, 1)],
    ['a rekey on a stream', frame(10, 1, empty)],
    ['a rekey with a body', frame(10, 0, Uint8Array.of(0))],
    ['two rekeys in a record', concatBytes([frame(10, 0, empty), frame(10, 0, empty)])],
    ['a rekey behind a ping', concatBytes([frame(1, 0, new Uint8Array(8)), frame(10, 0, empty)])],
  ]
  for (const [what, bytes] of cases) {
    const h = await hostile()
    await h.say(bytes)
    assert.equal(h.seen.closed, ['PROTOCOL_VIOLATION'], what)
    assert.is(byeCode(h), 3, what)
  }
})

test('a stream opened twice, and one opened by the side that may not, are violations', async () => {
  const twice = await hostile()
  await twice.say(frame(OPEN, 1, new Uint8Array(16)), frame(OPEN, 1, new Uint8Array(16)))
  assert.equal(twice.seen.closed, ['PROTOCOL_VIOLATION'])

  const server = await hostile('dialer')
  await server.say(frame(OPEN, 1, new Uint8Array(16)))
  assert.equal(server.seen.closed, ['PROTOCOL_VIOLATION'])
})

test('another message within one that has not ended is a violation, pings within one are not', async () => {
  const h = await hostile()
  await h.say(
    frame(OPEN, 1, new Uint8Array(16)),
    frame(DATA, 1, Uint8Array.of(1), 1),
    frame(1, 0, new Uint8Array(8)),
    frame(3, 1, u32(0)),
    frame(DATA, 1, Uint8Array.of(2)),
  )
  assert.equal(h.seen.messages.at(-1)?.body, Uint8Array.of(1, 2))
  assert.equal(h.seen.closed, [])

  await h.say(frame(DATA, 1, Uint8Array.of(1), 1), frame(DATA + 1, 1, Uint8Array.of(2)))
  assert.equal(h.seen.closed, ['PROTOCOL_VIOLATION'])
})

test('credit: 1 MiB may come, one byte more is a violation, and what was given back may come again', async () => {
  const open = frame(OPEN, 1, new Uint8Array(16))
  const exact = await hostile()
  await exact.say(open, ...fragments(1, MIB, true))
  assert.is(exact.seen.messages.at(-1)?.body.length, MIB)
  exact.channel.consumed(1, MIB)
  await exact.say()
  assert.equal(
    exact.got.map(({ type, body }) => [type, readU32(body, 0)]),
    [[3, MIB]],
  )
  await exact.say(...fragments(1, MIB, true))
  assert.equal(exact.seen.closed, [])
  await exact.say(frame(DATA, 1, new Uint8Array(1)))
  assert.equal(exact.seen.closed, ['PROTOCOL_VIOLATION'])

  const empty = await hostile()
  await empty.say(open, ...fragments(1, MIB, true), frame(DATA, 1, new Uint8Array(0)))
  assert.equal(empty.seen.closed, [], 'a message of no bytes needs no credit')
})

test('more credit than a window is a violation', async () => {
  const h = await hostile()
  await h.say(frame(OPEN, 1, new Uint8Array(16)))
  h.channel.send(1, DATA, new Uint8Array(100))
  await h.say(frame(3, 1, u32(100)))
  assert.equal(h.seen.closed, [])
  await h.say(frame(3, 1, u32(1)))
  assert.equal(h.seen.closed, ['PROTOCOL_VIOLATION'])
})

test('a message: 1 MiB may come, one byte more is FRAME_TOO_LARGE', async () => {
  const exact = await hostile()
  await exact.say(...fragments(0, MIB, true, 6))
  assert.is(exact.seen.messages[0]?.body.length, MIB)
  assert.equal(exact.seen.closed, [])
  await exact.say(...fragments(0, MIB, false, 6), frame(6, 0, new Uint8Array(1)))
  assert.equal(exact.seen.closed, ['FRAME_TOO_LARGE'])
})

test('unfinished messages: 4 MiB may wait, one byte more is a violation', async () => {
  const h = await hostile()
  for (let id = 1; id <= 5; id++) await h.say(frame(OPEN, id, new Uint8Array(16)))
  for (let id = 1; id <= 4; id++) await h.say(...fragments(id, MIB, false))
  assert.equal(h.seen.closed, [])
  await h.say(frame(DATA, 1, new Uint8Array(0)))
  assert.is(h.seen.messages.at(-1)?.body.length, MIB)
  await h.say(...fragments(5, MIB, false))
  assert.equal(h.seen.closed, [])
  await h.say(frame(6, 0, new Uint8Array(1), 1))

  assert.equal(h.seen.closed, ['PROTOCOL_VIOLATION'])
})

test('streams: 1,024 may be open, one more is a violation, and an ended one makes room', async () => {
  const h = await hostile()
  const opens = Array.from({ length: limits.streamsMax }, (_, n) => frame(OPEN, n + 1, new Uint8Array(16)))
  await h.say(...opens)
  await h.say(frame(9, 7, Uint8Array.of(0, 1)), frame(OPEN, limits.streamsMax + 1, new Uint8Array(16)))
  assert.equal(h.seen.closed, [])
  await h.say(frame(OPEN, limits.streamsMax + 2, new Uint8Array(16)))
  assert.equal(h.seen.closed, ['PROTOCOL_VIOLATION'])
})

test('our own streams end at what the peer takes, with OVERLOADED', async () => {
  const h = await hostile('dialer')
  for (let n = 0; n < limits.streamsMax; n++) h.channel.open()

  assert.throws(() => h.channel.open(), /takes at most 1024 streams/)
})

test('a flood of pings is answered with the latest, not with a flood', async () => {
  const h = await hostile()
  const pings = Array.from({ length: 2_000 }, (_, n) => frame(1, 0, concatBytes([u32(0), u32(n)])))
  await h.say(concatBytes(pings))

  assert.equal(
    h.got.map(({ type, body }) => [type, readU32(body, 4)]),
    [[2, 1_999]],
  )
})

test('a peer that asks and does not read ends with OVERLOADED at the bound of the control queue', async () => {
  const h = await hostile()
  h.peer.pause()
  const answer = new Uint8Array(MIB)
  const fits = Math.floor(limits.controlQueueBytesMax / (MIB + 10))

  for (let n = 0; n < fits; n++) h.channel.send(0, 7, answer)
  await Promise.resolve()
  assert.equal(h.seen.closed, [])
  h.channel.send(0, 7, answer)
  await h.world.simulation.pass(10)

  assert.equal(h.seen.closed, ['OVERLOADED'])
})

test('frames for a stream that has ended are ignored', async () => {
  const h = await hostile()
  await h.say(frame(OPEN, 1, new Uint8Array(16)))
  h.channel.send(1, 9, Uint8Array.of(0, 0))
  await h.say(...fragments(1, MIB, false), frame(3, 1, u32(5)), frame(9, 1, Uint8Array.of(0, 0)))

  assert.equal(h.seen.closed, [])
  assert.equal(
    h.seen.messages.map(({ type }) => type),
    [OPEN],
  )
})

test.run()
