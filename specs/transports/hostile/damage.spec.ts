// time limit: 60 s
/** Over real sockets: every truncation of what a client says in the handshake, and bits flipped at random; all bits in `every-damage-*`. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createChance } from '../../../runtime/index.ts'
import { dialChannel } from '../../../transports/index.ts'
import { codeOf } from '../../server/world.ts'
import { tampered } from '../channel/channel-world.ts'
import { messageLengths } from './every-damage.ts'
import { HostileWorld } from './hostile-world.ts'

const seed = Number(process.env['SEED'] ?? Math.trunc(Math.random() * 2 ** 31))
console.log(`seed ${seed}; repeat with SEED=${seed}`)
const chance = createChance(seed)
const FLIPS = 60
const world = new HostileWorld()
test.before(() => world.open())
test.after(() => world.close())

/** Each damage on a connection of its own, a few at a time. */
async function expectAllRefused(
  index: 0 | 1,
  damages: readonly ((record: Uint8Array) => Uint8Array)[],
): Promise<void> {
  const codes = new Set(index === 0 ? ['SERVER_KEY_MISMATCH', 'LINK_CLOSED'] : ['LINK_CLOSED'])
  await world.attack(damages.length, async () => {
    const rest = [...damages]
    const one = async (): Promise<void> => {
      for (let damage = rest.shift(); damage !== undefined; damage = rest.shift()) {
        const hurt = damage
        const link = tampered(await world.dial(), (record, at) => (at === index ? hurt(record) : record))
        const code = await codeOf(dialChannel(link, world.xk()))
        assert.ok(codes.has(code), code)
      }
    }
    await Promise.all([one(), one(), one(), one()])
  })
}

const cuts = (length: number): ((record: Uint8Array) => Uint8Array)[] =>
  Array.from({ length: length - 1 }, (_, kept) => (record) => record.slice(0, kept + 1))

const flips = (length: number): ((record: Uint8Array) => Uint8Array)[] =>
  Array.from({ length: FLIPS }, () => {
    const bit = Math.floor(chance() * length * 8)
    return (record) => record.with(bit >> 3, (record[bit >> 3] ?? 0) ^ (1 << (bit & 7)))
  })

test('every truncation of a hello, and flipped bits in it', async () => {
  const [length = 0] = await messageLengths('XK')
  await expectAllRefused(0, [...cuts(length), ...flips(length)])
})

test('every truncation of a verify, and flipped bits in it', async () => {
  const length = (await messageLengths('XK'))[2] ?? 0
  await expectAllRefused(1, [...cuts(length), ...flips(length)])
})

test.run()
