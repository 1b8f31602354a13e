// time limit: 60 s
/** Whoever sits between a device and its supervisor, and ends TLS there with a certificate of its own, gets nothing. */
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import type { TLSSocket } from 'node:tls'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { nodeCrypto } from '../../../runtime/index.ts'
import { dialChannel } from '../../../transports/index.ts'
import type { DialChannelOptions } from '../../../transports/index.ts'
import { createCertificate } from '../../../transports/certificate.ts'
import { codeOf } from '../../server/world.ts'
import { tampered } from '../channel/channel-world.ts'
import { HostileWorld } from './hostile-world.ts'

const world = new HostileWorld()
test.before(() => world.open())
test.after(() => world.close())

interface Middle {
  readonly port: number
  /** Bytes that passed, before encryption: towards the supervisor, and back. */
  readonly passed: { up: number; down: number }
  close(): void
}

/** Ends TLS in the middle and speaks TLS to both sides, handing on each byte. */
async function terminating(): Promise<Middle> {
  const { certificate, privateKey } = await createCertificate(world.env)
  const passed = { up: 0, down: 0 }
  const sockets = new Set<TLSSocket>()
  const server = createTlsServer(
    { cert: certificate, key: privateKey, minVersion: 'TLSv1.3', ALPNProtocols: ['blazed/1'] },
    (near) => {
      const far = connectTls({
        port: world.port,
        host: '127.0.0.1',
        rejectUnauthorized: false,
        ALPNProtocols: ['blazed/1'],
      })
      for (const socket of [near, far]) sockets.add(socket.on('error', () => undefined))
      near.on('data', (bytes) => void (passed.up += bytes.length))
      far.on('data', (bytes) => void (passed.down += bytes.length))
      near.pipe(far).pipe(near)
      near.on('close', () => far.destroy())
      far.on('close', () => near.destroy())
    },
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = (): void => {
    for (const socket of sockets) socket.destroy()
    server.close()
  }
  return { port: (server.address() as AddressInfo).port, passed, close }
}

async function through(port: number, options: DialChannelOptions): Promise<string> {
  const link = await world.transport.dial({ ...world.endpoint, port }, { timeoutMs: 5_000 })
  return codeOf(dialChannel(link, options))
}

test('one that hands on every byte is found out by the binding: no welcome, a hard stop for the device', async () => {
  const middle = await terminating()
  try {
    await world.attack(2, async () => {
      assert.is(await through(middle.port, world.xk()), 'SERVER_KEY_MISMATCH')
      assert.is(await through(middle.port, await world.pairing()), 'CODE_INVALID')
    })
    assert.ok(middle.passed.up > 0, 'the hellos went through it')
    assert.is(middle.passed.down, 2 * 6, 'and two plain refusals came back')
  } finally {
    middle.close()
  }
})

test('a code whose pairing went through one is not used up', async () => {
  const middle = await terminating()
  try {
    const options = await world.pairing()
    await world.attack(1, async () => assert.is(await through(middle.port, options), 'CODE_INVALID'))
    const link = await world.dial()
    const { channel } = await dialChannel(link, options)
    channel.close()
  } finally {
    middle.close()
  }
})

test('a wrong server key is a hard stop, and says nothing about the device', async () => {
  const serverKey = nodeCrypto.createP256(new Uint8Array(32).fill(5)).publicKey
  await world.attack(1, async () =>
    assert.is(
      await codeOf(dialChannel(await world.dial(), { ...world.xk(), serverKey })),
      'SERVER_KEY_MISMATCH',
    ),
  )
})

/** What the middle turns the head of a hello into: `BLZ | version | pattern | id length`. */
const downgrades: Record<string, (hello: Uint8Array) => Uint8Array> = {
  'version 0': (hello) => hello.with(3, 0),
  'version 2': (hello) => hello.with(3, 2),
  'pattern 0': (hello) => hello.with(4, 0),
  'pattern 2, with an id': (hello) =>
    Uint8Array.of(...hello.with(4, 2).with(5, 16).slice(0, 6), ...new Uint8Array(16), ...hello.slice(6)),
  'pattern 3': (hello) => hello.with(4, 3),
  'an id where none is': (hello) => hello.with(5, 1),
}

test('a hello that was moved to another version or suite is refused', async () => {
  await world.attack(Object.keys(downgrades).length, async () => {
    for (const [what, downgrade] of Object.entries(downgrades)) {
      const link = tampered(await world.dial(), (record, index) => (index === 0 ? downgrade(record) : record))
      assert.is(await codeOf(dialChannel(link, world.xk())), 'SERVER_KEY_MISMATCH', what)
    }
  })
})

test('a device refuses a server that answers with another TLS or protocol name', async () => {
  const { certificate, privateKey } = await createCertificate(world.env)
  const base = { cert: certificate, key: privateKey }
  for (const options of [
    { ...base, maxVersion: 'TLSv1.2' as const, ALPNProtocols: ['blazed/1'] },
    { ...base, ALPNProtocols: ['http/1.1'] },
    base,
  ]) {
    const server = createTlsServer(options, (socket) => void socket.on('error', () => undefined))
    server.on('tlsClientError', () => undefined)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const endpoint = { ...world.endpoint, port: (server.address() as AddressInfo).port }
    assert.is(await codeOf(world.transport.dial(endpoint, { timeoutMs: 5_000 })), 'UNREACHABLE')
    server.close()
  }
})

test('a server that hangs up before or after the hello is no wrong key', async () => {
  const server = createServer((socket) => socket.destroy())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const endpoint = { ...world.endpoint, port: (server.address() as AddressInfo).port }
  assert.is(await codeOf(world.transport.dial(endpoint, { timeoutMs: 5_000 })), 'UNREACHABLE')
  server.close()
})

test.run()
