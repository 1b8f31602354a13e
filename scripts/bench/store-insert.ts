/**
 * Durable inserts: in batches, one at a time, and with 64 in flight.
 *
 * Invariant: the clock stops when every write is acknowledged as synced and the index has caught up with the last of them; all systems
 * get the same rows in batches of the same size, in turns, each in a fresh directory.
 */
import { rmSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { encodeCbor } from '../../runtime/index.ts'
import { inTurn } from './report.ts'
import type { Measure } from './report.ts'
import { withStore } from './store-opening.ts'
import type { StoreRun } from './store-plan.ts'
import { makeStoreRows, rowKinds, slicesOf } from './store-rows.ts'
import type { RowKind, RowRange } from './store-rows.ts'
import type { StoreSystem } from './store-system.ts'

/** Rows that are made before the clock goes on: a million would keep the collector busy, not the store. */
const madeRows = 100_000

/** Rows that are read back and compared with what was written. */
const comparedMax = 100

interface InsertPlan {
  readonly bench: 'insert-batch' | 'insert-single' | 'insert-64'
  readonly records: number
  /** Rows a call; undefined: one, by the call for one. */
  readonly batch?: number
  /** Calls that are not answered yet. */
  readonly inFlight: number
}

export async function runInsertBatch(run: StoreRun): Promise<void> {
  for (const batch of [100, 1_000])
    await runPlan(run, { bench: 'insert-batch', batch, inFlight: 1, records: run.sizes.records })
}

export function runInsertSingle(run: StoreRun): Promise<void> {
  return runPlan(run, { bench: 'insert-single', inFlight: 1, records: run.sizes.singles })
}

export function runInsert64(run: StoreRun): Promise<void> {
  return runPlan(run, { bench: 'insert-64', inFlight: 64, records: run.sizes.inFlight })
}

async function runPlan(run: StoreRun, plan: InsertPlan): Promise<void> {
  for (const kind of rowKinds) await runRounds(run, plan, kind)
}

async function runRounds(run: StoreRun, plan: InsertPlan, kind: RowKind): Promise<void> {
  const { report, stage, rounds, seed, quick } = run
  const { bench, records, batch } = plan
  const range: RowRange = { kind, seed, from: 0, count: records }
  // SQLite's calls return when they are done: it never has two in flight.
  const systems = run.systems.filter((name) => bench !== 'insert-64' || name !== 'better-sqlite3')
  const params: Measure['params'] = {
    ...(batch === undefined ? {} : { batch }),
    bytes: meanBytes(range),
    index: 'n',
    records,
    rows: kind,
  }
  // The first round of each warms the code up and is not counted.
  for (let round = quick ? 1 : 0; round <= rounds; round += 1) {
    process.stderr.write(`${bench} ${JSON.stringify(params)}: round ${round} of ${rounds}\n`)
    for (const system of inTurn(systems, Math.max(1, round))) {
      const at = stage.makeDirectory(`${bench}-${batch ?? 1}-${kind}-${round}-${system}`)
      const seconds = await withStore(system, { at, kind, make: true }, (store) =>
        insertAll(store, range, plan),
      )
      if (round > 0) report.round({ bench, system, unit: 'records/s', params }, records / seconds)
      rmSync(at, { recursive: true })
    }
  }
}

/** Seconds. */
async function insertAll<Item>(
  store: StoreSystem<Item>,
  range: RowRange,
  { batch, inFlight }: InsertPlan,
): Promise<number> {
  let ms = 0
  for (let from = 0; from < range.count; from += madeRows) {
    const rows = makeStoreRows({ ...range, from, count: Math.min(madeRows, range.count - from) })
    const items = rows.map((row, at) => store.itemOf(row, from + at))
    const batches: Item[][] = []
    for (let at = 0; batch !== undefined && at < items.length; at += batch)
      batches.push(items.slice(at, at + batch))
    const startMs = performance.now()
    if (batch === undefined) await inParallel(items, inFlight, (item) => store.insert(item))
    else for (const part of batches) await store.insertMany(part)
    ms += performance.now() - startMs
  }
  const writtenMs = performance.now()
  await store.settle()
  ms += performance.now() - writtenMs
  await compare(store, range)
  return ms / 1_000
}

/** Outside the clock: everything is there, and a sample is what was written. */
async function compare<Item>(store: StoreSystem<Item>, range: RowRange): Promise<void> {
  const count = await store.count()
  if (count !== range.count) throw new Error(`${count} of ${range.count} records are there`)
  const step = Math.max(1, Math.floor(range.count / comparedMax))
  for (let n = 0; n < range.count; n += step) {
    const [row] = makeStoreRows({ ...range, from: n, count: 1 })
    if (!isDeepStrictEqual(await store.read(n), row)) throw new Error(`row ${n} is not what was written`)
  }
}

/** So many at once, the next one when one is done. */
async function inParallel<T>(
  items: readonly T[],
  inFlight: number,
  work: (item: T, at: number) => Promise<void>,
): Promise<void> {
  let next = 0
  const workOn = async (): Promise<void> => {
    while (next < items.length) {
      const at = next
      next += 1
      const item = items[at]
      if (item !== undefined) await work(item, at)
    }
  }
  await Promise.all(Array.from({ length: inFlight }, workOn))
}

function meanBytes(range: RowRange): number {
  let bytes = 0
  for (const rows of slicesOf(range)) for (const row of rows) bytes += encodeCbor(row).length
  return Math.round(bytes / range.count)
}
