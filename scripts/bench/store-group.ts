/**
 * Group `store`: one database on one disk, beside classic-level that does nothing but store and find the same number of bytes, and
 * beside better-sqlite3 where it is installed.
 *
 * Invariant: all systems of a bench get the same rows and take turns in the same run; work that was not counted and compared fails it.
 */
import { printTable, sayTargets } from './headline-table.ts'
import type { GroupOptions, Headline } from './report.ts'
import { runInsert64, runInsertBatch, runInsertSingle } from './store-insert.ts'
import { runLive } from './store-live.ts'
import { runKdf, runOpen, runOpenMemory } from './store-open.ts'
import { runOverwrite } from './store-overwrite.ts'
import { storeBenches, storeSizes, storeTargets } from './store-plan.ts'
import type { StoreBench, StoreRun } from './store-plan.ts'
import { runGet, runRange, runScan } from './store-read.ts'
import { rowKinds } from './store-rows.ts'
import type { RowKind } from './store-rows.ts'
import { loadSqlite } from './store-sqlite.ts'
import { systemNames } from './store-system.ts'
import type { SystemName } from './store-system.ts'

const benches: Readonly<Record<StoreBench, (run: StoreRun) => Promise<void>>> = {
  'insert-batch': runInsertBatch,
  'insert-single': runInsertSingle,
  'insert-64': runInsert64,
  get: runGet,
  'range-100': runRange,
  scan: runScan,
  open: runOpen,
  'open-memory': runOpenMemory,
  live: runLive,
  kdf: runKdf,
  'overwrite-size': runOverwrite,
}

export async function runStoreGroup(options: GroupOptions): Promise<void> {
  const { only, report } = options
  const systems = await findSystems()
  // Two dozen processes fewer.
  const readKinds: readonly RowKind[] = options.quick ? ['cities'] : rowKinds
  const run: StoreRun = { ...options, systems, readKinds, sizes: storeSizes(options) }
  const headlines: Headline[] = []
  for (const bench of storeBenches) {
    if (only !== undefined && only !== bench) continue
    await benches[bench](run)
    headlines.push(...report.headlines())
  }
  printTable(headlines, [])
  sayTargets(storeTargets, headlines)
}

async function findSystems(): Promise<readonly SystemName[]> {
  if ((await loadSqlite()) !== undefined) return systemNames
  process.stderr.write(
    'NO FIGURES OF better-sqlite3: it is not installed; to have them, npm install --no-save better-sqlite3\n',
  )
  return systemNames.filter((name) => name !== 'better-sqlite3')
}
