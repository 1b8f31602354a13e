// time limit: 120 s
/** A thousand sockets that say nothing, from the address of the honest device itself, do not keep it out. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../../../runtime/index.ts'
import { expectRefusal, HostileWorld, pause } from './hostile-world.ts'
import type { Attack } from './hostile-world.ts'

const COUNT = 1_000
const world = new HostileWorld()
test.before(() => world.open())
test.after(() => world.close())

async function connectsWithinASecond(): Promise<void> {
  const startMs = performance.now()
  const connected = await world.device.connect(world.endpoint, world.serverKey)
  await connected.registerDatabase('in-between', new Uint8Array(16).fill(7))
  const ms = performance.now() - startMs
  connected.close()
  assert.ok(ms < 1_000, `it took ${ms} ms`)
}

/** Until so many were turned away, or for ten seconds. */
async function busy(count: number): Promise<void> {
  for (let n = 0; n < 200 && ((await world.status()).refused['BUSY'] ?? 0) < count; n++) await pause(50)
}

test('1,000 sockets that do not begin with TLS', async () => {
  // Those that were let go for younger ones are counted, those that left by themselves are not.
  await world.attack([COUNT - limits.strangersPerAddressMax, COUNT], async () => {
    const silent = Array.from({ length: COUNT }, () => world.plain())
    await busy(COUNT - limits.strangersPerAddressMax)
    await connectsWithinASecond()
    for (const { socket } of silent) socket.destroy()
  })
})

test('1,000 sockets that end with TLS: the oldest give way to who comes', async () => {
  await world.attack(COUNT, async () => {
    const silent: Attack[] = []
    while (silent.length < COUNT) {
      const more = Math.min(50, COUNT - silent.length)
      silent.push(...(await Promise.all(Array.from({ length: more }, () => world.tls()))))
    }
    await pause(limits.handshakePatienceMs + 100)
    await connectsWithinASecond()
    const { clients } = await world.status()
    assert.ok(clients <= limits.handshakesPerAddressMax + 2, `${clients} connections are held`)
    for (const attack of silent) {
      expectRefusal(attack)
      attack.socket.destroy()
    }
  })
})

test.run()
