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
import { makeStoreRows } from './store-rows.ts'
import type { RowKind, StoreRow } from './store-rows.ts'
import type { StoreSystem } from './store-system.ts'

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
  for (const kind of run.kinds) await runRounds(run, plan, kind)
}

async function runRounds(run: StoreRun, plan: InsertPlan, kind: RowKind): Promise<void> {
  const { report, stage, rounds, seed, quick } = run
  const { bench, records, batch } = plan
  const rows = makeStoreRows({ kind, seed, from: 0, count: records })
  // SQLite's calls return when they are done: it never has two in flight.
  const systems = run.systems.filter((name) => bench !== 'insert-64' || name !== 'better-sqlite3')
  const params: Measure['params'] = {
    ...(batch === undefined ? {} : { batch }),
    bytes: meanBytes(rows),
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
        insertAll(store, rows, plan),
      )
      if (round > 0) report.round({ bench, system, unit: 'records/s', params }, records / seconds)
      rmSync(at, { recursive: true })
    }
  }
}

/** Seconds. */
async function insertAll<Item>(
  store: StoreSystem<Item>,
  rows: readonly StoreRow[],
  { batch, inFlight }: InsertPlan,
): Promise<number> {
  const items = rows.map((row, n) => store.itemOf(row, n))
  const batches: Item[][] = []
  for (let at = 0; batch !== undefined && at < items.length; at += batch)
    batches.push(items.slice(at, at + batch))
  const startMs = performance.now()
  if (batch === undefined) await inParallel(items, inFlight, (item) => store.insert(item))
  else for (const part of batches) await store.insertMany(part)
  await store.settle()
  const seconds = (performance.now() - startMs) / 1000
  await compare(store, rows)
  return seconds
}

/** Outside the clock: everything is there, and a sample is what was written. */
async function compare<Item>(store: StoreSystem<Item>, rows: readonly StoreRow[]): Promise<void> {
  const count = await store.count()
  if (count !== rows.length) throw new Error(`${count} of ${rows.length} records are there`)
  const step = Math.max(1, Math.floor(rows.length / comparedMax))
  for (let n = 0; n < rows.length; n += step) {
    if (!isDeepStrictEqual(await store.read(n), rows[n])) throw new Error(`row ${n} is not what was written`)
  }
}

/** So many at once, the next one when one is done. */
export async function inParallel<T>(
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

function meanBytes(rows: readonly StoreRow[]): number {
  const bytes = rows.reduce((sum, row) => sum + encodeCbor(row).length, 0)
  return Math.round(bytes / rows.length)
}
