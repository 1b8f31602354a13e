/**
 * Every bit of every handshake message flipped, and every message cut at every byte, one at a time, each in a handshake of its own.
 *
 * Invariant: none is left out; how many there were is returned, for the spec to compare with the lengths of the messages.
 */
import * as assert from 'uvu/assert'
import type { Link } from '../../../transports/index.ts'
import { createWorld, shake, tampered, watchChannel } from '../channel/channel-world.ts'
import type { World } from '../channel/channel-world.ts'

type Pattern = 'XK' | 'XXpsk3'
type Damage = (record: Uint8Array) => Uint8Array

/** Hello, welcome, verify, complete. */
const MESSAGES = 4

/** Lengths of the four messages of an undamaged handshake. */
export async function messageLengths(pattern: Pattern): Promise<number[]> {
  const world = createWorld()
  const lengths: number[][] = [[], []]
  const [near, far] = await world.link()
  const measured = (link: Link, side: number): Link =>
    tampered(link, (record) => {
      lengths[side]?.push(record.length)
      return record
    })
  const { client, server } = await shake(world, [measured(near, 0), measured(far, 1)], { pattern })
  assert.ok(client.ok && server.ok)
  const [up = [], down = []] = lengths
  return [up[0] ?? 0, down[0] ?? 0, up[1] ?? 0, down[1] ?? 0]
}

export async function damageAll(pattern: Pattern): Promise<{ flips: number; cuts: number }> {
  const lengths = await messageLengths(pattern)
  let world = createWorld()
  let [flips, cuts] = [0, 0]
  for (let message = 0; message < MESSAGES; message++) {
    const length = lengths[message] ?? 0
    for (let bit = 0; bit < length * 8; bit++, flips++) {
      // A simulation remembers what it has seen.
      if (bit % 512 === 0) world = createWorld(bit)
      const at = bit >> 3
      await expectNoChannel(world, pattern, message, {
        what: `bit ${bit}`,
        damage: (record) => record.with(at, (record[at] ?? 0) ^ (1 << (bit & 7))),
      })
    }
    for (let kept = 1; kept < length; kept++, cuts++)
      await expectNoChannel(world, pattern, message, {
        what: `${kept} bytes kept`,
        damage: (record) => record.slice(0, kept),
      })
  }
  return { flips, cuts }
}

async function expectNoChannel(
  world: World,
  pattern: Pattern,
  message: number,
  { what, damage }: { what: string; damage: Damage },
): Promise<void> {
  const [near, far] = await world.link()
  const hurt = (link: Link): Link =>
    tampered(link, (record, index) => (index === message >> 1 ? damage(record) : record))
  const links = message % 2 === 0 ? ([hurt(near), far] as const) : ([near, hurt(far)] as const)
  const { client, server } = await shake(world, links, { pattern })
  const where = `${pattern} message ${message}, ${what}`
  assert.not.ok(client.ok, where)
  // After *complete* the server cannot know yet; its channel ends when the client leaves.
  if (message < 3) assert.not.ok(server.ok, where)
  else if (server.ok) {
    const seen = watchChannel(server.value.channel)
    await world.simulation.pass(100)
    assert.equal(seen.closed, ['TRUNCATED'], where)
  }
}
