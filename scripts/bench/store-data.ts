/**
 * The stored rows that reading is measured on: one directory a system, made once a run and used by all benches that need so many.
 *
 * Invariant: every system has the same rows; a process that reads them did not write them.
 */
import { beginStep } from '../process/progress-step.ts'
import { Child } from '../process/child.ts'
import type { StoreDeviceCalls, StoredRows } from './store-device-calls.ts'
import type { StoreRun } from './store-plan.ts'
import type { RowKind } from './store-rows.ts'
import type { SystemName } from './store-system.ts'

/** A million rows in a slow store take minutes. */
const storeCallMs = 3_600_000

const made = new WeakMap<StoreRun, Map<string, Promise<StoredRows>>>()

export function storedRows(
  run: StoreRun,
  place: { readonly system: SystemName; readonly kind: RowKind; readonly records: number },
): Promise<StoredRows> {
  const known = made.get(run) ?? new Map<string, Promise<StoredRows>>()
  made.set(run, known)
  const name = `data-${place.system}-${place.kind}-${place.records}`
  const rows = known.get(name) ?? fill(run, { ...place, seed: run.seed, at: run.stage.makeDirectory(name) })
  known.set(name, rows)
  return rows
}

/** One call to a process that does nothing else. `look` sees it before it ends. */
export async function callFresh<K extends keyof StoreDeviceCalls>(
  run: StoreRun,
  name: K,
  body: Parameters<StoreDeviceCalls[K]>[0],
  options: { progress?: (count: number) => void; look?: (pid: number) => void } = {},
): Promise<Awaited<ReturnType<StoreDeviceCalls[K]>>> {
  const { progress, look } = options
  const child = new Child<StoreDeviceCalls>(run.stage, {
    name: body.system,
    module: './store-device',
    base: import.meta.url,
  })
  try {
    const timeout = { timeoutMs: storeCallMs, ...(progress === undefined ? {} : { progress }) }
    const result = await child.call(name, body, timeout)
    look?.(child.pid)
    return result
  } finally {
    await child.stop()
  }
}

async function fill(run: StoreRun, rows: StoredRows): Promise<StoredRows> {
  const what = `${rows.records} ${rows.kind} rows for ${rows.system}`
  process.stderr.write(`making ${what}\n`)
  const step = beginStep(what, rows.records)
  const startMs = performance.now()
  await callFresh(run, 'fill', rows, { progress: (count) => step.at(count) })
  step.end()
  process.stderr.write(`made in ${((performance.now() - startMs) / 1_000).toFixed(1)} s\n`)
  return rows
}
