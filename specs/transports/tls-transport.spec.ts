/** The TLS transport keeps the contract of a transport, and its listener outlives everything that strangers send. */
import { connect as connectTcp, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { createNodeEnv, limits, toHex } from '../../runtime/index.ts'
import { createTlsTransport } from '../../transports/index.ts'
import type { Link, Listener, NetworkEndpoint, Transport } from '../../transports/index.ts'
import { codeOf, connect, portOf, transportContract, until, watch } from '../contracts/transport.ts'
import type { TransportWorld } from '../../actors/testing.ts'

// One for all: making a certificate takes longer than a handshake.
const transport: Transport = createTlsTransport(createNodeEnv())
const endpoint: NetworkEndpoint = { transport: 'tls', host: '127.0.0.1', port: 0 }
const world = (): TransportWorld => ({ listening: transport, dialling: transport, endpoint })

transportContract('tls', world)

test('both ends name the session alike, and no other session so', async () => {
  const first = await connect(world())
  const second = await connect(world())

  const names = [first.dialled, first.accepted, second.dialled].map((link) => toHex(link.binding))
  assert.is(first.dialled.binding.length, 32)
  assert.is(names[0], names[1])
  assert.is.not(names[0], names[2])

  await first.end()
  await second.end()
})

test('IPv6 works where the machine has it', async () => {
  const links: Link[] = []
  let listener: Listener
  try {
    listener = await transport.listen({ ...endpoint, host: '::1' }, (link) => links.push(link))
  } catch (error) {
    console.log(`SKIPPED: no IPv6 loopback here (${String(error)})`)
    return
  }
  const link = await transport.dial(listener.endpoint, { timeoutMs: 5_000 })
  await until(() => links.length === 1, 'the link')

  assert.ok(link.remote.startsWith('[::1]:'))
  link.destroy()
  links[0]?.destroy()
  await listener.close()
})

/** Opens a socket, sends, and resolves when the listener has cut it off. */
function cutOff(socket: Socket, bytes: Uint8Array | string): Promise<void> {
  return new Promise((resolve) => {
    socket.on('error', () => undefined)
    socket.on('close', () => resolve())
    socket.resume()
    socket.write(bytes)
  })
}

function tlsClient(port: number, options: ConnectionOptions): TLSSocket {
  return connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options })
}

test('garbage, HTTP, another TLS version and other protocol names are cut off, and the listener goes on', async () => {
  let links = 0
  const listener = await transport.listen(endpoint, (link) => {
    links++
    watch(link)
  })
  const port = portOf(listener.endpoint)

  await cutOff(connectTcp(port, '127.0.0.1'), 'GET / HTTP/1.1\r\nHost: pi\r\n\r\n')
  await cutOff(connectTcp(port, '127.0.0.1'), new Uint8Array(100_000).fill(0x5a))
  await cutOff(tlsClient(port, { ALPNProtocols: ['http/1.1'] }), 'GET / HTTP/1.1\r\n\r\n')
  await cutOff(tlsClient(port, {}), 'GET / HTTP/1.1\r\n\r\n')
  await cutOff(tlsClient(port, { ALPNProtocols: ['blazed/1'], maxVersion: 'TLSv1.2' }), 'x')
  assert.is(links, 0)
  const link = await transport.dial(listener.endpoint, { timeoutMs: 5_000 })
  await until(() => links === 1, 'an honest link')

  link.destroy()
  await listener.close()
})

test('a record of no bytes or of too many ends its link with PROTOCOL_VIOLATION, and no other', async () => {
  const links: Link[] = []
  const listener = await transport.listen(endpoint, (link) => links.push(link))
  const honest = await transport.dial(listener.endpoint, { timeoutMs: 5_000 })
  await until(() => links.length === 1, 'the honest link')
  const there = watch(links[0] as Link)

  for (const header of [
    [0, 0, 0, 0],
    [0, 1, 0, 0],
    [255, 255, 255, 255],
  ]) {
    const closed = cutOff(
      tlsClient(portOf(listener.endpoint), { ALPNProtocols: ['blazed/1'] }),
      Uint8Array.from(header),
    )
    const before = links.length
    await until(() => links.length === before + 1, 'its link')
    const seen = watch(links[before] as Link)
    await until(() => seen.closed.length === 1, 'its end')
    assert.is(seen.closed[0]?.error?.code, 'PROTOCOL_VIOLATION')
    await closed
  }
  honest.send(Uint8Array.of(1))
  await until(() => there.records.length === 1, 'the honest record')

  honest.destroy()
  await until(() => there.closed.length === 1, 'the end')
  await listener.close()
})

test('a stream that ends within a record is LINK_CLOSED', async () => {
  const links: Link[] = []
  const listener = await transport.listen(endpoint, (link) => links.push(link))
  const socket = tlsClient(portOf(listener.endpoint), { ALPNProtocols: ['blazed/1'] })
  socket.end(Uint8Array.of(0, 0, 0, 9, 1, 2))
  await until(() => links.length === 1, 'the link')
  const seen = watch(links[0] as Link)
  await until(() => seen.closed.length === 1, 'its end')

  assert.is(seen.records.length, 0)
  assert.is(seen.closed[0]?.error?.code, 'LINK_CLOSED')
  socket.destroy()
  await listener.close()
})

test('records of one tick leave in one write', async () => {
  const links: Link[] = []
  const listener = await transport.listen(endpoint, (link) => links.push(link))
  const socket = tlsClient(portOf(listener.endpoint), { ALPNProtocols: ['blazed/1'] })
  const reads: number[] = []
  // Each write is a TLS record of its own, and each TLS record is read by itself.
  socket.on('data', (bytes: Buffer) => reads.push(bytes.length))
  await until(() => links.length === 1, 'the link')

  for (let n = 0; n < 50; n++) links[0]?.send(new Uint8Array(10).fill(n))
  await until(() => reads.reduce((sum, n) => sum + n, 0) === 50 * 14, 'all bytes')

  assert.equal(reads, [700])
  socket.destroy()
  links[0]?.destroy()
  await listener.close()
})

test('100 silent sockets do not keep an honest one out, nor the listener open', async () => {
  const listener = await transport.listen(endpoint, (link) => {
    watch(link)
  })
  const silent = Array.from({ length: 100 }, () => connectTcp(portOf(listener.endpoint), '127.0.0.1'))
  const closed = silent.map((socket) => new Promise((resolve) => socket.on('close', resolve)))
  for (const socket of silent) socket.on('error', () => undefined).resume()
  await Promise.all(silent.map((socket) => new Promise((resolve) => socket.on('connect', resolve))))

  const started = performance.now()
  const link = await transport.dial(listener.endpoint, { timeoutMs: 5_000 })
  assert.ok(performance.now() - started < 2_000)

  link.destroy()
  const closing = performance.now()
  await listener.close()
  await Promise.all(closed)
  assert.ok(performance.now() - closing < 2_000, 'they are cut off, not waited for')
})

test('a server that takes the connection and says nothing is TIMEOUT, one that is no TLS is UNREACHABLE', async () => {
  const sockets: Socket[] = []
  let answer = ''
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    sockets.push(socket)
    if (answer !== '') socket.end(answer)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo

  assert.is(await codeOf(transport.dial({ ...endpoint, port }, { timeoutMs: 50 })), 'TIMEOUT')
  answer = 'HTTP/1.1 400 Bad Request\r\n\r\n'
  assert.is(await codeOf(transport.dial({ ...endpoint, port }, { timeoutMs: 5_000 })), 'UNREACHABLE')

  for (const socket of sockets) socket.destroy()
  server.close()
})

test('an address that is not ours is BAD_CONFIG', async () => {
  const foreign: NetworkEndpoint = { ...endpoint, host: '192.0.2.1', port: 1 }

  assert.is(await codeOf(transport.listen(foreign, () => undefined)), 'BAD_CONFIG')
})

test('a peer that vanishes without a word ends the link with LINK_CLOSED', async () => {
  const links: Link[] = []
  const listener = await transport.listen(endpoint, (link) => links.push(link))
  // A relay between, so that the TCP connection can be reset under TLS.
  const pipes: Socket[] = []
  const relay = createServer((inner) => {
    const outer = connectTcp(portOf(listener.endpoint), '127.0.0.1')
    for (const socket of [inner, outer]) socket.on('error', () => undefined)
    inner.pipe(outer).pipe(inner)
    pipes.push(inner, outer)
  })
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve))
  const { port } = relay.address() as AddressInfo
  const link = await transport.dial({ ...endpoint, port }, { timeoutMs: 5_000 })
  await until(() => links.length === 1, 'the link')
  const [here, there] = [watch(link), watch(links[0] as Link)]
  link.send(new Uint8Array(limits.recordBytesMax))
  await until(() => there.records.length === 1, 'a record')

  for (const socket of pipes) socket.resetAndDestroy()
  await until(() => here.closed.length + there.closed.length === 2, 'both ends')

  assert.is(here.closed[0]?.error?.code, 'LINK_CLOSED')
  assert.is(there.closed[0]?.error?.code, 'LINK_CLOSED')
  relay.close()
  await listener.close()
})

test.run()
