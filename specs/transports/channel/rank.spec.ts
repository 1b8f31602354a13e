/** Which stream of a channel goes first: control, then live, catch-up and bulk; and that none waits for ever. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { limits } from '../../../runtime/index.ts'
import type { StreamRank } from '../../../transports/index.ts'
import { bytes, ends, stream } from './channel-world.ts'

const DATA = 21
const RESPONSE = 7

/** Sends all in one tick; resolves with the names in the order in which they had arrived whole. */
async function orderOf(
  ...messages: readonly (readonly [name: string, rank: StreamRank | 'control', size: number])[]
): Promise<string[]> {
  const e = await ends(1)
  const names = new Map<number, string>()
  const ids = new Map<string, number>()
  for (const [name, rank] of messages) {
    const id = rank === 'control' ? 0 : await stream(e)
    ids.set(name, id)
    names.set(id, name)
    if (rank !== 'control') e.dialler.rank(id, rank)
  }
  const before = e.there.messages.length
  for (const [name, rank, size] of messages)
    e.dialler.send(ids.get(name) ?? 0, rank === 'control' ? RESPONSE : DATA, bytes(size, 1))
  await e.settle()
  return e.there.messages.slice(before).map((message) => names.get(message.stream) ?? '?')
}

test('control goes before what is live, that before what catches up, that before bulk', async () => {
  const order = await orderOf(
    ['bulk', 'bulk', 300_000],
    ['catch-up', 'catchUp', 800_000],
    ['live', 'live', 1_000_000],
    ['control', 'control', 100],
  )

  assert.equal(order, ['control', 'live', 'catch-up', 'bulk'])
})

test('streams of one rank take turns', async () => {
  assert.equal(await orderOf(['long', 'bulk', 900_000], ['short', 'bulk', 100_000]), ['short', 'long'])
})

test('what is of a lower rank gets a sixteenth, and waits for nothing for ever', async () => {
  const live = limits.fragmentBytesMax * 60
  const two = limits.fragmentBytesMax + 10

  assert.equal(await orderOf(['bulk', 'bulk', two], ['live', 'live', live]), ['bulk', 'live'])
  const five = limits.fragmentBytesMax * 4 + 10
  assert.equal(await orderOf(['bulk', 'bulk', five], ['live', 'live', live]), ['live', 'bulk'])
})

test('a stream that waits may get another rank, and goes by that from then on', async () => {
  const e = await ends(2)
  const [first, second] = [await stream(e), await stream(e)]
  e.dialler.rank(first, 'bulk')
  e.dialler.rank(second, 'catchUp')
  const before = e.there.messages.length
  e.dialler.send(first, DATA, bytes(800_000, 1))
  e.dialler.send(second, DATA, bytes(300_000, 2))
  e.dialler.rank(first, 'live')
  await e.settle()

  assert.equal(
    e.there.messages.slice(before).map((message) => message.stream),
    [first, second],
  )
  e.dialler.rank(99, 'live')
})

test.run()
