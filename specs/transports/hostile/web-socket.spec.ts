// time limit: 60 s
/** What goes wrong before and in a WebSocket on the port of TLS: each costs its connection and nothing else. */
import { randomBytes } from 'node:crypto'
import { connect as connectTls } from 'node:tls'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../../../runtime/index.ts'
import { createWebSocketTransport, dialChannel } from '../../../transports/index.ts'
import { codeOf } from '../../server/world.ts'
import { tampered } from '../channel/channel-world.ts'
import { HostileWorld, pause } from './hostile-world.ts'
import type { Attack } from './hostile-world.ts'

const SPEED = 20
const world = new HostileWorld({ speed: SPEED })
const transport = createWebSocketTransport(world.env)
test.before(() => world.open())
test.after(() => world.close())

const http = (): Promise<Attack> => world.tls({ ALPNProtocols: ['http/1.1'] })
const key = randomBytes(16).toString('base64')
const upgrade = (path: string, more = ''): string =>
  `GET ${path} HTTP/1.1\r\nHost: pi\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${more}\r\n`
const asked = `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n`

/** Opened, past the upgrade. */
async function opened(): Promise<Attack> {
  const attack = await http()
  attack.socket.write(upgrade('/sync', asked))
  while (!attack.got().includes('\r\n\r\n')) await pause(2)
  assert.match(attack.got().toString(), 'HTTP/1.1 101')
  return attack
}

/** A frame of a client: masked with zeros. `length` may lie. */
function frame(opcode: number, body: Uint8Array, length = body.length): Buffer {
  const head = Buffer.alloc(14)
  head[0] = opcode
  head[1] = 0x80 | 127
  head.writeBigUInt64BE(BigInt(length), 2)
  return Buffer.concat([head, body])
}

test('another request, another path, an upgrade without its key, no HTTP, and a head that never ends', async () => {
  const inputs: [string, string][] = [
    ['GET /sync HTTP/1.1\r\nHost: pi\r\n\r\n', '426'],
    ['POST /sync HTTP/1.1\r\nHost: pi\r\nContent-Length: 5\r\n\r\nhello', '426'],
    [upgrade('/', asked), '404'],
    [upgrade('/sync'), '400'],
    [`GET /sync HTTP/1.1\r\n${'x: y\r\n'.repeat(limits.httpHeadBytesMax)}`, ''],
    ['\u0000\u0001\u0002 nonsense\r\n\r\n', ''],
  ]
  await world.attack(inputs.length, async () => {
    for (const [text, answer] of inputs) {
      const attack = await http()
      attack.socket.write(text)
      await attack.closed
      const got = attack.got().toString()
      assert.ok(answer === '' ? !got.includes('101') : got.startsWith(`HTTP/1.1 ${answer}`), got.slice(0, 60))
    }
  })
})

test('who agrees on HTTP and says nothing, or a byte now and then, is cut off after ten seconds', async () => {
  await world.attack(2, async () => {
    const startMs = performance.now()
    const [silent, slow] = [await http(), await http()]
    const drip = setInterval(() => void (slow.socket.writable && slow.socket.write('G')), 50)
    await Promise.all([silent.closed, slow.closed])
    clearInterval(drip)
    const ms = performance.now() - startMs
    assert.ok(ms > (limits.handshakeMs / SPEED) * 0.9 && ms < limits.handshakeMs / SPEED + 1_500, `${ms} ms`)
  })
})

test('frames of a WebSocket that are empty, too long, text, unmasked, cut in too many, or claim 2^62 bytes', async () => {
  const unmasked = Buffer.concat([Buffer.of(0x82, 4), randomBytes(4)])
  const inputs: [string, Buffer][] = [
    ['empty', frame(0x82, new Uint8Array(0))],
    ['one more than the maximum', frame(0x82, new Uint8Array(limits.recordBytesMax + 1))],
    ['text', frame(0x81, Buffer.from('hello'))],
    ['unmasked', unmasked],
    ['a claim', frame(0x82, new Uint8Array(8), 2 ** 52)],
    ['reserved bits', frame(0xf2, randomBytes(8))],
    ['a continuation of nothing', frame(0x80, randomBytes(8))],
    [
      'too many fragments',
      Buffer.concat([
        frame(0x02, Uint8Array.of(1)),
        ...Array.from({ length: limits.webSocketFragmentsMax + 1 }, () => frame(0x00, Uint8Array.of(1))),
      ]),
    ],
    ['no hello', frame(0x82, randomBytes(80))],
  ]
  await world.attack(inputs.length, async () => {
    for (const [what, bytes] of inputs) {
      const attack = await opened()
      attack.socket.write(bytes)
      await Promise.race([
        attack.closed,
        pause(3_000).then(() => assert.unreachable(`${what}: it is still open`)),
      ])
    }
  })
})

test('a wrong server key and a damaged hello over wss are refused as over tls, and an honest device gets through', async () => {
  const endpoint = { ...world.endpoint, transport: 'wss' } as const
  const dial = (): ReturnType<typeof transport.dial> => transport.dial(endpoint, { timeoutMs: 5_000 })
  await world.attack(1, async () => {
    const damaged = tampered(await dial(), (record) => record.with(20, (record[20] ?? 0) ^ 1))
    assert.is(await codeOf(dialChannel(damaged, world.xk())), 'SERVER_KEY_MISMATCH')
  })
  const { channel } = await dialChannel(await dial(), world.xk())
  channel.close()
})

test('a TLS client that offers both names gets our own', async () => {
  const socket = connectTls({
    port: world.port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    ALPNProtocols: ['http/1.1', 'blazed/1'],
  })
  await new Promise((resolve) => socket.once('secureConnect', resolve))
  assert.is(socket.alpnProtocol, 'blazed/1')
  socket.destroy()
  await pause(20)
})

test.run()
