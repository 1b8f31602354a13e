/** A handshake that is damaged, cut, repeated or simply left alone ends in time, and never in a channel. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { createChance } from '../../../runtime/index.ts'
import { acceptChannel, dialChannel } from '../../../transports/index.ts'
import type { Link } from '../../../transports/index.ts'
import { accepting, codes, createWorld, settle, shake, tampered, watchChannel, xk } from './channel-world.ts'

const seed = Number(process.env['SEED'] ?? Math.trunc(Math.random() * 2 ** 31))
console.log(`seed ${seed}; repeat with SEED=${seed}`)

test('a silent server and a silent client are HANDSHAKE_TIMEOUT after exactly ten seconds', async () => {
  const world = createWorld()
  const [near, far] = await world.link()
  const start = world.simulation.now()

  assert.equal(await settle(world.simulation, dialChannel(near, xk(world.app))), {
    ok: false,
    code: 'HANDSHAKE_TIMEOUT',
  })
  const silentMs = world.simulation.now() - start
  assert.ok(silentMs >= 10_000 && silentMs < 10_010, `${silentMs} ms`)
  far.destroy()

  const [, silent] = await world.link()
  assert.equal(await settle(world.simulation, acceptChannel(silent, accepting(world.pi))), {
    ok: false,
    code: 'HANDSHAKE_TIMEOUT',
  })
})

test('the limit is absolute: a server that never decides is HANDSHAKE_TIMEOUT on both sides', async () => {
  const world = createWorld()

  const never = { authorize: (): Promise<never> => new Promise<never>(() => undefined) }
  assert.equal(codes(await shake(world, await world.link(), {}, never)), [
    'HANDSHAKE_TIMEOUT',
    'HANDSHAKE_TIMEOUT',
  ])
  const noKey = { psk: (): Promise<never> => new Promise<never>(() => undefined) }
  assert.equal(codes(await shake(world, await world.link(), { pattern: 'XXpsk3' }, noKey)), [
    'HANDSHAKE_TIMEOUT',
    'HANDSHAKE_TIMEOUT',
  ])
})

test('one bit flipped, bytes cut off or added, in any handshake record, and there is no channel', async () => {
  const random = createChance(seed)
  const world = createWorld(seed)
  const damage = (record: Uint8Array, kind: number): Uint8Array => {
    const at = Math.floor(random() * record.length)
    if (kind === 0) return record.map((byte, i) => (i === at ? byte ^ (1 << Math.floor(random() * 8)) : byte))
    return kind === 1 ? record.slice(0, Math.max(1, at)) : Uint8Array.of(...record, 7)
  }
  for (const pattern of ['XK', 'XXpsk3'] as const) {
    for (const message of [0, 1, 2, 3]) {
      for (let n = 0; n < 15; n++) {
        const [near, far] = await world.link()
        const index = message >> 1
        const hurt = (link: Link): Link =>
          tampered(link, (record, i) => (i === index ? damage(record, n % 3) : record))
        const links = message % 2 === 0 ? ([hurt(near), far] as const) : ([near, hurt(far)] as const)

        const { client, server } = await shake(world, links, { pattern })

        const where = `${pattern} message ${message} try ${n}`
        assert.not.ok(client.ok, where)
        // After *complete* the server cannot know yet; its channel ends when the client leaves.
        if (message < 3) assert.not.ok(server.ok, where)
        else if (server.ok) {
          const seen = watchChannel(server.value.channel)
          await world.simulation.pass(100)
          assert.equal(seen.closed, ['TRUNCATED'], where)
        }
        if (!client.ok && message > 0) assert.is.not(client.code, 'SERVER_KEY_MISMATCH', where)
      }
    }
  }
})

test('lost, doubled and swapped records of a handshake never look like a wrong key', async () => {
  const world = createWorld(seed)
  const counts: Record<string, number> = {}
  for (let n = 0; n < 100; n++) {
    for (const pattern of ['XK', 'XXpsk3'] as const) {
      world.network.setFaults({})
      const links = await world.link()
      world.network.setFaults({ loss: 0.1, duplicate: 0.2, reorder: 0.2, latencyMs: 5, jitterMs: 20 })
      const { client } = await shake(world, links, { pattern })
      const code = client.ok ? 'ok' : client.code
      counts[code] = (counts[code] ?? 0) + 1
      if (client.ok) client.value.channel.destroy()
    }
  }
  assert.equal(Object.keys(counts).toSorted(), ['HANDSHAKE_TIMEOUT', 'LINK_CLOSED', 'ok'])
})

test('a hello of another version, pattern or id length gets the plain refusal, and nothing else', async () => {
  const world = createWorld()
  const magic = [0x42, 0x4c, 0x5a]
  const hellos = [
    [...magic, 2, 1, 0],
    [...magic, 1, 3, 0],
    [...magic, 1, 1, 1, 9],
    [...magic, 1, 2, 0],
    [...magic, 1, 1, 0],
    [0x47, 0x45, 0x54],
    [0],
  ]
  for (const hello of hellos) {
    const [near, far] = await world.link()
    const got: Uint8Array[] = []
    let closed = 0
    near.attach({
      record: (bytes) => got.push(bytes.slice()),
      drain: () => undefined,
      closed: () => closed++,
    })
    near.send(Uint8Array.from(hello))

    const server = await settle(world.simulation, acceptChannel(far, accepting(world.pi)))
    await world.simulation.pass(10)

    assert.not.ok(server.ok)
    assert.equal(got, [Uint8Array.of(255, 1)], String(hello))
    assert.is(closed, 1)
  }
})

test('a replayed verify opens nothing', async () => {
  const world = createWorld()
  const recorded: Uint8Array[] = []
  const [near, far] = await world.link()
  const tap = tampered(near, (record) => {
    recorded.push(record.slice())
    return record
  })
  await shake(world, [tap, far])

  const [again, server] = await world.link()
  for (const record of recorded) again.send(record)
  const result = await settle(world.simulation, acceptChannel(server, accepting(world.pi)))

  assert.is(recorded.length, 2)
  assert.not.ok(result.ok)
})

test('a link that breaks during the handshake is LINK_CLOSED on both sides, not a wrong key', async () => {
  const world = createWorld()
  for (const lost of [0, 1]) {
    for (const side of [0, 1]) {
      const [near, far] = await world.link()
      const cut = (link: Link): Link =>
        tampered(link, (record, index) => {
          if (index !== lost) return record
          world.network.cut('pi')
          return undefined
        })
      const result = await shake(world, side === 0 ? [cut(near), far] : [near, cut(far)])
      assert.is(codes(result)[0], 'LINK_CLOSED')
    }
  }
})

test.run()
