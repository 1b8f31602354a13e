/** How much memory a message keeps alive that its receiver holds on to, and whose bytes it sees. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { Inbox } from '../../../transports/channel/inbox.ts'
import { FRAME_HEADER_BYTES, frameType, layFrame } from '../../../transports/channel/frame.ts'
import { StreamTable } from '../../../transports/channel/stream.ts'

const RELAY = 21

/** The bodies of relay messages of so many bytes, all in one record on one stream, as their receiver gets them. */
function bodiesOf(lengths: readonly number[]): { record: Uint8Array; bodies: Uint8Array[] } {
  const parts = [{ type: frameType.open as number, body: new Uint8Array(16) }]
  for (const [index, length] of lengths.entries())
    parts.push({ type: RELAY, body: new Uint8Array(length).fill(index + 1) })
  const record = new Uint8Array(parts.reduce((sum, { body }) => sum + FRAME_HEADER_BYTES + body.length, 0))
  let at = 0
  for (const { type, body } of parts) at = layFrame(record, at, { type, more: false, stream: 1 }, body)
  const bodies: Uint8Array[] = []
  const streams = new StreamTable('acceptor')
  new Inbox(streams, {
    message: (_stream, type, body) => {
      if (type === RELAY) bodies.push(body)
    },
    own: () => undefined,
    ended: () => undefined,
    alive: () => true,
  }).read(record)
  return { record, bodies }
}

const lengths = [1, 63, 65, 500, 511, 512, 513, 1_024, 2_048, 2_049, 4_000, 4_096, 8_192, 16_369]

test('a message that is kept holds at most 16 times its bytes, or 64 of them on the heap', () => {
  for (const length of lengths) {
    const filler = Array.from({ length: Math.floor((64_000 - length) / 1_010) }, () => 1_000)
    const [body] = bodiesOf([length, ...filler]).bodies
    assert.ok(body !== undefined)
    assert.is(body.length, length)
    assert.ok(
      body.buffer.byteLength <= Math.max(64, 16 * length),
      `${length} bytes hold ${body.buffer.byteLength}`,
    )
  }
})

test('a message that is most of its record is handed out where it was decrypted', () => {
  const { record, bodies } = bodiesOf([16_000])
  assert.is(bodies[0]?.buffer, record.buffer)
})

test('messages of one record keep their own bytes, whichever way they are handed out', () => {
  const { bodies } = bodiesOf(lengths)
  assert.equal(
    bodies.map((body) => [body.length, ...new Set(body)]),
    lengths.map((length, index) => [length, index + 1]),
  )
  // Written over by its receiver, none changes another.
  for (const [index, body] of bodies.entries()) body.fill(100 + index)
  for (const [index, body] of bodies.entries()) assert.equal([...new Set(body)], [100 + index])
})

test.run()
