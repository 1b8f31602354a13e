/** The UDS transport keeps the contract of a transport, and its links survive what the other process does. */
import { mkdtempSync, rmSync } from 'node:fs'
import { connect as connectPath, createServer, Socket } from 'node:net'
import type { Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Duplex } from 'node:stream'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { createNodeEnv, limits, nodeCrypto } from '../../runtime/index.ts'
import { createTlsTransport, createUdsTransport } from '../../transports/index.ts'
import type { Link, LocalEndpoint, Transport } from '../../transports/index.ts'
import { socketFileName } from '../../transports/socket-file.ts'
import { codeOf, connect, transportContract, until, watch } from '../contracts/transport.ts'
import type { TransportWorld } from '../../actors/testing.ts'
import { endChildren, UdsChild } from './uds-child.ts'

const transport: Transport = createUdsTransport(createNodeEnv(), nodeCrypto)
const directory = mkdtempSync(join(tmpdir(), 'blazedb-uds-'))
let names = 0
const fresh = (): LocalEndpoint => ({ transport: 'uds', directory, name: `name ${names++}` })
const world = (): TransportWorld => ({ listening: transport, dialling: transport, endpoint: fresh() })
const pathOf = ({ name }: LocalEndpoint): string => join(directory, socketFileName(name, nodeCrypto))

test.after.each(endChildren)
test.after(() => rmSync(directory, { recursive: true, force: true }))

transportContract('uds', world)

test('both ends say which name they meet under, and have no binding', async () => {
  const pair = await connect(world())

  const { endpoint } = pair.listener
  const name = endpoint.transport === 'uds' ? endpoint.name : ''
  for (const link of [pair.dialled, pair.accepted]) {
    assert.is(link.transport, 'uds')
    assert.is(link.remote, `uds:${name}`)
    assert.is(link.binding.length, 0)
  }

  await pair.end()
})

test('a link that comes in the instant in which the name appears is not lost, nor handed out too early', async () => {
  for (let round = 0; round < 30; round++) {
    const endpoint = fresh()
    const got: number[] = []
    let ready = false
    let tooEarly = false
    const listening = transport.listen(endpoint, (link) => {
      tooEarly = !ready
      link.attach({
        record: (bytes) => got.push(bytes[0] ?? 0),
        drain: () => undefined,
        closed: () => undefined,
      })
    })
    void listening.then(() => (ready = true))
    let link: Link | undefined
    for (let n = 0; link === undefined && n < 10_000; n++)
      link = await transport.dial(endpoint, { timeoutMs: 1_000 }).catch(() => undefined)
    link?.send(Uint8Array.of(round + 1))
    const listener = await listening
    await until(() => got.length === 1, 'the record')

    assert.equal(got, [round + 1])
    assert.not.ok(tooEarly, 'a listener has no links before its caller has it')
    link?.destroy()
    await listener.close()
  }
})

/** Listens, and connects a bare socket that sends these bytes. */
async function sendRaw(bytes: Uint8Array, end: boolean): Promise<{ link: Link; stop: () => Promise<void> }> {
  const links: Link[] = []
  const endpoint = fresh()
  const listener = await transport.listen(endpoint, (link) => links.push(link))
  const socket = connectPath(pathOf(endpoint))
  socket.on('error', () => undefined)
  if (end) socket.end(bytes)
  else socket.write(bytes)
  await until(() => links.length === 1, 'the link')
  const stop = async (): Promise<void> => {
    socket.destroy()
    links[0]?.destroy()
    await listener.close()
  }
  return { link: links[0] as Link, stop }
}

test('a record of no bytes or of too many ends its link with PROTOCOL_VIOLATION', async () => {
  for (const header of [
    [0, 0, 0, 0],
    [0, 1, 0, 0],
    [255, 255, 255, 255],
    [...Buffer.from('GET / HTTP/1.1\r\n')],
  ]) {
    const { link, stop } = await sendRaw(Uint8Array.from(header), false)
    const seen = watch(link)
    await until(() => seen.closed.length === 1, 'its end')

    assert.is(seen.closed[0]?.error?.code, 'PROTOCOL_VIOLATION')
    assert.is(seen.records.length, 0)
    await stop()
  }
})

test('a stream that ends within a record, or within its length, is LINK_CLOSED', async () => {
  for (const bytes of [
    [0, 0, 0, 1, 7, 0, 0, 0, 9, 1, 2],
    [0, 0, 0, 1, 7, 0, 0],
  ]) {
    const { link, stop } = await sendRaw(Uint8Array.from(bytes), true)
    const seen = watch(link)
    await until(() => seen.closed.length === 1, 'its end')

    assert.equal(seen.records, [Uint8Array.of(7)])
    assert.is(seen.closed[0]?.error?.code, 'LINK_CLOSED')
    await stop()
  }
})

test('a server that answers garbage costs its own link', async () => {
  const endpoint = fresh()
  const server = await serveRaw(endpoint)
  server.on('connection', (socket) => socket.on('error', () => undefined).write('SSH-2.0-OpenSSH\r\n'))

  assert.is(await codeOf(transport.listen(endpoint, () => undefined)), 'PORT_IN_USE')
  const seen = watch(await transport.dial(endpoint, { timeoutMs: 1_000 }))
  await until(() => seen.closed.length === 1, 'its end')

  assert.is(seen.closed[0]?.error?.code, 'PROTOCOL_VIOLATION')
  server.close()
})

async function serveRaw(endpoint: LocalEndpoint): Promise<Server> {
  const server = createServer()
  const umask = process.umask(0o077)
  await new Promise<void>((resolve) => server.listen(pathOf(endpoint), () => resolve()))
  process.umask(umask)
  return server
}

test('records of one tick leave in one write', async () => {
  const pair = await connect(world())
  const there = watch(pair.accepted)
  const writes: number[] = []
  const restore = spyOnWrites((length) => writes.push(length))

  for (let n = 0; n < 50; n++) pair.dialled.send(new Uint8Array(10).fill(n))
  await until(() => there.records.length === 50, 'all records')
  restore()

  assert.equal(writes, [700])
  await pair.end()
})

/** Reports each write of bytes to any socket of this process, until it is undone. */
function spyOnWrites(report: (length: number) => void): () => void {
  Object.defineProperty(Socket.prototype, 'write', {
    configurable: true,
    value(this: Socket, ...args: Parameters<Duplex['write']>): boolean {
      if (args[0] instanceof Uint8Array) report(args[0].length)
      return Duplex.prototype.write.apply(this, args)
    },
  })
  // What it inherits shows again.
  return () => void Reflect.deleteProperty(Socket.prototype, 'write')
}

test('a peer that is killed without a word ends the link, with LINK_CLOSED when it owed something', async () => {
  const endpoint = fresh()
  for (const busy of [false, true]) {
    const child = await UdsChild.start()
    assert.is(await child.ask({ do: 'listen', endpoint }), 'listening')
    const link = await transport.dial(endpoint, { timeoutMs: 5_000 })
    const seen = watch(link)
    await until(() => seen.records.length === 1, 'its word')
    if (busy) {
      process.kill(child.pid, 'SIGSTOP')
      await child.stopped()
      while (link.send(new Uint8Array(60_000)));
    }

    await child.kill()
    await until(() => seen.closed.length === 1, 'the end')

    assert.is(seen.closed[0]?.error?.code, busy ? 'LINK_CLOSED' : undefined)
    assert.is(await codeOf(transport.dial(endpoint, { timeoutMs: 1_000 })), 'UNREACHABLE')
  }
})

test('a server too busy to take connections is waited for, until TIMEOUT or ABORTED, and keeps its name', async () => {
  const endpoint = fresh()
  const child = await UdsChild.start()
  assert.is(await child.ask({ do: 'listen', endpoint }), 'listening')
  process.kill(child.pid, 'SIGSTOP')
  await child.stopped()
  const waiting = await fillQueue(endpoint)
  const abort = new AbortController()

  assert.is(await codeOf(transport.dial(endpoint, { timeoutMs: 30 })), 'TIMEOUT')
  assert.is(await codeOf(transport.listen(endpoint, () => undefined)), 'PORT_IN_USE')
  const aborted = codeOf(transport.dial(endpoint, { timeoutMs: 5_000, signal: abort.signal }))
  setTimeout(() => abort.abort(), 20)
  assert.is(await aborted, 'ABORTED')
  const patient = transport.dial(endpoint, { timeoutMs: 5_000 })
  child.goOn()

  const seen = watch(await patient)
  await until(() => seen.records.length === 1, 'its word')
  for (const socket of waiting) socket.destroy()
})

/** Connects until the system takes no more for this server. */
async function fillQueue(endpoint: LocalEndpoint): Promise<Socket[]> {
  const sockets: Socket[] = []
  for (let n = 0; n < 5_000; n++) {
    const socket = connectPath(pathOf(endpoint))
    const taken = await new Promise<boolean>((resolve) => {
      socket.on('error', () => resolve(false))
      socket.on('connect', () => resolve(true))
    })
    if (!taken) return sockets
    sockets.push(socket)
  }
  throw new Error('the queue has no end')
}

test('an endpoint of the other kind is BAD_CONFIG, on both transports', async () => {
  const tls = createTlsTransport(createNodeEnv())
  const network = { transport: 'tls', host: '127.0.0.1', port: 1 } as const
  const dialling = { timeoutMs: 100 }

  assert.is(await codeOf(transport.listen(network, () => undefined)), 'BAD_CONFIG')
  assert.is(await codeOf(transport.dial(network, dialling)), 'BAD_CONFIG')
  assert.is(await codeOf(tls.listen(fresh(), () => undefined)), 'BAD_CONFIG')
  assert.is(await codeOf(tls.dial(fresh(), dialling)), 'BAD_CONFIG')
})

test('on Windows it is NOT_SUPPORTED', async () => {
  const platform = Object.getOwnPropertyDescriptor(process, 'platform')
  Object.defineProperty(process, 'platform', { ...platform, value: 'win32' })
  try {
    assert.is(await codeOf(transport.listen(fresh(), () => undefined)), 'NOT_SUPPORTED')
    assert.is(await codeOf(transport.dial(fresh(), { timeoutMs: 100 })), 'NOT_SUPPORTED')
  } finally {
    Object.defineProperty(process, 'platform', platform ?? {})
  }
})

test('names of any text up to 255 bytes do not meet each other', async () => {
  const endpoints = ['a', '../a', 'a/b', 'ä', 'a\0b', 'x'.repeat(limits.localNameBytesMax)].map(
    (name): LocalEndpoint => ({ transport: 'uds', directory, name }),
  )
  const listeners = await Promise.all(
    endpoints.map((endpoint) => transport.listen(endpoint, () => undefined)),
  )
  const tooLong: LocalEndpoint = { transport: 'uds', directory, name: 'ä'.repeat(128) }

  assert.is(await codeOf(transport.listen(tooLong, () => undefined)), 'BAD_CONFIG')
  assert.is(await codeOf(transport.dial({ ...tooLong, name: '' }, { timeoutMs: 100 })), 'BAD_CONFIG')
  await Promise.all(listeners.map((listener) => listener.close()))
})

test.run()
