/**
 * Child process of the group `topology`: the raw limit of a host or a guest. Unix sockets and classic-level, nothing else: no channel,
 * no seal, no index. Invariant: what it counts as stored is in the store, what it counts as seen came over a socket.
 */
import { answerParent } from '../process/call.ts'
import { Latencies, machineMs, openLoop } from './load.ts'
import type { RawNeighbourCalls } from './neighbour-calls.ts'
import { dialRawLocal, listenRawLocal } from './raw-link.ts'
import type { RawLink } from './raw-link.ts'
import { makeRows, openRawStore, putBatch, putBatchUnsynced, putOne } from './raw-store.ts'
import type { RawRow, RawStore } from './raw-store.ts'

/** First byte of a link: what the host shall do with it. */
const mode = { rows: 1, echo: 2, follow: 3 } as const
/** Rows of one read of the sender, and of one batch of the receiver: more gain nothing. */
const batch = 1_000
const waitMs = 60_000
const keyBytes = 16
/** What a link that follows gets first. */
const welcomeNumber = 0xffff_ffff
const welcome: RawRow = { key: new Uint8Array(keyBytes).fill(0xff), value: new Uint8Array(0) }

const open: { close(): Promise<void> | void }[] = []
const followers: RawLink[] = []
const sights: Latencies[] = []

async function openStore(at: string): Promise<RawStore> {
  const store = await openRawStore(at)
  open.push(store)
  return store
}

/** A row of a load: its key begins with its number. */
function numberOf({ key }: RawRow): number {
  return new DataView(key.buffer, key.byteOffset).getUint32(0)
}

function rowsOf(count: number, rowBytes: number): RawRow[] {
  return makeRows(count, { keyBytes, valueBytes: Math.max(0, rowBytes - keyBytes) })
}

/** `note` gets the number of each row that comes back, and when it came. */
async function echoLink(path: string, note: (n: number, nowMs: number) => void): Promise<RawLink> {
  const link = await dialRawLocal(path, mode.echo)
  open.push({ close: () => link.destroy() })
  link.onRow((row) => note(numberOf(row), machineMs()))
  return link
}

async function sendRows(link: RawLink, store: RawStore): Promise<void> {
  const iterator = store.iterator()
  try {
    for (;;) {
      const part = await iterator.nextv(batch)
      if (part.length === 0) return
      await link.sendAll(part.map(([key, value]) => ({ key, value })))
    }
  } finally {
    await iterator.close()
  }
}

function serve(link: RawLink, asked: number, store: RawStore): void {
  if (asked === mode.rows) {
    sendRows(link, store).catch((error: unknown) => link.destroy(error))
  } else if (asked === mode.echo) {
    link.onRow((row) => void link.send(row))
  } else {
    followers.push(link)
    // It is one of them from now on.
    void link.send(welcome)
  }
}

const calls: RawNeighbourCalls = {
  async listen({ at, path, rows, rowBytes }) {
    const store = await openStore(at)
    const all = rowsOf(rows, rowBytes)
    for (let done = 0; done < rows; done += batch) await putBatch(store, all.slice(done, done + batch))
    open.push(await listenRawLocal(path, (link, asked) => serve(link, asked, store)))
  },
  async take({ at, path, rows }) {
    const store = await openStore(at)
    const startMs = machineMs()
    const link = await dialRawLocal(path, mode.rows)
    let waiting: RawRow[] = []
    let last: Promise<void> = Promise.resolve()
    await new Promise<void>((resolve, reject) => {
      let taken = 0
      link.onRow((row) => {
        waiting.push(row)
        taken += 1
        if (waiting.length < batch && taken < rows) return
        const part = waiting
        waiting = []
        last = last.then(() => putBatchUnsynced(store, part))
        last.then(taken === rows ? resolve : undefined, reject)
      })
      link.onEnd(reject)
    })
    let stored = 0
    for await (const _ of store.keys()) stored += 1
    const ms = machineMs() - startMs
    link.destroy()
    if (stored !== rows) throw new Error(`classic-level holds ${stored} of ${rows} rows`)
    return { ms }
  },
  async echo({ path, rowBytes, ...plan }) {
    const rows = rowsOf(plan.updates, rowBytes)
    const trips = new Latencies()
    const sentMs: number[] = []
    const link = await echoLink(path, (n, nowMs) => trips.note(n, nowMs - (sentMs[n] ?? 0)))
    await openLoop(plan, async (n) => {
      const row = rows[n]
      if (row === undefined) return
      sentMs[n] = machineMs()
      await link.send(row)
    })
    return trips.all(plan.updates, waitMs)
  },
  async putAndEcho({ at, path, rowBytes, ...plan }) {
    const store = await openStore(at)
    const rows = rowsOf(plan.updates, rowBytes)
    const totals = new Latencies()
    const begun: { startMs: number; sentMs: number }[] = []
    const link = await echoLink(path, (n, nowMs) => {
      const { startMs, sentMs } = begun[n] ?? { startMs: 0, sentMs: 0 }
      totals.note(n, sentMs - startMs + (nowMs - sentMs) / 2)
    })
    await openLoop(plan, async (n, startMs) => {
      const row = rows[n]
      if (row === undefined) return
      await putOne(store, row)
      begun[n] = { startMs, sentMs: machineMs() }
      await link.send(row)
    })
    return totals.all(plan.updates, waitMs)
  },
  async follow({ path, links }) {
    for (let n = 0; n < links; n += 1) {
      const link = await dialRawLocal(path, mode.follow)
      const seen = new Latencies()
      sights.push(seen)
      open.push({ close: () => link.destroy() })
      await new Promise<void>((resolve) => {
        link.onRow((row) => {
          const number = numberOf(row)
          if (number === welcomeNumber) resolve()
          else seen.note(number, machineMs())
        })
      })
    }
  },
  async send({ rowBytes, links, ...plan }) {
    if (followers.length !== links) throw new Error(`${followers.length} of ${links} links follow`)
    const rows = rowsOf(plan.updates, rowBytes)
    const sentMs: number[] = []
    await openLoop(plan, async (n) => {
      const row = rows[n]
      if (row === undefined) return
      sentMs[n] = machineMs()
      await Promise.all(followers.map((link) => link.send(row)))
    })
    return sentMs
  },
  seen: ({ updates }) => Promise.all(sights.map((seen) => seen.all(updates, waitMs))),
  async close() {
    for (const resource of open.splice(0).reverse()) await resource.close()
  },
}

answerParent(calls, () => calls.close(null))
