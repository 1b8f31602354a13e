/** How a channel stays alive, how its streams end, and how it ends itself. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { limits } from '../../../runtime/index.ts'
import type { Link } from '../../../transports/index.ts'
import { bytes, ends, stream, tampered } from './channel-world.ts'

const seed = Number(process.env['SEED'] ?? Math.trunc(Math.random() * 2 ** 31))
console.log(`seed ${seed}; repeat with SEED=${seed}`)

const OPEN = 8
const RESET = 9
const DATA = 21
const MIB = 1024 * 1024

test('ping measures the round trip', async () => {
  const e = await ends()
  e.world.network.setFaults({ latencyMs: 10 })

  assert.is(e.dialler.roundTripMs, undefined)
  e.dialler.ping()
  await e.settle()

  const roundTripMs = e.dialler.roundTripMs ?? 0
  assert.ok(roundTripMs >= 20 && roundTripMs < 22, `${roundTripMs} ms`)
})

test('an idle channel lives on, and a peer that falls silent is given up after 40 seconds', async () => {
  const e = await ends()

  await e.world.simulation.pass(600_000)
  assert.equal([e.here.closed, e.there.closed], [[], []])
  assert.ok(e.world.app.monotonic() - e.dialler.lastHeardMs <= limits.pingIntervalMs + 10)
  const last = e.world.app.monotonic()
  e.world.network.partition('app', 'pi')
  while (e.here.closed.length === 0) await e.world.simulation.pass(100)
  const silentMs = e.world.app.monotonic() - last
  await e.world.simulation.pass(limits.silenceMs)

  assert.equal([e.here.closed, e.there.closed], [['LINK_CLOSED'], ['LINK_CLOSED']])
  assert.ok(
    silentMs >= limits.silenceMs - limits.pingIntervalMs - 100 && silentMs <= limits.silenceMs + 200,
    `${silentMs}`,
  )
})

test('a bye carries its code, an orderly one none; both ends are told once', async () => {
  const withCode = await ends()
  withCode.acceptor.close('QUOTA', 'the quota is used up')
  await withCode.settle()
  assert.equal([withCode.here.closed, withCode.there.closed], [['QUOTA'], [undefined]])

  const orderly = await ends()
  orderly.dialler.close()
  orderly.dialler.close()
  await orderly.settle()
  assert.equal([orderly.here.closed, orderly.there.closed], [[undefined], [undefined]])
})

test('a link that ends without a bye is TRUNCATED, cut or closed, and never an orderly end', async () => {
  const cut = await ends()
  cut.world.network.cut('pi')
  await cut.settle()
  assert.equal([cut.here.closed, cut.there.closed], [['TRUNCATED'], ['TRUNCATED']])

  let link: Link | undefined
  const closed = await ends(1, ([near, far]) => {
    link = near
    return [near, far]
  })
  link?.close()
  await closed.settle()
  assert.equal([closed.here.closed, closed.there.closed], [['TRUNCATED'], ['TRUNCATED']])
})

test('close sends what credit allows before its bye; destroy sends nothing', async () => {
  const e = await ends()
  const id = await stream(e)
  e.dialler.send(id, DATA, bytes(300_000))
  e.dialler.close()
  await e.settle()
  assert.is(e.there.messages[0]?.body.length, 300_000)
  assert.equal(e.there.closed, [undefined])

  const other = await ends()
  other.dialler.send(0, 6, bytes(1))
  other.dialler.destroy()
  await other.settle()
  assert.is(other.there.messages.length, 0)
  assert.equal(other.there.closed, ['TRUNCATED'])
})

test('after the end nothing is sent or delivered', async () => {
  const e = await ends()
  const id = await stream(e)
  e.acceptor.attach({
    message: (lane, type, body) => {
      e.there.messages.push({ stream: lane, type, body })
      e.acceptor.close()
    },
    writable: () => assert.unreachable(),
    closed: (error) => e.there.closed.push(error?.code),
  })

  for (let n = 0; n < 5; n++) e.dialler.send(id, DATA, bytes(5))
  await e.settle()

  assert.is(e.there.messages.length, 1)
  assert.is(e.acceptor.send(0, 7, bytes(1)), false)
  assert.equal([e.here.closed, e.there.closed], [[undefined], [undefined]])
})

test('a reset ends its stream at both ends, drops what was queued, and late messages vanish', async () => {
  const e = await ends()
  const [first, second] = [await stream(e), await stream(e)]

  e.acceptor.send(first, DATA, bytes(10))
  e.dialler.send(first, DATA, new Uint8Array(MIB))
  e.dialler.send(first, RESET, bytes(4))
  e.dialler.send(second, DATA, bytes(3))
  await e.settle()

  assert.equal(
    e.there.messages.map((message) => [message.stream, message.type]),
    [
      [first, RESET],
      [second, DATA],
    ],
  )
  assert.is(e.here.messages.length, 0)
  assert.is(e.acceptor.send(first, DATA, bytes(1)), false)
  e.acceptor.consumed(first, 5)
  assert.is(e.dialler.queuedBytes(first), 0)
  assert.equal([e.here.closed, e.there.closed], [[], []])
})

test('a stream that is reset before its open has left is never heard of', async () => {
  const e = await ends()
  const id = e.dialler.open()
  e.dialler.send(id, OPEN, bytes(16))
  e.dialler.send(id, RESET, bytes(4))
  const next = await stream(e)
  e.dialler.send(next, DATA, bytes(1))
  await e.settle()

  assert.equal(
    e.there.messages.map((message) => message.stream),
    [next],
  )
  assert.equal(e.there.closed, [])
})

test('a lost, doubled, swapped or changed record ends the channel with LINK_CLOSED, and nothing of it is delivered', async () => {
  const faults = [{ loss: 0.3 }, { duplicate: 0.3 }, { reorder: 0.5 }]
  for (const [n, fault] of faults.entries()) {
    const e = await ends(seed + n)
    e.world.network.setFaults({ ...fault, latencyMs: 5 })
    const sent: number[] = []
    for (let i = 0; i < 60; i++) {
      e.dialler.send(0, 6, Uint8Array.of(i))
      sent.push(i)
      await e.world.simulation.pass(1)
    }
    await e.settle()
    assert.equal(e.there.closed, ['LINK_CLOSED'], JSON.stringify(fault))
    const got = e.there.messages.map(({ body }) => body[0] ?? -1)
    assert.equal(got, sent.slice(0, got.length))
  }

  let flip = false
  const e = await ends(1, ([near, far]) => [
    tampered(near, (record) => (flip ? record.map((byte, i) => (i === 3 ? byte ^ 1 : byte)) : record)),
    far,
  ])
  flip = true
  e.dialler.send(0, 6, bytes(5))
  await e.settle()
  assert.equal([e.there.messages.length, e.there.closed], [0, ['LINK_CLOSED']])
})

test.run()
