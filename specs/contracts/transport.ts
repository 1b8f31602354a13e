/**
 * What every transport promises, as specs that run against any of them.
 * Invariant: each spec makes its own world and closes it; waits are bounded by real time.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { BlazeError, limits } from '../../runtime/index.ts'
import type { Endpoint, Link, Listener, Transport } from '../../transports/index.ts'

export interface TransportWorld {
  /** Of the listening and of the dialling node; may be the same. */
  readonly listening: Transport
  readonly dialling: Transport
  /** One that nobody listens on: of a network with port 0, of a machine with a name of its own. */
  readonly endpoint: Endpoint
}

/** What one end of a link has seen. */
export interface Seen {
  readonly records: Uint8Array[]
  drains: number
  closed: { error: BlazeError | undefined }[]
}

export interface Pair {
  readonly listener: Listener
  readonly dialled: Link
  readonly accepted: Link
  /** Destroys both ends and the listener. */
  end(): Promise<void>
}

const WAIT_MS = 5_000

/** Waits until `condition` holds, at most five seconds unless told otherwise. */
export async function until(condition: () => boolean, what: string, waitMs: number = WAIT_MS): Promise<void> {
  const end = performance.now() + waitMs
  while (!condition()) {
    if (performance.now() > end) throw new Error(`waited in vain: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}

/** The code of the `BlazeError` that `work` rejects with. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
  } catch (error) {
    return error instanceof BlazeError ? error.code : String(error)
  }
  return 'no error'
}

/** Where a listener of a network listens. */
export function portOf(endpoint: Endpoint): number {
  if (endpoint.transport === 'uds') throw new Error(`${endpoint.name} has no port`)
  return endpoint.port
}

export async function connect(world: TransportWorld): Promise<Pair> {
  const links: Link[] = []
  const listener = await world.listening.listen(world.endpoint, (link) => links.push(link))
  const dialled = await world.dialling.dial(listener.endpoint, { timeoutMs: WAIT_MS })
  await until(() => links.length === 1, 'the listener has its link')
  const accepted = links[0]
  if (accepted === undefined) throw new Error('the listener has no link')
  const end = async (): Promise<void> => {
    dialled.destroy()
    accepted.destroy()
    await listener.close()
  }
  return { listener, dialled, accepted, end }
}

export function watch(link: Link): Seen {
  const seen: Seen = { records: [], drains: 0, closed: [] }
  link.attach({
    record: (bytes) => seen.records.push(bytes.slice()),
    drain: () => seen.drains++,
    closed: (error) => seen.closed.push({ error }),
  })
  return seen
}

function numbered(n: number, length: number): Uint8Array {
  return new Uint8Array(length).map((_, i) => (i * 31 + n * 7) & 255)
}

/** Registers the suite; the caller runs it. */
export function transportContract(name: string, makeWorld: () => TransportWorld): void {
  const promise = (sentence: string, body: () => Promise<void>): void => {
    test(`${name}: ${sentence}`, body)
  }

  promise('records of every size arrive whole and in order, both ways', async () => {
    const pair = await connect(makeWorld())
    const sizes = [1, 2, 3, 4, 5, 100, 16_383, 16_384, 65_534, limits.recordBytesMax, 1]
    const [here, there] = [watch(pair.dialled), watch(pair.accepted)]

    sizes.forEach((size, n) => pair.dialled.send(numbered(n, size)))
    sizes.forEach((size, n) => pair.accepted.send(numbered(n + 1, size)))
    await until(() => here.records.length + there.records.length === 2 * sizes.length, 'all records')

    sizes.forEach((size, n) => {
      assert.ok(Buffer.from(numbered(n, size)).equals(there.records[n] ?? new Uint8Array(0)))
      assert.ok(Buffer.from(numbered(n + 1, size)).equals(here.records[n] ?? new Uint8Array(0)))
    })
    await pair.end()
  })

  promise('a record of no bytes, or of one too many, is a TypeError', async () => {
    const pair = await connect(makeWorld())

    assert.throws(() => pair.dialled.send(new Uint8Array(0)), TypeError)
    assert.throws(() => pair.dialled.send(new Uint8Array(limits.recordBytesMax + 1)), TypeError)

    await pair.end()
  })

  promise('records that came before attach are delivered at attach', async () => {
    const pair = await connect(makeWorld())
    watch(pair.dialled)

    for (let n = 0; n < 20; n++) pair.dialled.send(numbered(n, 50))
    await new Promise((resolve) => setTimeout(resolve, 20))
    const there = watch(pair.accepted)
    await until(() => there.records.length === 20, 'the early records')

    assert.equal(there.records[19], numbered(19, 50))
    await pair.end()
  })

  promise('a paused link delivers nothing, from within a record too, until resume', async () => {
    const pair = await connect(makeWorld())
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
    await until(() => got.length === 1, 'the first record')
    await new Promise((resolve) => setTimeout(resolve, 20))
    assert.equal(got, [1])
    pair.accepted.resume()
    await until(() => got.length === 2, 'the second record')
    pair.accepted.resume()
    await until(() => got.length === 3, 'the third record')

    assert.equal(got, [1, 2, 3])
    await pair.end()
  })

  promise('a sender is told to wait when the receiver is paused, and told when there is room', async () => {
    const pair = await connect(makeWorld())
    const here = watch(pair.dialled)
    const there = watch(pair.accepted)
    pair.accepted.pause()
    let sent = 0

    // Large enough for what an operating system buffers on its own.
    while (pair.dialled.send(numbered(sent, 60_000)) && sent < 2_000) {
      sent++
      if (sent % 4 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    assert.ok(sent < 2_000, 'the sender was told to wait')
    assert.is(here.drains, 0)
    pair.accepted.resume()
    await until(() => here.drains === 1 && there.records.length === sent + 1, 'the drain')

    assert.equal(there.records[sent], numbered(sent, 60_000))
    await pair.end()
  })

  promise('a sender that ignores the wait is cut off with OVERLOADED at a bound', async () => {
    const pair = await connect(makeWorld())
    const here = watch(pair.dialled)
    const there = watch(pair.accepted)
    pair.accepted.pause()

    for (let sent = 0; sent < 2 * limits.linkQueueBytesMax; sent += 60_000)
      pair.dialled.send(numbered(1, 60_000))
    await until(() => here.closed.length === 1, 'the cut')
    pair.accepted.resume()
    await until(() => there.closed.length === 1, 'the peer sees it')

    assert.is(here.closed[0]?.error?.code, 'OVERLOADED')
    await pair.end()
  })

  promise('close delivers what was sent, then ends both sides once and in order', async () => {
    const pair = await connect(makeWorld())
    const [here, there] = [watch(pair.dialled), watch(pair.accepted)]

    for (let n = 0; n < 10; n++) pair.dialled.send(numbered(n, 30_000))
    pair.dialled.close()
    pair.dialled.close()
    await until(() => here.closed.length > 0 && there.closed.length > 0, 'both ends closed')
    await new Promise((resolve) => setTimeout(resolve, 10))

    assert.is(there.records.length, 10)
    assert.equal(here.closed, [{ error: undefined }])
    assert.equal(there.closed, [{ error: undefined }])
    assert.ok(pair.dialled.send(Uint8Array.of(1)), 'sending after the end does nothing')
    await pair.end()
  })

  promise('close is seen by a peer that attaches later', async () => {
    const pair = await connect(makeWorld())
    watch(pair.dialled)

    pair.dialled.send(Uint8Array.of(9))
    pair.dialled.close()
    await new Promise((resolve) => setTimeout(resolve, 20))
    const there = watch(pair.accepted)
    await until(() => there.closed.length === 1, 'the end')

    assert.equal(there.records, [Uint8Array.of(9)])
    assert.equal(there.closed, [{ error: undefined }])
    await pair.end()
  })

  promise('destroy reports its error here and ends the peer', async () => {
    const pair = await connect(makeWorld())
    const [here, there] = [watch(pair.dialled), watch(pair.accepted)]

    pair.accepted.destroy(new BlazeError('PROTOCOL_VIOLATION', 'planted'))
    await until(() => here.closed.length > 0 && there.closed.length > 0, 'both ends closed')

    assert.is(there.closed.length, 1)
    assert.is(there.closed[0]?.error?.code, 'PROTOCOL_VIOLATION')
    assert.is(here.closed.length, 1)
    assert.ok([undefined, 'LINK_CLOSED'].includes(here.closed[0]?.error?.code))
    await pair.end()
  })

  promise('a taken endpoint is PORT_IN_USE, and free again once its listener is closed', async () => {
    const world = makeWorld()
    const first = await world.listening.listen(world.endpoint, () => undefined)

    assert.is(await codeOf(world.listening.listen(first.endpoint, () => undefined)), 'PORT_IN_USE')
    await first.close()
    const second = await world.listening.listen(first.endpoint, () => undefined)

    assert.equal(second.endpoint, first.endpoint)
    await second.close()
  })

  promise('links outlive the listener that took them', async () => {
    const pair = await connect(makeWorld())
    watch(pair.dialled)
    const there = watch(pair.accepted)

    await pair.listener.close()
    pair.dialled.send(Uint8Array.of(5))
    await until(() => there.records.length === 1, 'the record')

    await pair.end()
  })

  promise('dialling where nobody listens is UNREACHABLE, an aborted dial is ABORTED', async () => {
    const world = makeWorld()
    const listener = await world.listening.listen(world.endpoint, () => undefined)
    await listener.close()
    const { endpoint } = listener
    const abort = new AbortController()

    assert.is(await codeOf(world.dialling.dial(endpoint, { timeoutMs: WAIT_MS })), 'UNREACHABLE')
    const dial = world.dialling.dial(endpoint, { timeoutMs: WAIT_MS, signal: abort.signal })
    abort.abort()
    assert.is(await codeOf(dial), 'ABORTED')
    const signal = AbortSignal.abort()
    assert.is(await codeOf(world.dialling.dial(endpoint, { timeoutMs: WAIT_MS, signal })), 'ABORTED')
  })
}
