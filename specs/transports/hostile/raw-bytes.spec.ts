// time limit: 60 s
/** Bytes that are no protocol of ours, at every layer of a listening supervisor: each costs its connection and nothing else. */
import { randomBytes } from 'node:crypto'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../../../runtime/index.ts'
import { expectRefusal, HostileWorld, pause } from './hostile-world.ts'

const world = new HostileWorld()
test.before(() => world.open())
test.after(() => world.close())

const http = Buffer.from('GET /sync HTTP/1.1\r\nHost: pi\r\nConnection: keep-alive\r\n\r\n')
const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

test('random bytes, HTTP and our own records sent in the clear to the raw port', async () => {
  const hello = Buffer.concat([u32(10), Buffer.from('BLZ'), Buffer.alloc(7, 1)])
  const inputs = [randomBytes(1), randomBytes(5_000), http, Buffer.alloc(100_000, 0xff), hello]
  // Who sends one byte and leaves did nothing wrong yet.
  await world.attack(inputs.length - 1, async () => {
    for (const bytes of inputs) {
      const attack = world.plain()
      attack.socket.write(bytes)
      // One byte could still become the head of a TLS record: who sent it has to hang up.
      if (bytes.length === 1) attack.socket.end()
      await attack.closed
      assert.ok(attack.got().length < 64, 'at most a TLS alert')
    }
  })
})

test('a TLS client of another protocol name, of none, and of an older TLS', async () => {
  await world.attack(3, async () => {
    for (const options of [
      { ALPNProtocols: ['h2'] },
      { ALPNProtocols: [] },
      { maxVersion: 'TLSv1.2', minVersion: 'TLSv1.2' } as const,
    ]) {
      const attack = await world.tls(options)
      await attack.closed
      assert.is(attack.got().length, 0)
    }
  })
})

test('random records, HTTP and nonsense inside TLS get the plain refusal or nothing', async () => {
  const inputs = [
    Buffer.concat([u32(1), Buffer.of(0)]),
    Buffer.concat([u32(500), randomBytes(500)]),
    Buffer.concat([u32(4), Buffer.from('BLZ\u0001')]),
    http,
    randomBytes(5_000),
  ]
  await world.attack(inputs.length, async () => {
    for (const bytes of inputs) {
      const attack = await world.tls()
      attack.socket.write(bytes)
      // Random bytes may claim a length that has not come.
      await Promise.race([attack.closed, pause(300)])
      attack.socket.end()
      await attack.closed
      expectRefusal(attack)
    }
  })
})

const bodies: [string, number, Buffer, boolean][] = [
  ['0', 0, Buffer.alloc(0), true],
  ['0 and more', 0, randomBytes(100), true],
  ['the maximum', limits.recordBytesMax, randomBytes(limits.recordBytesMax), true],
  ['one more than the maximum', limits.recordBytesMax + 1, randomBytes(limits.recordBytesMax + 1), true],
  ['4 GiB', 0xffff_ffff, Buffer.alloc(0), true],
  ['the maximum and no body', limits.recordBytesMax, Buffer.alloc(0), false],
  ['100 and half of it', 100, randomBytes(50), false],
]

test('lengths of 0, the maximum, one more, 4 GiB, with and without their bodies', async () => {
  await world.attack(bodies.length, async () => {
    for (const [what, length, body, hangsUp] of bodies) {
      const attack = await world.tls()
      attack.socket.write(Buffer.concat([u32(length), body]))
      if (!hangsUp) {
        assert.is(await Promise.race([attack.closed.then(() => true), pause(50)]), undefined, what)
        attack.socket.end()
      }
      await attack.closed
      expectRefusal(attack)
    }
  })
})

test('a hello that is none, byte by byte, is refused at its last byte', async () => {
  await world.attack(1, async () => {
    const attack = await world.tls()
    const record = Buffer.concat([u32(40), Buffer.from('BLZ\u0001\u0001\u0000'), randomBytes(34)])
    for (const byte of record) {
      assert.not.ok(attack.socket.destroyed)
      attack.socket.write(Buffer.of(byte))
      await pause(1)
    }
    await attack.closed
    assert.is(attack.got().toString('hex'), '00000002ff01')
  })
})

test.run()
