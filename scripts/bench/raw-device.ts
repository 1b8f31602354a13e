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
const mode = { rows: 1, echo: 2 } as const
/** Rows of one synced batch of the receiver: a bigger one gains no more. */
const batch = 1_000
const waitMs = 60_000
const keyBytes = 16

const open: { close(): Promise<void> | void }[] = []

async function openStore(at: string): Promise<RawStore> {
  const store = await openRawStore(at)
  open.push(store)
  return store
}

async function sendRows(link: RawLink, store: RawStore): Promise<void> {
  for await (const [key, value] of store.iterator()) await link.send({ key, value })
}

async function echoRows(link: RawLink, store: RawStore): Promise<void> {
  link.onRow((row) => {
    putOne(store, row).then(
      () => link.send(row),
      (error: unknown) => link.destroy(error),
    )
  })
}

const calls: RawCalls = {
  async listen({ at, certificate, privateKey }) {
    const store = await openStore(at)
    const listener = await listenRaw({ certificate, privateKey }, (link, asked) => {
      const work = asked === mode.rows ? sendRows(link, store) : echoRows(link, store)
      work.catch((error: unknown) => link.destroy(error))
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
  async echo({ at, port, rowBytes, ...plan }) {
    const store = await openStore(at)
    const rows = makeRows(plan.updates, { keyBytes, valueBytes: rowBytes })
    const starts: number[] = []
    const latencies = new Latencies()
    const link = await dialRaw(port, mode.echo)
    link.onRow(({ key }) => {
      const n = new DataView(key.buffer, key.byteOffset).getUint32(0)
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
