/**
 * A link whose wire goes dead without a word, as when a cable is pulled or a computer falls asleep: both ends of the channel notice by
 * silence, on every transport with sockets. Between them stands a middleman who forwards until he is frozen.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { connect as connectTcp, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { limits, nodeCrypto } from '../../runtime/index.ts'
import type { Env } from '../../runtime/index.ts'
import {
  acceptChannel,
  createTlsTransport,
  createUdsTransport,
  createWebSocketTransport,
  dialChannel,
} from '../../transports/index.ts'
import type { Channel, Link } from '../../transports/index.ts'
import { portOf, until } from '../contracts/transport.ts'
import { createHandClock } from '../fixtures/hand-clock.ts'
import { accepting, xk } from './channel/channel-world.ts'

const directory = mkdtempSync(join(tmpdir(), 'blazedb-half-open-'))
test.after(() => rmSync(directory, { recursive: true }))

const host = '127.0.0.1'
const timeoutMs = 5_000

interface Wire {
  readonly dialled: Link
  readonly accepted: Link
  /** From now on nothing gets through, and nobody is told. */
  freeze(): void
  end(): Promise<void>
}

interface Middleman {
  readonly port: number
  freeze(): void
  end(): void
}

async function forwardTo(port: number): Promise<Middleman> {
  const sockets: Socket[] = []
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connectTcp({ port, host, allowHalfOpen: true })
    sockets.push(near, far)
    for (const socket of [near, far]) socket.on('error', () => socket.destroy())
    near.pipe(far, { end: false })
    far.pipe(near, { end: false })
  })
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  return {
    port: (server.address() as AddressInfo).port,
    freeze() {
      for (const socket of sockets) socket.unpipe().pause()
    },
    end() {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}

async function first(links: readonly Link[]): Promise<Link> {
  await until(() => links.length === 1, 'the listener has its link')
  const [link] = links
  if (link === undefined) throw new Error('no link')
  return link
}

async function overTcp(env: Env, kind: 'tls' | 'wss' | 'ws'): Promise<Wire> {
  const webSocket = createWebSocketTransport(env)
  const tls = createTlsTransport(env)
  const accepted: Link[] = []
  const binding = kind === 'ws' ? ({ channelBinding: 'none' } as const) : {}
  const listening = kind === 'ws' ? webSocket : tls
  const at = { transport: kind === 'ws' ? 'ws' : 'tls', host, port: 0, ...binding } as const
  const listener = await listening.listen(at, (link) => accepted.push(link))
  const middleman = await forwardTo(portOf(listener.endpoint))
  const dialling = kind === 'tls' ? tls : webSocket
  const through = { transport: kind, host, port: middleman.port, ...binding } as const
  const dialled = await dialling.dial(through, { timeoutMs })
  const end = async (): Promise<void> => {
    middleman.end()
    await listener.close()
  }
  return { dialled, accepted: await first(accepted), freeze: () => middleman.freeze(), end }
}

async function overUds(env: Env): Promise<Wire> {
  const transport = createUdsTransport(env, nodeCrypto)
  const [front, back] = [
    { transport: 'uds', directory, name: 'front' },
    { transport: 'uds', directory, name: 'back' },
  ] as const
  const accepted: Link[] = []
  const listener = await transport.listen(back, (link) => accepted.push(link))
  const far = await transport.dial(back, { timeoutMs })
  let frozen = false
  const forward = (from: Link, to: Link): void =>
    from.attach({ record: (record) => void (frozen || to.send(record.slice())), drain() {}, closed() {} })
  const middleman = await transport.listen(front, (near) => {
    forward(near, far)
    forward(far, near)
  })
  const dialled = await transport.dial(front, { timeoutMs })
  const end = async (): Promise<void> => {
    far.destroy()
    await Promise.all([listener.close(), middleman.close()])
  }
  return { dialled, accepted: await first(accepted), freeze: () => void (frozen = true), end }
}

const kinds: Readonly<Record<string, (env: Env) => Promise<Wire>>> = {
  tls: (env) => overTcp(env, 'tls'),
  wss: (env) => overTcp(env, 'wss'),
  ws: (env) => overTcp(env, 'ws'),
  uds: overUds,
}

/** The codes that the closings of a channel carried. */
function closings(channel: Channel): (string | undefined)[] {
  const seen: (string | undefined)[] = []
  channel.attach({ message() {}, writable() {}, closed: (error) => void seen.push(error?.code) })
  return seen
}

for (const [kind, open] of Object.entries(kinds)) {
  test(`${kind}: an idle channel lives, and once its wire is dead both ends are closed within 40 seconds, with LINK_CLOSED`, async () => {
    const clock = createHandClock()
    const wire = await open(clock.env)
    const [dialled, taken] = await Promise.all([
      dialChannel(wire.dialled, xk(clock.env)),
      acceptChannel(wire.accepted, accepting(clock.env)),
    ])
    const sides = [closings(dialled.channel), closings(taken.channel)]
    const pass = async (ms: number): Promise<void> => {
      for (let passed = 0; passed < ms; passed += 1_000) {
        clock.turn(1_000)
        await new Promise((resolve) => void setTimeout(resolve, 2))
      }
    }

    await pass(2 * limits.silenceMs)
    assert.equal(sides, [[], []])
    wire.freeze()
    await pass(limits.silenceMs - limits.pingIntervalMs - 2_000)
    assert.equal(sides, [[], []])
    await pass(limits.pingIntervalMs + 3_000)

    assert.equal(sides, [['LINK_CLOSED'], ['LINK_CLOSED']])
    await wire.end()
  })
}

test.run()
