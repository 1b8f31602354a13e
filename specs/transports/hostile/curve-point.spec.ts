// time limit: 60 s
/** Public keys that are no points of the curve, or not written as 65 bytes, wherever a client may put one. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { nodeCrypto } from '../../../runtime/index.ts'
import type { CryptoProvider } from '../../../runtime/index.ts'
import { dialChannel } from '../../../transports/index.ts'
import { codeOf } from '../../server/world.ts'
import { tampered } from '../channel/channel-world.ts'
import { expectRefusal, HostileWorld } from './hostile-world.ts'

const world = new HostileWorld()
test.before(() => world.open())
test.after(() => world.close())

const good = nodeCrypto.createP256(new Uint8Array(32).fill(9)).publicKey
/** p of P-256, which is no coordinate any more. */
const PRIME = Buffer.from('ffffffff00000001000000000000000000000000ffffffffffffffffffffffff', 'hex')

/** Each 65 bytes long, as the messages have room for. */
const points: Record<string, Uint8Array> = {
  'not on the curve': good.map((byte, at) => (at === 64 ? byte ^ 1 : byte)),
  'on another curve: (0, 1)': Uint8Array.of(4, ...new Uint8Array(63), 1),
  'a point of another curve with a small order: (0, 0)': Uint8Array.of(4, ...new Uint8Array(64)),
  'infinity, padded': new Uint8Array(65),
  'compressed, padded': Uint8Array.of(2 + ((good[64] ?? 0) & 1), ...good.slice(1, 33), ...new Uint8Array(32)),
  hybrid: Uint8Array.of(6 + ((good[64] ?? 0) & 1), ...good.slice(1)),
  'a coordinate that is not reduced': Uint8Array.of(4, ...PRIME, ...good.slice(33)),
  'all ones': new Uint8Array(65).fill(255),
}
/** Shorter than what a message has room for: what follows moves forward. */
const short: Record<string, Uint8Array> = {
  compressed: Uint8Array.of(2 + ((good[64] ?? 0) & 1), ...good.slice(1, 33)),
  'infinity in one byte': Uint8Array.of(0),
}
const HELLO_HEAD_BYTES = 6

test('as the ephemeral key of a hello: the plain refusal', async () => {
  const all = { ...points, ...short }
  await world.attack(Object.keys(all).length, async () => {
    for (const [what, point] of Object.entries(all)) {
      const attack = await world.link()
      const link = tampered(attack.link, (record) =>
        Uint8Array.of(...record.slice(0, HELLO_HEAD_BYTES), ...point, ...record.slice(HELLO_HEAD_BYTES + 65)),
      )
      assert.is(await codeOf(dialChannel(link, world.xk())), 'SERVER_KEY_MISMATCH', what)
      await attack.closed
      expectRefusal(attack)
      assert.is(attack.got().length, 6, what)
    }
  })
})

test('as the ephemeral key of a pairing: the plain refusal', async () => {
  const options = await world.pairing()
  await world.attack(Object.keys(points).length, async () => {
    for (const [what, point] of Object.entries(points)) {
      const attack = await world.link()
      const at = HELLO_HEAD_BYTES + 16
      const link = tampered(attack.link, (record) => {
        return Uint8Array.of(...record.slice(0, at), ...point, ...record.slice(at + 65))
      })
      const code = await codeOf(dialChannel(link, options))
      assert.ok(['CODE_INVALID', 'LINK_CLOSED'].includes(code), `${what}: ${code}`)
      await attack.closed
    }
  })
})

/** Names another public key than belongs to the static scalar. */
function lying(point: Uint8Array, own: Uint8Array): CryptoProvider {
  return {
    ...nodeCrypto,
    createP256(scalar) {
      const key = nodeCrypto.createP256(scalar)
      return Buffer.from(scalar).equals(own) ? { publicKey: point, dh: (peer) => key.dh(peer) } : key
    },
  }
}

test('as the static key of a verify, sealed for the server: the link ends without a word', async () => {
  await world.attack(Object.keys(points).length, async () => {
    for (const [what, point] of Object.entries(points)) {
      const options = world.xk()
      const crypto = lying(point, options.staticKey)
      assert.is(await codeOf(dialChannel(await world.dial(), { ...options, crypto })), 'LINK_CLOSED', what)
    }
  })
})

test.run()
