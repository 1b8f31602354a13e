// time limit: 90 s
/**
 * Who keeps a connection open and says as little as possible is cut off, in every state of it. The clock of the supervisor runs
 * twenty times as fast, but for the handshake of TLS, which Node times.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../../../runtime/index.ts'
import { dialChannel } from '../../../transports/index.ts'
import { tampered } from '../channel/channel-world.ts'
import { expectRefusal, HostileWorld, pause } from './hostile-world.ts'
import type { Attack } from './hostile-world.ts'

const SPEED = 20
const world = new HostileWorld({ speed: SPEED })
test.before(() => world.open())
test.after(() => world.close())

const handshakeMs = limits.handshakeMs / SPEED
const silenceMs = limits.silenceMs / SPEED
/** What timers and a busy machine may add. */
const LATE_MS = 1_500

/** A byte now and then, for as long as the socket lives. Resolves with the milliseconds that it did. */
async function drip({ socket, closed }: Attack, bytes: Uint8Array): Promise<number> {
  const startMs = performance.now()
  let open = true
  void closed.then(() => (open = false))
  for (const byte of bytes) {
    if (!open) break
    socket.write(Uint8Array.of(byte))
    await pause(20)
  }
  await closed
  return performance.now() - startMs
}

function expectMs(ms: number, limitMs: number): void {
  assert.ok(ms >= limitMs * 0.9 && ms < limitMs + LATE_MS, `after ${ms} ms, where ${limitMs} are allowed`)
}

test('before and in the handshake of TLS, after ten seconds', async () => {
  await world.attack(2, async () => {
    const silent = world.plain()
    const slow = world.plain()
    // The head of a handshake record, then its body, a byte at a time.
    const body = Uint8Array.of(0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, ...new Uint8Array(500))
    const [silentMs, slowMs] = await Promise.all([drip(silent, new Uint8Array(0)), drip(slow, body)])
    expectMs(silentMs, limits.handshakeMs)
    expectMs(slowMs, limits.handshakeMs)
  })
})

test('before the hello, in the middle of it, and in the middle of a record that claims the maximum', async () => {
  await world.attack(3, async () => {
    const attacks = [await world.tls(), await world.tls(), await world.tls()] as const
    const hello = Uint8Array.of(0, 0, 0, 200, ...Buffer.from('BLZ'), 1, 1, 0, ...new Uint8Array(190))
    const long = Uint8Array.of(0, 0, 0xff, 0xff, ...new Uint8Array(500))
    const times = await Promise.all([
      drip(attacks[0], new Uint8Array(0)),
      drip(attacks[1], hello),
      drip(attacks[2], long),
    ])
    for (const ms of times) expectMs(ms, handshakeMs)
    for (const attack of attacks) expectRefusal(attack)
  })
})

test('after the welcome, before the verify and in the middle of it, counted from the start of the link', async () => {
  await world.attack(2, async () => {
    const times = [new Uint8Array(0), Uint8Array.of(0, 0, 0, 200, 3, ...new Uint8Array(150))].map(
      async (bytes) => {
        const attack = await world.link()
        const onlyHello = tampered(attack.link, (record, index) => (index === 0 ? record : undefined))
        const dialled = dialChannel(onlyHello, world.xk()).then(
          () => 'ok',
          ({ code }: { code?: string }) => code,
        )
        await pause(handshakeMs / 5)
        const ms = handshakeMs / 5 + (await drip(attack, bytes))
        assert.is(await dialled, 'LINK_CLOSED')
        return ms
      },
    )
    for (const ms of await Promise.all(times)) expectMs(ms, handshakeMs)
  })
})

test('in an open channel: who answers no ping, and who never finishes a record; neither is called hostile', async () => {
  await world.attack(0, async () => {
    const times = [new Uint8Array(0), Uint8Array.of(0, 0, 0xff, 0xff, ...new Uint8Array(800))].map(
      async (bytes) => {
        const attack = await world.link()
        let muted = false
        const { channel } = await dialChannel(
          tampered(attack.link, (record) => (muted ? undefined : record)),
          world.xk(),
        )
        channel.attach({ message: () => undefined, writable: () => undefined, closed: () => undefined })
        muted = true
        const ms = await drip(attack, bytes)
        channel.destroy()
        return ms
      },
    )
    for (const ms of await Promise.all(times)) expectMs(ms, silenceMs)
  })
})

test.run()
