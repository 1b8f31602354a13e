/** Bounds of one end of a channel, each at its limit and one above: answers that wait, silence, and texts of errors. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { limits } from '../../../runtime/index.ts'
import { encodeErrorBody, parseErrorBody } from '../../../transports/channel/error-body.ts'
import { byeCode, frame, hostile, MIB } from './plain-peer.ts'
import type { Hostile } from './plain-peer.ts'

const PING = 1
const BYE = 4
const RESPONSE = 7
const HEAD_BYTES = 10

test('answers that a peer does not read: 4 MiB wait, one byte more is OVERLOADED', async () => {
  for (const extra of [0, 1]) {
    const h = await hostile()
    h.peer.pause()

    // In one tick, so that nothing leaves in between.
    for (let n = 0; n < 4; n++)
      h.channel.send(0, RESPONSE, new Uint8Array(MIB - HEAD_BYTES + (n === 3 && extra === 1 ? extra : 0)))
    await h.world.simulation.pass(10)

    assert.equal(h.seen.closed, extra === 0 ? [] : ['OVERLOADED'])
  }
})

test('on all streams together 4 MiB wait before every sender has to, and may go on at half of it', async () => {
  const h = await hostile('dialer')
  h.peer.pause()
  const ids = Array.from({ length: limits.channelQueueHighBytes / limits.streamQueueHighBytes }, () =>
    h.channel.open(),
  )
  const last = h.channel.open()
  const body = new Uint8Array(limits.streamQueueHighBytes - HEAD_BYTES)

  assert.ok(ids.every((id) => h.channel.send(id, 21, body)))
  assert.is(h.channel.writable(last), true)
  assert.is(h.channel.send(last, 21, new Uint8Array(0)), false)
  assert.equal(h.seen.writable, [])
  h.peer.resume()
  await h.world.simulation.pass(100)

  assert.equal(h.seen.writable, [last])
})

/** Milliseconds after the last word of the peer at which it was pinged, and at which it was given up. */
async function silence(h: Hostile): Promise<{ pings: number[]; endMs: number }> {
  const pings: number[] = []
  const { simulation } = h.world
  let seen = 0
  let ms = 0
  for (; h.seen.closed.length === 0 && ms < 2 * limits.silenceMs; ms++) {
    const count = h.got.filter(({ type }) => type === PING).length
    if (count > seen) pings.push(ms)
    seen = count
    await simulation.pass(1)
  }
  return { pings, endMs: ms }
}

const near = (ms: number | undefined, expected: number): boolean =>
  ms !== undefined && Math.abs(ms - expected) <= 2

test('a peer that says nothing is pinged after 15 s and after 30 s, and given up after 40 s', async () => {
  const h = await hostile()
  const { pings, endMs } = await silence(h)

  assert.is(pings.length, 2)
  assert.ok(near(pings[0], limits.pingIntervalMs) && near(pings[1], 2 * limits.pingIntervalMs), pings.join())
  assert.ok(near(endMs, limits.silenceMs), `${endMs} ms`)
  assert.equal(h.seen.closed, ['LINK_CLOSED'])
})

test('a word in the last moment is a word: the silence is counted from there', async () => {
  const h = await hostile()
  await h.world.simulation.pass(limits.silenceMs - 10)
  h.peer.send(frame(PING, 0, new Uint8Array(8)))
  await h.world.simulation.pass(5)
  assert.equal(h.seen.closed, [])

  assert.ok(near((await silence(h)).endMs, limits.silenceMs - 5))
})

test('the text of an error has 512 bytes: a longer one is cut at a whole character, and refused when it comes', async () => {
  const most = 'x'.repeat(limits.wireTextBytesMax)
  assert.equal(parseErrorBody(encodeErrorBody(7, most), 'bye'), { number: 7, text: most })
  assert.equal(parseErrorBody(encodeErrorBody(7, `${most}x`), 'bye'), { number: 7, text: most })
  assert.is(parseErrorBody(encodeErrorBody(7, `${most.slice(1)}ä`), 'bye').text, most.slice(1))

  const body = (length: number): Uint8Array => new Uint8Array(2 + length).fill(0x78, 2)
  const exact = await hostile()
  await exact.say(frame(BYE, 0, body(limits.wireTextBytesMax)))
  assert.equal(exact.seen.closed, [undefined])
  const over = await hostile()
  await over.say(frame(BYE, 0, body(limits.wireTextBytesMax + 1)))
  assert.equal(over.seen.closed, ['PROTOCOL_VIOLATION'])
  assert.is(byeCode(over), 3)
})

test.run()
