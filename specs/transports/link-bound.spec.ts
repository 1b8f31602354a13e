/** Bounds of a link over a socket, whatever socket: what may wait, when its sender is told so, and how long a close may take. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { BlazeError, Env } from '../../runtime/index.ts'
import { limits } from '../../runtime/index.ts'
import { StreamLink } from '../../transports/stream-link.ts'
import { createHandClock } from '../fixtures/hand-clock.ts'

const RECORD_BYTES = 32_768

/** A socket that takes what the spec lets it take. */
class HeldLink extends StreamLink {
  waiting = 0
  isDropped = false

  constructor(env: Env) {
    super(env, { transport: 'tls', remote: 'peer', binding: new Uint8Array(0) })
  }

  leave(bytes: number): void {
    this.waiting -= bytes
    this.written()
  }

  protected override next(): Uint8Array | undefined {
    return undefined
  }

  protected override write(record: Uint8Array): void {
    this.waiting += record.length
  }

  protected override queuedBytes(): number {
    return this.waiting
  }

  protected override listen(): void {}

  protected override finish(): void {}

  protected override drop(): void {
    if (this.isDropped) return
    this.isDropped = true
    queueMicrotask(() => this.gone())
  }

  protected override endFault(): BlazeError | undefined {
    return undefined
  }
}

function opened() {
  const clock = createHandClock()
  const link = new HeldLink(clock.env)
  const closed: (string | undefined)[] = []
  let drained = 0
  link.attach({
    record: () => undefined,
    drain: () => {
      drained += 1
    },
    closed: (error) => closed.push(error?.code),
  })
  return { clock, link, closed, drained: () => drained }
}

/** Sends so many bytes, and returns what the last send answered. */
function send(link: HeldLink, bytes: number): boolean {
  let more = true
  for (let left = bytes; left > 0; left -= RECORD_BYTES)
    more = link.send(new Uint8Array(Math.min(left, RECORD_BYTES)))
  return more
}

test('16 MiB wait on a link, one byte more is OVERLOADED', async () => {
  const { link, closed } = opened()

  send(link, limits.linkQueueBytesMax)
  await Promise.resolve()
  assert.equal([link.isDropped, closed], [false, []])
  link.send(new Uint8Array(1))
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal([link.isDropped, closed], [true, ['OVERLOADED']])
})

test('above 256 KiB the sender is told to wait, and at half of it to go on', () => {
  const { link, drained } = opened()

  assert.is(send(link, limits.linkHighWaterBytes), true)
  assert.is(link.send(new Uint8Array(1)), false)
  link.leave(limits.linkHighWaterBytes / 2)
  assert.is(drained(), 0)
  link.leave(1)
  assert.is(drained(), 1)
  assert.is(link.send(new Uint8Array(1)), true)
})

test('a close whose bytes do not leave takes 5 s, and not a millisecond less', async () => {
  const { clock, link, closed } = opened()
  send(link, 1_000)

  link.close()
  clock.turn(limits.linkLingerMs - 1)
  assert.is(link.isDropped, false)
  clock.turn(1)
  assert.is(link.isDropped, true)
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(closed, [undefined])
})

test.run()
