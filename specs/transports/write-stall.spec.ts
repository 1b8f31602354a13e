/** A peer that takes nothing of what waits for it costs its link after a minute, on every transport with sockets. */
import { mkdtempSync, rmSync } from 'node:fs'
import { connect as connectTcp, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { limits, nodeCrypto } from '../../runtime/index.ts'
import type { Env } from '../../runtime/index.ts'
import { createTlsTransport, createUdsTransport, createWebSocketTransport } from '../../transports/index.ts'
import type { Endpoint, Link } from '../../transports/index.ts'
import { SocketLink } from '../../transports/socket-link.ts'
import { connect, portOf, until, watch } from '../contracts/transport.ts'
import type { Pair } from '../contracts/transport.ts'
import { createHandClock } from '../fixtures/hand-clock.ts'
import type { HandClock } from '../fixtures/hand-clock.ts'

const directory = mkdtempSync(join(tmpdir(), 'blazedb-stall-'))
test.after(() => rmSync(directory, { recursive: true }))

const host = '127.0.0.1'
const rest = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms))

/** A link that was cut off says so a little later. */
async function turn(clock: HandClock, ms: number): Promise<void> {
  clock.turn(ms)
  await rest(20)
}

const kinds: Readonly<Record<string, (env: Env) => Promise<Pair>>> = {
  tls: (env) => {
    const transport = createTlsTransport(env)
    return connect({
      listening: transport,
      dialling: transport,
      endpoint: { transport: 'tls', host, port: 0 },
    })
  },
  wss: (env) => {
    const tls = createTlsTransport(env)
    const listening = {
      ...tls,
      listen: async (_: Endpoint, onLink: (link: Link) => void) => {
        const listener = await tls.listen({ transport: 'tls', host, port: 0 }, onLink)
        const endpoint = { transport: 'wss', host, port: portOf(listener.endpoint) } as const
        return { ...listener, endpoint }
      },
    }
    const endpoint = { transport: 'wss', host, port: 0 } as const
    return connect({ listening, dialling: createWebSocketTransport(env), endpoint })
  },
  ws: (env) => {
    const transport = createWebSocketTransport(env)
    const endpoint = { transport: 'ws', host, port: 0, channelBinding: 'none' } as const
    return connect({ listening: transport, dialling: transport, endpoint })
  },
  uds: (env) => {
    const transport = createUdsTransport(env, nodeCrypto)
    const endpoint = { transport: 'uds', directory, name: 'stall' } as const
    return connect({ listening: transport, dialling: transport, endpoint })
  },
}

for (const [kind, open] of Object.entries(kinds)) {
  test(`${kind}: a peer that takes nothing is cut off after a minute with LINK_CLOSED, and not a millisecond before`, async () => {
    const clock = createHandClock()
    const pair = await open(clock.env)
    const here = watch(pair.dialled)
    const there = watch(pair.accepted)
    pair.accepted.pause()

    for (let n = 0; n < 2_000 && pair.dialled.send(new Uint8Array(60_000)); n++) await rest(0)
    // What the system still takes on its own.
    await rest(100)
    await turn(clock, limits.writeStallMs - 1)
    assert.is(here.closed.length, 0)
    clock.turn(1)
    await until(() => here.closed.length === 1, 'the cut')
    pair.accepted.resume()
    await until(() => there.closed.length === 1, 'the peer sees it')

    assert.is(here.closed[0]?.error?.code, 'LINK_CLOSED')
    assert.match(here.closed[0]?.error?.message ?? '', `took nothing for ${limits.writeStallMs} ms`)
    await pair.end()
  })
}

interface Held {
  readonly clock: HandClock
  readonly link: Link
  /** Below the link. */
  readonly socket: Socket
  /** The end of the peer, which reads when it is resumed. */
  readonly peer: Socket
  /** Sends until something stays behind, but less than what a sender is told to wait for. */
  fill(): Promise<void>
  end(): void
}

async function hold(): Promise<Held> {
  const clock = createHandClock()
  const peers: Socket[] = []
  const server = createServer((socket) => {
    socket.pause()
    peers.push(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  const socket = connectTcp((server.address() as AddressInfo).port, host)
  const link = new SocketLink(clock.env, socket, {
    transport: 'tls',
    remote: 'a peer',
    binding: new Uint8Array(0),
  })
  await until(() => peers.length === 1 && !socket.connecting, 'the connection')
  const fill = async (): Promise<void> => {
    for (let n = 0; n < 2_000; n++) {
      assert.ok(link.send(new Uint8Array(60_000)), 'less waits than a sender is told of')
      await rest(0)
      if (socket.writableLength > 0) await rest(50)
      if (socket.writableLength > 0) return
    }
    throw new Error('the system takes everything')
  }
  const end = (): void => {
    link.destroy()
    peers[0]?.destroy()
    server.close()
  }
  return { clock, link, socket, peer: peers[0] as Socket, fill, end }
}

test('it need not be much that waits', async () => {
  const held = await hold()
  const seen = watch(held.link)
  await held.fill()

  await turn(held.clock, limits.writeStallMs - 1)
  assert.is(seen.closed.length, 0)
  held.clock.turn(1)
  await until(() => seen.closed.length === 1, 'the cut')

  assert.is(seen.closed[0]?.error?.code, 'LINK_CLOSED')
  held.end()
})

test('when some of it leaves the minute begins anew, though more waits', async () => {
  const held = await hold()
  const seen = watch(held.link)
  await held.fill()
  const behind = held.socket.writableLength
  // Behind what waits already: the system takes it in one piece, after that.
  for (let n = 0; n < 100; n++) held.link.send(new Uint8Array(60_000))
  await rest(20)
  const waiting = held.socket.writableLength
  held.clock.turn(limits.writeStallMs - 1)
  held.peer.resume()
  await until(() => held.socket.writableLength <= waiting - behind, 'the first of it leaves')
  held.peer.pause()
  await rest(50)
  assert.ok(held.socket.writableLength > 0, 'the rest waits')

  await turn(held.clock, limits.writeStallMs - 1)
  assert.is(seen.closed.length, 0)
  held.clock.turn(1)
  await until(() => seen.closed.length === 1, 'the cut')

  assert.is(seen.closed[0]?.error?.code, 'LINK_CLOSED')
  held.end()
})

test('each time that something leaves the minute begins anew, and while nothing waits it does not run', async () => {
  const held = await hold()
  const seen = watch(held.link)
  for (let round = 0; round < 3; round++) {
    await held.fill()
    held.clock.turn(limits.writeStallMs - 1)
    held.peer.resume()
    await until(() => held.socket.writableLength === 0, 'it leaves')
    held.peer.pause()
    await held.fill()
    await turn(held.clock, limits.writeStallMs - 1)
    assert.is(seen.closed.length, 0, `round ${round}`)
    held.peer.resume()
    await until(() => held.socket.writableLength === 0, 'it leaves again')
    held.peer.pause()
    await turn(held.clock, 10 * limits.writeStallMs)
    assert.is(seen.closed.length, 0, `round ${round}, idle`)
  }
  held.end()
})

test.run()
