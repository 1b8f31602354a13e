/**
 * Reading: by id, by a range of an index, and through all rows.
 *
 * Invariant: each figure comes from a process that has just opened the store, so that nothing is in memory but what the operating system
 * keeps of its files; every field of every result is looked at, except by the raw store, which does not know any.
 */
import { inTurn, percentile } from './report.ts'
import type { Measure } from './report.ts'
import { callFresh, storedRows } from './store-data.ts'
import type { StoredRows } from './store-device-calls.ts'
import type { StoreRun } from './store-plan.ts'
import { pickRows, slicesOf } from './store-rows.ts'
import type { RowKind } from './store-rows.ts'

/** Rows of a range. */
const rangeRows = 100
/** Share of the rows that a scan finds. */
const matchShare = 0.01

/** Runs `once` for each kind, round and system. */
export async function inRounds(
  run: StoreRun,
  { bench, records, systems = run.systems }: Pick<Measure, 'bench'> & RoundOptions,
  once: (rows: StoredRows, round: number) => Promise<void>,
): Promise<void> {
  for (const kind of run.readKinds) {
    for (const system of systems) await storedRows(run, { system, kind, records })
    for (let round = 1; round <= run.rounds; round += 1) {
      process.stderr.write(`${bench}, ${records} ${kind} rows: round ${round} of ${run.rounds}\n`)
      for (const system of inTurn(systems, round))
        await once(await storedRows(run, { system, kind, records }), round)
    }
  }
}

interface RoundOptions {
  readonly records: number
  readonly systems?: StoreRun['systems']
}

export function runGet(run: StoreRun): Promise<void> {
  const { gets, manyRecords: records } = run.sizes
  return inRounds(run, { bench: 'get', records }, async (rows, round) => {
    const numbers = pickRows(records, gets, run.seed + round)
    const { ms } = await callFresh(run, 'get', { ...rows, numbers })
    const params = { gets, records, rows: rows.kind }
    const measure: Measure = { bench: 'get', system: rows.system, unit: 'records/s', params }
    run.report.round(measure, (gets * 1_000) / ms)
  })
}

/** The median of all ranges of a round. */
export function runRange(run: StoreRun): Promise<void> {
  const { ranges, manyRecords: records } = run.sizes
  return inRounds(run, { bench: 'range-100', records }, async (rows, round) => {
    const starts = pickRows(records - rangeRows, ranges, run.seed + round)
    const times = await callFresh(run, 'range', { ...rows, starts, count: rangeRows })
    const params = { ranges, records, rows: rows.kind }
    const measure: Measure = { bench: 'range-100', system: rows.system, unit: 'ms', params }
    const more = { p99: Number(percentile(times, 0.99).toFixed(3)) }
    run.report.round(measure, percentile(times, 0.5), more)
  })
}

/** Records a second of the first scan of a process; `again` is that of its second one. */
export async function runScan(run: StoreRun): Promise<void> {
  const { records } = run.sizes
  const filters = new Map<RowKind, { lat: number; matches: number }>()
  for (const kind of run.readKinds) filters.set(kind, filterOf(run, kind, records))
  await inRounds(run, { bench: 'scan', records }, async (rows) => {
    const { lat, matches } = filters.get(rows.kind) ?? { lat: 0, matches: 0 }
    const { ms, againMs } = await callFresh(run, 'scan', { ...rows, lat, matches })
    const params = { matches, records, rows: rows.kind }
    const measure: Measure = { bench: 'scan', system: rows.system, unit: 'records/s', params }
    const more = { again: Math.round((records * 1_000) / againMs) }
    run.report.round(measure, (records * 1_000) / ms, more)
  })
}

/** The latitude that a hundredth of the rows reach, and how many rows those are. */
function filterOf({ seed }: StoreRun, kind: RowKind, records: number): { lat: number; matches: number } {
  const lats = new Float64Array(records)
  let at = 0
  for (const rows of slicesOf({ kind, seed, from: 0, count: records })) {
    for (const { lat } of rows) {
      lats[at] = lat
      at += 1
    }
  }
  lats.sort()
  const lat = lats[Math.floor(records * (1 - matchShare))] ?? 0
  return { lat, matches: lats.filter((found) => found >= lat).length }
}
