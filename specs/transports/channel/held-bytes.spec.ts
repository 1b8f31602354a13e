/** What all channels of a server hold together: at the bound, one byte above it, and who has to go. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { limits } from '../../../runtime/index.ts'
import { HeldBytes } from '../../../transports/channel/held-bytes.ts'
import { frame, hostile } from './plain-peer.ts'
import type { Hostile } from './plain-peer.ts'

const DATA = 21
const OPEN = 8
const HEAD_BYTES = 10
const MAX = 100_000

/** Channels of one server, each with a stream; their peers read nothing. */
async function server(count: number): Promise<{ held: HeldBytes; channels: Hostile[] }> {
  const held = new HeldBytes(MAX)
  const channels: Hostile[] = []
  for (let n = 0; n < count; n++) {
    const h = await hostile('acceptor', {
      held,
      ...(channels[0] === undefined ? {} : { world: channels[0].world }),
    })
    await h.say(frame(OPEN, 1, new Uint8Array(16)))
    h.peer.pause()
    channels.push(h)
  }
  return { held, channels }
}

const codes = (channels: readonly Hostile[]): string[] => channels.map(({ seen }) => String(seen.closed))

test('up to the bound all stay; one byte more, and the channel that holds most is ended with OVERLOADED', async () => {
  for (const extra of [0, 1]) {
    const { held, channels } = await server(3)
    const [small, most, last] = channels
    // In one tick, so that nothing leaves in between.
    small?.channel.send(1, DATA, new Uint8Array(20_000 - HEAD_BYTES))
    most?.channel.send(1, DATA, new Uint8Array(60_000 - HEAD_BYTES))
    last?.channel.send(1, DATA, new Uint8Array(20_000 - HEAD_BYTES + extra))
    assert.is(held.bytes, extra === 0 ? MAX : 40_001)
    await small?.world.simulation.pass(10)

    assert.equal(codes(channels), extra === 0 ? ['', '', ''] : ['', 'OVERLOADED', ''])
  }
})

test('messages that have begun to come count, until they are whole', async () => {
  const { held, channels } = await server(2)
  const [first, second] = channels
  await first?.say(frame(DATA, 1, new Uint8Array(50_000), 1))
  assert.is(held.bytes, 50_000)
  await second?.say(frame(DATA, 1, new Uint8Array(40_000), 1))
  await first?.say(frame(DATA, 1, new Uint8Array(10_000), 1))
  assert.is(held.bytes, MAX)
  assert.equal(codes(channels), ['', ''])

  await second?.say(frame(DATA, 1, new Uint8Array(1), 1))
  assert.equal(codes(channels), ['OVERLOADED', ''])
  await second?.say(frame(DATA, 1, new Uint8Array(1)))
  assert.is(held.bytes, 0)
})

test('a link that is full counts as its mark, until it drains', async () => {
  const held = new HeldBytes()
  const h = await hostile('acceptor', { held })
  await h.say(frame(OPEN, 1, new Uint8Array(16)))
  h.peer.pause()
  h.channel.send(1, DATA, new Uint8Array(2 * limits.linkHighWaterBytes))
  await h.world.simulation.pass(10)
  assert.ok(held.bytes > limits.linkHighWaterBytes, `${held.bytes} bytes`)

  h.peer.resume()
  await h.world.simulation.pass(1_000)
  assert.is(held.bytes, 0)
})

test('what a channel held is forgotten with its end', async () => {
  const { held, channels } = await server(1)
  channels[0]?.channel.send(1, DATA, new Uint8Array(50_000))
  assert.ok(held.bytes > 0)
  channels[0]?.channel.destroy()
  assert.is(held.bytes, 0)
})

test.run()
