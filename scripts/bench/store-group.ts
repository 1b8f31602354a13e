/**
 * Group `store`: durable inserts into one database, beside classic-level that does nothing but put the same number of bytes.
 *
 * Invariant: the clock stops when every write is acknowledged as synced and counted by the view; both systems get the same batches,
 * awaited one after the other, in turns, each in a fresh directory.
 */
import { isDeepStrictEqual } from 'node:util'
import { BlazeDBClient } from '../../actors/index.ts'
import { makeRecords, recordBytes } from './record.ts'
import type { BenchRecord } from './record.ts'
import { makeRows, openRawStore, putBatch, putOne } from './raw-store.ts'
import type { RawRow, RawStore } from './raw-store.ts'
import type { GroupOptions, Measure } from './report.ts'

/** A UUID has so many. */
const keyBytes = 16
/** Records that are read back and compared with what was written. */
const comparedMax = 100

interface InsertPlan {
  readonly bench: string
  readonly records: number
  /** Records a call; undefined: one at a time, by the calls for one. */
  readonly batch?: number
}

export async function runStoreGroup(options: GroupOptions): Promise<void> {
  const { quick } = options
  const plans: InsertPlan[] = [
    { bench: 'insert-single', records: quick ? 100 : 2_000 },
    { bench: 'insert-batch', batch: 100, records: quick ? 1_000 : 20_000 },
    { bench: 'insert-batch', batch: 1_000, records: quick ? 1_000 : 20_000 },
  ]
  for (const plan of plans) await runPlan(plan, options)
}

async function runPlan(
  plan: InsertPlan,
  { report, stage, rounds, seed, quick }: GroupOptions,
): Promise<void> {
  const { bench, records, batch } = plan
  const params = { ...(batch === undefined ? {} : { batch }), bytes: recordBytes, records }
  const ours: Measure = { bench, system: 'blazedb', unit: 'records/s', params }
  const raw: Measure = { ...ours, system: 'raw classic-level' }
  const docs = makeRecords(records, seed)
  const rows = makeRows(records, { keyBytes, valueBytes: recordBytes })
  // The first round of each warms the code up and is not counted.
  for (let round = quick ? 1 : 0; round <= rounds; round += 1) {
    process.stderr.write(`${bench} ${JSON.stringify(params)}: round ${round} of ${rounds}\n`)
    const name = `${bench}-${batch ?? 1}-${round}`
    const ourSeconds = await insertIntoDatabase(stage.makeDirectory(name), docs, batch)
    const rawSeconds = await putIntoStore(stage.makeDirectory(`${name}-raw`), rows, batch)
    if (round === 0) continue
    report.round(ours, records / ourSeconds)
    report.round(raw, records / rawSeconds)
  }
  report.headlines()
}

/** Seconds. */
async function insertIntoDatabase(
  at: string,
  docs: readonly BenchRecord[],
  batch: number | undefined,
): Promise<number> {
  const db = await BlazeDBClient.open({ name: 'Bench', at, key: new Uint8Array(32).fill(7) })
  try {
    const records = db.collection('records')
    const ids: string[] = []
    const startMs = performance.now()
    if (batch === undefined) for (const doc of docs) ids.push(await records.insert(doc))
    else for (const part of slices(docs, batch)) ids.push(...(await records.insertMany(part)))
    const visible = db.status().records
    const seconds = (performance.now() - startMs) / 1000
    if (visible !== docs.length) throw new Error(`${visible} of ${docs.length} records are visible`)
    await compare(db, docs, ids)
    return seconds
  } finally {
    await db.close()
  }
}

/** Outside the clock: everything is there, and a sample is what was written. */
async function compare(
  db: BlazeDBClient,
  docs: readonly BenchRecord[],
  ids: readonly string[],
): Promise<void> {
  const records = db.collection('records')
  const count = await records.query().count()
  if (count !== docs.length) throw new Error(`a query counts ${count} of ${docs.length} records`)
  const step = Math.max(1, Math.floor(docs.length / comparedMax))
  for (let at = 0; at < docs.length; at += step) {
    const id = ids[at] ?? ''
    const found = await records.get(id)
    if (!isDeepStrictEqual(found, { id, ...docs[at] }))
      throw new Error(`record ${id} is not what was written`)
  }
}

/** Seconds. */
async function putIntoStore(at: string, rows: readonly RawRow[], batch: number | undefined): Promise<number> {
  const store = await openRawStore(at)
  try {
    const startMs = performance.now()
    if (batch === undefined) for (const row of rows) await putOne(store, row)
    else for (const part of slices(rows, batch)) await putBatch(store, part)
    const seconds = (performance.now() - startMs) / 1000
    const stored = await countRows(store)
    if (stored !== rows.length) throw new Error(`classic-level holds ${stored} of ${rows.length} rows`)
    return seconds
  } finally {
    await store.close()
  }
}

async function countRows(store: RawStore): Promise<number> {
  let count = 0
  for await (const _ of store.keys()) count += 1
  return count
}

function slices<T>(items: readonly T[], size: number): T[][] {
  const parts: T[][] = []
  for (let at = 0; at < items.length; at += size) parts.push(items.slice(at, at + size))
  return parts
}
