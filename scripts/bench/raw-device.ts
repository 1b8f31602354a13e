/**
 * Child process of the benchmarks: the raw limit of a relay or of a device. TLS 1.3 and classic-level, nothing else: no seal, no
 * signature, no index, no acknowledgement but the echo. Invariant: what it counts is stored by a synced batch.
 */
import { join } from 'node:path'
import { answerParent } from '../process/call.ts'
import type { RawCalls } from './device-calls.ts'
import { Latencies, machineMs, openLoop } from './load.ts'
import { dialRaw, listenRaw } from './raw-link.ts'
import type { RawLink } from './raw-link.ts'
import { makeRows, openRawStore, putBatch, putOne } from './raw-store.ts'
import type { RawRow, RawStore } from './raw-store.ts'

/** First byte of a link: what the relay shall do with it. */
const mode = { rows: 1, echo: 2, bounce: 3, follow: 4, post: 5 } as const
/** Rows of one synced batch of the receiver: a bigger one gains no more. */
const batch = 1_000
/** Rows of one write of the sender: some records of TLS at their full length. */
const sentTogether = 128
const waitMs = 60_000
const keyBytes = 16
/** First byte of the keys that `scan` reads: those of envelopes. */
const tagRow = 0x74

const open: { close(): Promise<void> | void }[] = []

async function openStore(at: string): Promise<RawStore> {
  const store = await openRawStore(at)
  open.push(store)
  return store
}

async function sendRows(link: RawLink, store: RawStore): Promise<void> {
  let waiting: RawRow[] = []
  for await (const [key, value] of store.iterator()) {
    waiting.push({ key, value })
    if (waiting.length < sentTogether) continue
    await link.sendAll(waiting)
    waiting = []
  }
  if (waiting.length > 0) await link.sendAll(waiting)
}

async function echoRows(link: RawLink, store: RawStore): Promise<void> {
  link.onRow((row) => {
    putOne(store, row).then(
      () => link.send(row),
      (error: unknown) => link.destroy(error),
    )
  })
}

/** Of the relay: those who get every row that is posted. */
const followers = new Set<RawLink>()

async function serve(link: RawLink, asked: number, store: RawStore): Promise<void> {
  switch (asked) {
    case mode.rows:
      return sendRows(link, store)
    case mode.echo:
      return echoRows(link, store)
    case mode.bounce:
      return link.onRow((row) => void link.send(row))
    case mode.follow:
      link.onEnd(() => followers.delete(link))
      return void followers.add(link)
    case mode.post:
      return link.onRow((row) => {
        putOne(store, row).then(
          () => Promise.all([...followers].map((follower) => follower.send(row))),
          (error: unknown) => link.destroy(error),
        )
      })
    default:
      throw new Error(`no mode ${asked}`)
  }
}

/** Of a device: what each of its links has stored, and by when; its own link for what it posts. */
const followed: Latencies[] = []
let posting: { readonly link: RawLink; readonly store: RawStore } | undefined

function numberOf({ key }: RawRow): number {
  return new DataView(key.buffer, key.byteOffset).getUint32(0)
}

const calls: RawCalls = {
  async listen({ at, certificate, privateKey }) {
    const store = await openStore(at)
    const listener = await listenRaw({ certificate, privateKey }, (link, asked) => {
      serve(link, asked, store).catch((error: unknown) => link.destroy(error))
    })
    open.push(listener)
    return listener.port
  },
  async take({ at, port, rows }) {
    const store = await openStore(at)
    const startMs = machineMs()
    const link = await dialRaw(port, mode.rows)
    let waiting: RawRow[] = []
    let stored = 0
    let last: Promise<void> = Promise.resolve()
    await new Promise<void>((resolve, reject) => {
      const storeWaiting = (): void => {
        const part = waiting
        waiting = []
        last = last.then(async () => {
          await putBatch(store, part)
          stored += part.length
          if (stored === rows) resolve()
        })
        last.catch(reject)
      }
      let taken = 0
      link.onRow((row) => {
        waiting.push(row)
        taken += 1
        if (waiting.length === batch || taken === rows) storeWaiting()
      })
      link.onEnd(reject)
    })
    const ms = machineMs() - startMs
    link.destroy()
    return { ms }
  },
  async bounce({ port, rowBytes }) {
    const [row] = makeRows(1, { keyBytes, valueBytes: rowBytes })
    if (row === undefined) throw new Error('no row')
    const startMs = machineMs()
    const link = await dialRaw(port, mode.bounce)
    await new Promise<void>((resolve, reject) => {
      link.onRow(() => resolve())
      link.onEnd(reject)
      void link.send(row)
    })
    const ms = machineMs() - startMs
    link.destroy()
    return { ms }
  },
  async follow({ at, port, links }) {
    for (let n = 0; n < links; n += 1) {
      const store = await openStore(join(at, String(n)))
      const link = await dialRaw(port, mode.follow)
      const times = new Latencies()
      followed.push(times)
      link.onRow((row) => {
        putOne(store, row).then(
          () => times.note(numberOf(row), machineMs()),
          (error: unknown) => link.destroy(error),
        )
      })
      open.push({ close: () => link.destroy() })
    }
  },
  async followed({ n }) {
    const all = await Promise.all(followed.map((times) => times.all(n + 1, waitMs)))
    return Math.max(...all.map((times) => times[n] ?? Number.NaN))
  },
  async post({ at, port, n, rowBytes }) {
    posting ??= { store: await openStore(at), link: await dialRaw(port, mode.post) }
    const [row] = makeRows(1, { keyBytes, valueBytes: rowBytes })
    if (row === undefined) throw new Error('no row')
    new DataView(row.key.buffer).setUint32(0, n)
    const startMs = machineMs()
    await putOne(posting.store, row)
    await posting.link.send(row)
    return startMs
  },
  async scan({ at }) {
    const store = await openRawStore(at)
    const startMs = machineMs()
    let rows = 0
    for await (const [key] of store.iterator({ gte: Uint8Array.of(tagRow), lt: Uint8Array.of(tagRow + 1) }))
      rows += Math.min(1, key.length)
    const ms = machineMs() - startMs
    await store.close()
    return { ms, rows }
  },
  async echo({ at, port, rowBytes, ...plan }) {
    const store = await openStore(at)
    const rows = makeRows(plan.updates, { keyBytes, valueBytes: rowBytes })
    const starts: number[] = []
    const latencies = new Latencies()
    const link = await dialRaw(port, mode.echo)
    link.onRow((row) => {
      const n = numberOf(row)
      latencies.note(n, machineMs() - (starts[n] ?? 0))
    })
    await openLoop(plan, async (n, startMs) => {
      starts[n] = startMs
      const row = rows[n]
      if (row === undefined) return
      await putOne(store, row)
      await link.send(row)
    })
    const all = await latencies.all(plan.updates, waitMs)
    link.destroy()
    return all
  },
  async putTwice({ at, rowBytes, ...plan }) {
    const from = await openStore(join(at, 'from'))
    const to = await openStore(join(at, 'to'))
    const rows = makeRows(plan.updates, { keyBytes, valueBytes: rowBytes })
    const latencies = new Latencies()
    await openLoop(plan, async (n, startMs) => {
      const row = rows[n]
      if (row === undefined) return
      await putOne(from, row)
      await putOne(to, row)
      latencies.note(n, machineMs() - startMs)
    })
    return latencies.all(plan.updates, waitMs)
  },
  async close() {
    for (const resource of open.splice(0).reverse()) await resource.close()
  },
}

answerParent(calls, () => calls.close(null))
