/**
 * `live`: how soon a live query of all rows tells of one write. Invariant: one write at a time, each to another row at random; the raw
 * limit is the synced put of such a row, since a write is told when it is durable.
 */
import { percentile } from './report.ts'
import type { Measure } from './report.ts'
import { callFresh } from './store-data.ts'
import type { StoreRun } from './store-plan.ts'
import { inRounds } from './store-read.ts'
import { pickRows } from './store-rows.ts'
import type { SystemName } from './store-system.ts'

const systems: readonly SystemName[] = ['blazedb', 'raw classic-level']

export function runLive(run: StoreRun): Promise<void> {
  const { records, liveWrites: writes } = run.sizes
  return inRounds(run, { bench: 'live', records, systems }, async (rows, round) => {
    const numbers = pickRows(records, writes, run.seed + round)
    const times = await callFresh(run, 'live', { ...rows, numbers })
    if (times.length !== writes) throw new Error(`${times.length} of ${writes} writes were told`)
    const params = { records, rows: rows.kind, writes }
    const measure: Measure = { bench: 'live', system: rows.system, unit: 'ms', params }
    const more = { p99: Number(percentile(times, 0.99).toFixed(3)) }
    run.report.round(measure, percentile(times, 0.5), more)
  })
}
