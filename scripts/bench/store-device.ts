/**
 * Child process of group `store`: one store, freshly opened.
 *
 * Invariant: a time is returned only after what it is the time of was looked at and found right.
 */
import { isDeepStrictEqual } from 'node:util'
import { answerParent } from '../process/call.ts'
import type { StoreDeviceCalls, StoredRows } from './store-device-calls.ts'
import { liveLoad } from './store-live-load.ts'
import { loadOpener, withStore } from './store-opening.ts'
import { overwriteLoad } from './store-overwrite-load.ts'
import { firstN, makeStoreRows, slicesOf } from './store-rows.ts'
import type { StoreSystem } from './store-system.ts'

/** Rows that are compared with what was written. */
const comparedMax = 100

let leave: () => void = () => undefined
/** Until the parent is gone. */
const left = new Promise<void>((resolve) => (leave = resolve))
/** A store that is kept open until then, and closed in order. */
let held: Promise<void> = Promise.resolve()

const calls: StoreDeviceCalls = {
  async fill(body, progress) {
    await withStore(body.system, { ...body, make: true }, async (store) => {
      let n = 0
      for (const rows of slicesOf({ ...body, from: 0, count: body.records })) {
        await store.insertMany(rows.map((row, at) => store.itemOf(row, n + at)))
        n += rows.length
        progress(n)
      }
      await store.settle()
      const count = await store.count()
      if (count !== body.records) throw new Error(`${count} of ${body.records} records are there`)
    })
  },
  get: (body) =>
    withStore(body.system, { ...body, make: false }, async (store) => {
      const startMs = performance.now()
      await store.getAll(body.numbers)
      const ms = performance.now() - startMs
      await compare(store, body)
      return { ms }
    }),
  range: ({ starts, count, ...body }) =>
    withStore(body.system, { ...body, make: false }, async (store) => {
      const times: number[] = []
      for (const start of starts) {
        const startMs = performance.now()
        const found = await store.range(firstN + start, count)
        times.push(performance.now() - startMs)
        const expected = Array.from({ length: count }, (_, at) => firstN + start + at)
        if (!isDeepStrictEqual([...found], expected)) throw new Error(`wrong rows from ${start} on`)
      }
      return times
    }),
  scan: ({ lat, matches, ...body }) =>
    withStore(body.system, { ...body, make: false }, async (store) => {
      const expected = body.system === 'raw classic-level' ? body.records : matches
      const timeOne = async (): Promise<number> => {
        const startMs = performance.now()
        const found = await store.scan(lat)
        const ms = performance.now() - startMs
        if (found !== expected) throw new Error(`a scan found ${found} of ${expected} rows`)
        return ms
      }
      return { ms: await timeOne(), againMs: await timeOne() }
    }),
  async open({ n, ...body }) {
    // What the code of the system takes to load is not measured.
    await loadOpener(body.system)
    const startMs = performance.now()
    return withStore(body.system, { ...body, make: false }, async (store) => {
      const row = await store.read(n)
      const ms = performance.now() - startMs
      if (!isDeepStrictEqual(row, rowOf(body, n))) throw new Error(`row ${n} is not what was written`)
      return { ms }
    })
  },
  async hold({ numbers, ...body }) {
    await new Promise<void>((resolve, reject) => {
      held = withStore(body.system, { ...body, make: false }, async (store) => {
        await store.getAll(numbers)
        resolve()
        await left
      })
      held.catch(reject)
    })
  },
  live: liveLoad,
  overwrite: overwriteLoad,
}

/** A sample of the rows that were got. */
async function compare<Item>(
  store: StoreSystem<Item>,
  { numbers, ...body }: StoredRows & { readonly numbers: readonly number[] },
): Promise<void> {
  const step = Math.max(1, Math.floor(numbers.length / comparedMax))
  for (let at = 0; at < numbers.length; at += step) {
    const n = numbers[at] ?? 0
    if (!isDeepStrictEqual(await store.read(n), rowOf(body, n)))
      throw new Error(`row ${n} is not what was written`)
  }
}

function rowOf({ kind, seed }: StoredRows, n: number): unknown {
  return makeStoreRows({ kind, seed, from: n, count: 1 })[0]
}

answerParent(calls, () => {
  leave()
  return held
})
