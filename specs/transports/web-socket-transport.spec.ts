/** The WebSocket transports keep the contract of a transport, on the port of TLS and behind a proxy, and answer nothing else. */
import { connect as connectTcp, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { createNodeEnv, limits, toHex } from '../../runtime/index.ts'
import { createTlsTransport, createWebSocketTransport } from '../../transports/index.ts'
import type { Link, NetworkEndpoint, Refusal, Transport } from '../../transports/index.ts'
import { codeOf, connect, portOf, transportContract, until, watch } from '../contracts/transport.ts'
import type { TransportWorld } from '../../actors/testing.ts'

const env = createNodeEnv()
const tls = createTlsTransport(env)
const webSocket = createWebSocketTransport(env)
const loopback = '127.0.0.1'
const plain: NetworkEndpoint = { transport: 'ws', host: loopback, port: 0, channelBinding: 'none' }

/** Listens with TLS and says that it is `wss`. */
const overTls: Transport = {
  name: 'wss',
  async listen(endpoint, onLink, onRefused) {
    const place = { transport: 'tls', host: loopback, port: portOf(endpoint) } as const
    const listener = await tls.listen(place, onLink, onRefused)
    return { ...listener, endpoint: { transport: 'wss', host: loopback, port: portOf(listener.endpoint) } }
  },
  dial: (endpoint, options) => webSocket.dial(endpoint, options),
}

const secure = (): TransportWorld => ({
  listening: overTls,
  dialling: webSocket,
  endpoint: { transport: 'wss', host: loopback, port: 0 },
})

transportContract('wss', secure)
transportContract('ws', () => ({ listening: webSocket, dialling: webSocket, endpoint: plain }))

test('wss names its TLS session at both ends, ws names nothing', async () => {
  const one = await connect(secure())
  const two = await connect({ listening: webSocket, dialling: webSocket, endpoint: plain })

  assert.is(one.dialled.binding.length, 32)
  assert.is(toHex(one.dialled.binding), toHex(one.accepted.binding))
  assert.is(two.dialled.binding.length + two.accepted.binding.length, 0)
  assert.equal([one.accepted.transport, two.accepted.transport], ['wss', 'ws'])
  await one.end()
  await two.end()
})

test('one port takes links of both kinds', async () => {
  const links: Link[] = []
  const listener = await tls.listen({ transport: 'tls', host: loopback, port: 0 }, (link) => links.push(link))
  const port = portOf(listener.endpoint)

  const direct = await tls.dial({ transport: 'tls', host: loopback, port }, { timeoutMs: 5_000 })
  const web = await webSocket.dial({ transport: 'wss', host: loopback, port }, { timeoutMs: 5_000 })
  await until(() => links.length === 2, 'both links')

  assert.equal(links.map((link) => link.transport).toSorted(), ['tls', 'wss'])
  for (const link of [direct, web, ...links]) link.destroy()
  await listener.close()
})

test('what is sent in one tick leaves in one write', async () => {
  const pair = await connect({ listening: webSocket, dialling: webSocket, endpoint: plain })
  const there = watch(pair.accepted)
  let chunks = 0
  // What the system hands over at once was written at once: small records, an idle loopback.
  const proxy = createServer((near) => {
    const far = connectTcp(portOf(pair.listener.endpoint), loopback)
    near.on('data', (chunk) => {
      chunks += 1
      far.write(chunk)
    })
    far.pipe(near)
    near.on('error', () => far.destroy())
    far.on('error', () => near.destroy())
  })
  await new Promise<void>((resolve) => proxy.listen(0, loopback, resolve))
  const links: Link[] = []
  await pair.listener.close()
  const listener = await webSocket.listen(pair.listener.endpoint, (link) => links.push(link))
  const port = (proxy.address() as AddressInfo).port
  const link = await webSocket.dial({ ...plain, port }, { timeoutMs: 5_000 })
  await until(() => links.length === 1, 'the link')
  const far = watch(links[0] as Link)
  const before = chunks

  for (let n = 1; n <= 50; n += 1) link.send(new Uint8Array(20).fill(n))
  await until(() => far.records.length === 50, 'all records')

  assert.ok(chunks - before <= 2, `${chunks - before} writes`)
  assert.is(there.records.length, 0)
  link.destroy()
  links[0]?.destroy()
  await pair.end()
  await listener.close()
  proxy.close()
})

/** Sends bytes on a fresh connection, and resolves with what was answered before the end. */
function answered(socket: Socket, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    let text = ''
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(text))
    socket.write(bytes)
  })
}

const upgradeOf = (path: string, more = ''): string =>
  `GET ${path} HTTP/1.1\r\nHost: pi\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${more}\r\n`
const key = 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'

test('whatever is no upgrade of the one path gets a short refusal, is told once, and others go on', async () => {
  const refused: Refusal[] = []
  let links = 0
  const listener = await tls.listen(
    { transport: 'tls', host: loopback, port: 0 },
    (link) => {
      links += 1
      watch(link)
    },
    (refusal) => refused.push(refusal),
  )
  const port = portOf(listener.endpoint)
  const http = (bytes: string): Promise<string> =>
    answered(
      connectTls({ host: loopback, port, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] }),
      bytes,
    )
  const cases: [string, RegExp][] = [
    ['GET / HTTP/1.1\r\nHost: pi\r\n\r\n', /^HTTP\/1\.1 426 /],
    ['POST /sync HTTP/1.1\r\nHost: pi\r\nContent-Length: 5\r\n\r\nhello', /^HTTP\/1\.1 426 /],
    [upgradeOf('/other', key), /^HTTP\/1\.1 404 /],
    [upgradeOf('/sync?x=1', key), /^HTTP\/1\.1 404 /],
    [upgradeOf('/sync'), /^HTTP\/1\.1 400 /],
    [upgradeOf('/sync', 'Sec-WebSocket-Version: 7\r\nSec-WebSocket-Key: x\r\n'), /^HTTP\/1\.1 400 /],
    ['nonsense\r\n\r\n', /^$/],
    [`GET /sync HTTP/1.1\r\nX: ${'x'.repeat(limits.httpHeadBytesMax)}\r\n\r\n`, /^$/],
  ]

  for (const [bytes, expected] of cases) {
    const before = refused.length
    const answer = await http(bytes)
    assert.match(answer, expected)
    assert.ok(answer.length < 300, 'a short answer')
    assert.is(refused.length - before, 1, bytes.slice(0, 60))
    assert.is(refused.at(-1)?.code, 'PROTOCOL_VIOLATION')
  }
  assert.is(links, 0)
  const honest = await webSocket.dial({ transport: 'wss', host: loopback, port }, { timeoutMs: 5_000 })
  await until(() => links === 1, 'the honest link')
  honest.destroy()
  await listener.close()
})

test('a text, an empty message and one that is too long end their link with PROTOCOL_VIOLATION', async () => {
  const links: Link[] = []
  const listener = await webSocket.listen(plain, (link) => links.push(link))
  const mask = '\0\0\0\0'
  const frames = {
    text: `\x81\x82${mask}hi`,
    empty: `\x82\x80${mask}`,
    long: `\x82\xff\0\0\0\0\0\x01\0\0${mask}`,
    fragments: `\x02\x81${mask}x${`\0\x81${mask}x`.repeat(limits.webSocketFragmentsMax + 1)}`,
  }

  for (const [name, frame] of Object.entries(frames)) {
    const before = links.length
    const socket = connectTcp(portOf(listener.endpoint), loopback)
    const closed = answered(socket, upgradeOf('/sync', key))
    await until(() => links.length === before + 1, 'its link')
    const seen = watch(links[before] as Link)
    socket.write(Buffer.from(frame, 'latin1'))
    await until(() => seen.closed.length === 1, name)
    await closed

    assert.is(seen.closed[0]?.error?.code, 'PROTOCOL_VIOLATION', name)
    assert.equal(seen.records, [])
  }
  await listener.close()
})

test('plain WebSocket is for loopback alone, and only where the endpoint calls it unbound', async () => {
  const bad: NetworkEndpoint[] = [
    { transport: 'ws', host: loopback, port: 1 },
    { transport: 'ws', host: '192.168.1.5', port: 1, channelBinding: 'none' },
    { transport: 'ws', host: 'example.org', port: 1, channelBinding: 'none' },
    { transport: 'tls', host: loopback, port: 1 },
  ]
  for (const endpoint of bad) {
    assert.is(await codeOf(webSocket.dial(endpoint, { timeoutMs: 100 })), 'BAD_CONFIG')
    assert.is(await codeOf(webSocket.listen(endpoint, () => undefined)), 'BAD_CONFIG')
  }
  assert.is(
    await codeOf(webSocket.listen({ transport: 'wss', host: loopback, port: 0 }, () => undefined)),
    'BAD_CONFIG',
  )
})

test('a server that accepts and never answers is TIMEOUT, one that is no WebSocket UNREACHABLE', async () => {
  const silent = createServer(() => undefined)
  await new Promise<void>((resolve) => silent.listen(0, loopback, resolve))
  const port = (silent.address() as AddressInfo).port
  const rude = createServer((socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'))
  await new Promise<void>((resolve) => rude.listen(0, loopback, resolve))

  assert.is(await codeOf(webSocket.dial({ ...plain, port }, { timeoutMs: 200 })), 'TIMEOUT')
  const other = { ...plain, port: (rude.address() as AddressInfo).port }
  assert.is(await codeOf(webSocket.dial(other, { timeoutMs: 5_000 })), 'UNREACHABLE')
  silent.close()
  rude.close()
})

test.run()
