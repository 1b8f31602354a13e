/** The handshake of the secure channel: who gets in, who does not, and what each side is told. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { BlazeError, createNodeEnv, nodeCrypto, toHex } from '../../../runtime/index.ts'
import {
  acceptChannel,
  createMemoryNetwork,
  createTlsTransport,
  dialChannel,
  refuseLink,
} from '../../../transports/index.ts'
import type { Link, Transport } from '../../../transports/index.ts'
import { codeOf, connect, until } from '../../contracts/transport.ts'
import {
  accepting,
  clientDevice,
  clientKey,
  codeId,
  codes,
  createWorld,
  pairing,
  psk,
  serverDevice,
  serverKey,
  settle,
  shake,
  watchChannel,
  xk,
} from './channel-world.ts'

const env = createNodeEnv()
const memory = createMemoryNetwork(env)
const tls = createTlsTransport(env)
const transports: readonly [
  string,
  Transport,
  Transport,
  { transport: 'memory' | 'tls'; host: string; port: 0 },
][] = [
  ['memory', memory.transport('pi'), memory.transport('app'), { transport: 'memory', host: 'pi', port: 0 }],
  ['tls', tls, tls, { transport: 'tls', host: '127.0.0.1', port: 0 }],
]

for (const [name, listening, dialling, endpoint] of transports) {
  for (const pattern of ['XK', 'XXpsk3'] as const) {
    test(`${pattern} over ${name}: both sides know each other, and talk`, async () => {
      const pair = await connect({ listening, dialling, endpoint })

      const options = pattern === 'XK' ? xk(env) : { ...pairing(env), expectServerKey: serverKey }
      const [{ channel, server }, accepted] = await Promise.all([
        dialChannel(pair.dialled, options),
        acceptChannel(pair.accepted, accepting(env)),
      ])

      assert.is(toHex(server.staticKey), toHex(serverKey))
      assert.is(toHex(server.deviceKey), toHex(serverDevice.publicKey))
      assert.equal(server.rights, { mayHost: true })
      assert.equal(server.pairing, Uint8Array.of(1, 2, 3))
      assert.ok(Math.abs(server.timeMs - env.now()) < 5_000)
      const { client } = accepted
      assert.is(toHex(client.staticKey), toHex(clientKey))
      assert.is(toHex(client.deviceKey), toHex(clientDevice.publicKey))
      assert.is(client.pattern, pattern)
      assert.is(toHex(client.id), pattern === 'XK' ? '' : toHex(codeId))
      assert.is(server.sessionId.length, 16)
      assert.is(toHex(channel.sessionId), toHex(accepted.channel.sessionId))

      const [here, there] = [watchChannel(channel), watchChannel(accepted.channel)]
      channel.send(0, 6, Uint8Array.of(42))
      await until(() => there.messages.length === 1, 'the request')
      accepted.channel.send(0, 7, Uint8Array.of(43))
      await until(() => here.messages.length === 1, 'the response')
      channel.close()
      await until(() => there.closed.length === 1, 'the bye')
      assert.equal(there.closed, [undefined])
      await pair.end()
    })
  }

  test(`over ${name}: a server with another key is SERVER_KEY_MISMATCH, and learns nothing of the client`, async () => {
    const pair = await connect({ listening, dialling, endpoint })
    let asked = 0
    const authorize = (): never => {
      asked++
      throw new Error('not reached')
    }

    const other = new Uint8Array(32).fill(99)
    const [client, server] = await Promise.all([
      codeOf(dialChannel(pair.dialled, xk(env))),
      codeOf(acceptChannel(pair.accepted, { ...accepting(env), staticKey: other, authorize })),
    ])

    assert.equal([client, server, asked], ['SERVER_KEY_MISMATCH', 'HANDSHAKE_FAILED', 0])
    await pair.end()
  })
}

test('a TLS session that is not the same at both ends is refused, unless both do without binding', async () => {
  const first = await connect({
    listening: tls,
    dialling: tls,
    endpoint: { transport: 'tls', host: '127.0.0.1', port: 0 },
  })
  const second = await connect({
    listening: tls,
    dialling: tls,
    endpoint: { transport: 'tls', host: '127.0.0.1', port: 0 },
  })
  // Somebody in the middle, with a TLS session to each.
  const splice = (a: Link, b: Link): void => {
    a.attach({ record: (bytes) => b.send(bytes.slice()), drain: () => undefined, closed: () => b.destroy() })
    b.attach({ record: (bytes) => a.send(bytes.slice()), drain: () => undefined, closed: () => a.destroy() })
  }
  splice(first.accepted, second.dialled)

  const [client, server] = await Promise.all([
    codeOf(dialChannel(first.dialled, xk(env))),
    codeOf(acceptChannel(second.accepted, accepting(env))),
  ])
  assert.equal([client, server], ['SERVER_KEY_MISMATCH', 'HANDSHAKE_FAILED'])
  await first.end()
  await second.end()

  const third = await connect({
    listening: tls,
    dialling: tls,
    endpoint: { transport: 'tls', host: '127.0.0.1', port: 0 },
  })
  const fourth = await connect({
    listening: tls,
    dialling: tls,
    endpoint: { transport: 'tls', host: '127.0.0.1', port: 0 },
  })
  splice(third.accepted, fourth.dialled)
  const [dialled] = await Promise.all([
    dialChannel(third.dialled, { ...xk(env), bound: false }),
    acceptChannel(fourth.accepted, { ...accepting(env), bound: false }),
  ])
  assert.ok(dialled.channel)
  await third.end()
  await fourth.end()
})

test('a wrong psk and an unknown code are CODE_INVALID, and neither is authorized', async () => {
  const world = createWorld()
  let asked = 0
  const authorize = (): { ok: true; mayHost: false; pairing: Uint8Array } => {
    asked++
    return { ok: true, mayHost: false, pairing: new Uint8Array(0) }
  }

  const wrong = { pattern: 'XXpsk3', psk: new Uint8Array(32).fill(8) } as const
  const unknown = { pattern: 'XXpsk3', id: new Uint8Array(16).fill(8) } as const

  assert.equal(codes(await shake(world, await world.link(), wrong, { authorize })), [
    'CODE_INVALID',
    'HANDSHAKE_FAILED',
  ])
  assert.equal(codes(await shake(world, await world.link(), unknown, { authorize })), [
    'CODE_INVALID',
    'CODE_INVALID',
  ])
  assert.is(asked, 0)
})

test('a code that names another server key than the server has is SERVER_KEY_MISMATCH', async () => {
  const world = createWorld()

  const result = await shake(world, await world.link(), { pattern: 'XXpsk3', expectServerKey: clientKey })

  assert.equal(codes(result), ['SERVER_KEY_MISMATCH', 'ok'])
})

test('what authorize refuses reaches the client with its exact code and text', async () => {
  const world = createWorld()
  for (const code of ['CODE_USED', 'CODE_EXPIRED', 'FORBIDDEN', 'NOT_A_MEMBER', 'BUSY', 'QUOTA'] as const) {
    for (const pattern of ['XK', 'XXpsk3'] as const) {
      const authorize = async (): Promise<{ ok: false; code: typeof code; message: string }> => {
        await new Promise((resolve) => world.pi.after(100, () => resolve(undefined)))
        return { ok: false, code, message: `no, ${code}` }
      }
      assert.equal(codes(await shake(world, await world.link(), { pattern }, { authorize })), [code, code])
    }
  }
  const [near, far] = await world.link()
  const dial = dialChannel(near, xk(world.app))
  void acceptChannel(far, {
    ...accepting(world.pi),
    authorize: () => ({ ok: false, code: 'FORBIDDEN', message: 'not you' }),
  }).catch(() => undefined)
  let message = ''
  await settle(
    world.simulation,
    dial.catch((error: Error) => {
      message = error.message
    }),
  )
  assert.is(message, 'not you')
})

test('a busy server is BUSY under both patterns', async () => {
  const world = createWorld()
  for (const options of [xk(world.app), pairing(world.app)]) {
    const [near, far] = await world.link()
    refuseLink(far, 'busy')
    assert.equal(await settle(world.simulation, dialChannel(near, options)), { ok: false, code: 'BUSY' })
  }
})

test('100 silent links do not keep an honest client out', async () => {
  const endpoint = { transport: 'tls', host: '127.0.0.1', port: 0 } as const
  const shaking: Promise<string>[] = []
  const listener = await tls.listen(endpoint, (link) => {
    shaking.push(codeOf(acceptChannel(link, accepting(env)).then(({ channel }) => watchChannel(channel))))
  })
  const silent = await Promise.all(
    Array.from({ length: 100 }, () => tls.dial(listener.endpoint, { timeoutMs: 10_000 })),
  )
  await until(() => shaking.length === 100, 'all of them')

  const started = performance.now()
  const link = await tls.dial(listener.endpoint, { timeoutMs: 5_000 })
  const { channel } = await dialChannel(link, xk(env))
  assert.ok(performance.now() - started < 2_000)

  channel.close()
  for (const other of silent) other.destroy()
  const ends = await Promise.all(shaking)
  assert.equal(
    ends.filter((code) => code !== 'LINK_CLOSED'),
    ['no error'],
  )
  await listener.close()
})

test('a proof signed by another device than it names is refused', async () => {
  const world = createWorld()
  const liar = { publicKey: serverDevice.publicKey, sign: (bytes: Uint8Array) => clientDevice.sign(bytes) }

  assert.equal(codes(await shake(world, await world.link(), { device: liar })), [
    'HANDSHAKE_FAILED',
    'HANDSHAKE_FAILED',
  ])
  const lyingServer = {
    device: { publicKey: clientDevice.publicKey, sign: (b: Uint8Array) => serverDevice.sign(b) },
  }
  assert.is(codes(await shake(world, await world.link(), {}, lyingServer))[0], 'HANDSHAKE_FAILED')
})

test('keys of a wrong kind are refused at the door', async () => {
  const world = createWorld()
  const [near] = await world.link()
  const failure = async (options: object): Promise<unknown> => {
    try {
      await dialChannel(near, { ...xk(world.app), ...options })
    } catch (error) {
      return error
    }
    return undefined
  }

  assert.instance(await failure({ serverKey: new Uint8Array(64) }), TypeError)
  const badScalar = await failure({ staticKey: new Uint8Array(32) })
  assert.ok(badScalar instanceof BlazeError && badScalar.code === 'BAD_KEY')
  assert.instance(await failure({ pattern: 'XXpsk3', id: new Uint8Array(3), psk }), TypeError)
  assert.is(nodeCrypto.name, 'node')
})

test.run()
