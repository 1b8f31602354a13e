/**
 * What every transport promises, as cases that run against any of them: for authors of transports, with whatever test runner they have.
 * Invariant: each case makes its own links and ends them; waits are bounded.
 */
import { BlazeError, limits } from '../../runtime/index.ts'
import { expect, expectEqual, expectTypeError, numbered, TransportBench, watch } from './transport-bench.ts'
import type { TransportWorld } from './transport-bench.ts'

export interface ConformanceCase {
  /** A sentence that is true of a transport that keeps the contract. */
  readonly name: string
  /** Rejects with an `Error` that says what was otherwise. */
  run(world: TransportWorld): Promise<void>
}

const DIAL_MS = 5_000

const cases: Readonly<Record<string, (world: TransportBench) => Promise<void>>> = {
  'records of every size arrive whole and in order, both ways': async (world) => {
    const pair = await world.connect()
    const sizes = [1, 2, 3, 4, 5, 100, 16_383, 16_384, 65_534, limits.recordBytesMax, 1]
    const [here, there] = [watch(pair.dialled), watch(pair.accepted)]

    sizes.forEach((size, n) => pair.dialled.send(numbered(n, size)))
    sizes.forEach((size, n) => pair.accepted.send(numbered(n + 1, size)))
    await world.until(() => here.records.length + there.records.length === 2 * sizes.length, 'all records')

    sizes.forEach((size, n) => {
      expectEqual(there.records[n], numbered(n, size), `record ${n} there`)
      expectEqual(here.records[n], numbered(n + 1, size), `record ${n} here`)
    })
  },
  'a record of no bytes, or of one too many, is a TypeError': async (world) => {
    const pair = await world.connect()

    expectTypeError(() => pair.dialled.send(new Uint8Array(0)))
    expectTypeError(() => pair.dialled.send(new Uint8Array(limits.recordBytesMax + 1)))
  },
  'records that came before attach are delivered at attach': async (world) => {
    const pair = await world.connect()
    watch(pair.dialled)

    for (let n = 0; n < 20; n++) pair.dialled.send(numbered(n, 50))
    await world.rest()
    const there = watch(pair.accepted)
    await world.until(() => there.records.length === 20, 'the early records')

    expectEqual(there.records[19], numbered(19, 50))
  },
  'a paused link delivers nothing, from within a record too, until resume': async (world) => {
    const pair = await world.connect()
    const got: number[] = []
    pair.accepted.attach({
      record: (bytes) => {
        got.push(bytes[0] ?? 0)
        pair.accepted.pause()
      },
      drain: () => undefined,
      closed: () => undefined,
    })

    for (let n = 1; n <= 3; n++) pair.dialled.send(Uint8Array.of(n))
    await world.until(() => got.length === 1, 'the first record')
    await world.rest()
    expectEqual(got, [1])
    pair.accepted.resume()
    await world.until(() => got.length === 2, 'the second record')
    pair.accepted.resume()
    await world.until(() => got.length === 3, 'the third record')

    expectEqual(got, [1, 2, 3])
  },
  'a sender is told to wait when the receiver is paused, and told when there is room': async (world) => {
    const pair = await world.connect()
    const here = watch(pair.dialled)
    const there = watch(pair.accepted)
    pair.accepted.pause()
    let sent = 0

    // Large enough for what an operating system buffers on its own.
    while (pair.dialled.send(numbered(sent, 60_000)) && sent < 2_000) {
      sent++
      if (sent % 4 === 0) await world.rest(0)
    }
    expect(sent < 2_000, 'the sender was told to wait')
    expectEqual(here.drains, 0)
    pair.accepted.resume()
    await world.until(() => here.drains === 1 && there.records.length === sent + 1, 'the drain')

    expectEqual(there.records[sent], numbered(sent, 60_000))
  },
  'a sender that ignores the wait is cut off with OVERLOADED at a bound': async (world) => {
    const pair = await world.connect()
    const here = watch(pair.dialled)
    const there = watch(pair.accepted)
    pair.accepted.pause()

    for (let sent = 0; sent < 2 * limits.linkQueueBytesMax; sent += 60_000)
      pair.dialled.send(numbered(1, 60_000))
    await world.until(() => here.closed.length === 1, 'the cut')
    pair.accepted.resume()
    await world.until(() => there.closed.length === 1, 'the peer sees it')

    expectEqual(here.closed[0]?.code, 'OVERLOADED')
  },
  'close delivers what was sent, then ends both sides once and in order': async (world) => {
    const pair = await world.connect()
    const [here, there] = [watch(pair.dialled), watch(pair.accepted)]

    for (let n = 0; n < 10; n++) pair.dialled.send(numbered(n, 30_000))
    pair.dialled.close()
    pair.dialled.close()
    await world.until(() => here.closed.length > 0 && there.closed.length > 0, 'both ends closed')
    await world.rest()

    expectEqual(there.records.length, 10)
    expectEqual(here.closed, [undefined])
    expectEqual(there.closed, [undefined])
    expect(pair.dialled.send(Uint8Array.of(1)), 'sending after the end does nothing')
  },
  'close is seen by a peer that attaches later': async (world) => {
    const pair = await world.connect()
    watch(pair.dialled)

    pair.dialled.send(Uint8Array.of(9))
    pair.dialled.close()
    await world.rest()
    const there = watch(pair.accepted)
    await world.until(() => there.closed.length === 1, 'the end')

    expectEqual(there.records, [Uint8Array.of(9)])
    expectEqual(there.closed, [undefined])
  },
  'destroy reports its error here and ends the peer': async (world) => {
    const pair = await world.connect()
    const [here, there] = [watch(pair.dialled), watch(pair.accepted)]

    pair.accepted.destroy(new BlazeError('PROTOCOL_VIOLATION', 'planted'))
    await world.until(() => here.closed.length > 0 && there.closed.length > 0, 'both ends closed')

    expectEqual(there.closed.length, 1)
    expectEqual(there.closed[0]?.code, 'PROTOCOL_VIOLATION')
    expectEqual(here.closed.length, 1)
    expect([undefined, 'LINK_CLOSED'].includes(here.closed[0]?.code), 'an end, or LINK_CLOSED, at the peer')
  },
  'a taken endpoint is PORT_IN_USE, and free again once its listener is closed': async (world) => {
    const first = await world.listening.listen(world.endpoint, () => undefined)

    expectEqual(await world.codeOf(world.listening.listen(first.endpoint, () => undefined)), 'PORT_IN_USE')
    await first.close()
    const second = await world.listening.listen(first.endpoint, () => undefined)

    expectEqual(second.endpoint, first.endpoint)
    await second.close()
  },
  'links outlive the listener that took them': async (world) => {
    const pair = await world.connect()
    watch(pair.dialled)
    const there = watch(pair.accepted)

    await pair.listener.close()
    pair.dialled.send(Uint8Array.of(5))
    await world.until(() => there.records.length === 1, 'the record')
  },
  'dialling where nobody listens is UNREACHABLE, an aborted dial is ABORTED': async (world) => {
    const listener = await world.listening.listen(world.endpoint, () => undefined)
    await listener.close()
    const { endpoint } = listener
    const abort = new AbortController()

    expectEqual(await world.codeOf(world.dialling.dial(endpoint, { timeoutMs: DIAL_MS })), 'UNREACHABLE')
    const dial = world.dialling.dial(endpoint, { timeoutMs: DIAL_MS, signal: abort.signal })
    abort.abort()
    expectEqual(await world.codeOf(dial), 'ABORTED')
    const signal = AbortSignal.abort()
    expectEqual(await world.codeOf(world.dialling.dial(endpoint, { timeoutMs: DIAL_MS, signal })), 'ABORTED')
  },
}

export const transportConformance: readonly ConformanceCase[] = Object.entries(cases).map(([name, work]) => ({
  name,
  async run(world) {
    const bench = new TransportBench(world)
    try {
      await work(bench)
    } finally {
      await bench.end()
    }
  },
}))
