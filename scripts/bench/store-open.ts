/**
 * Opening: the time to the first record, the memory after a thousand of them, and what a password costs.
 *
 * Invariant: `open` and `open-memory` are those of a fresh process that opens by key; `kdf` is what opening by password takes longer.
 */
import { scryptSync } from 'node:crypto'
import { BlazeDBClient } from '../../actors/index.ts'
import { readMappedBytes, readMemory } from '../process/memory.ts'
import type { Measure } from './report.ts'
import { callFresh } from './store-data.ts'
import { benchKey } from './store-blazedb.ts'
import type { StoreRun } from './store-plan.ts'
import { inRounds } from './store-read.ts'
import { pickRows } from './store-rows.ts'

const megabyte = 1_000_000

/** Rounds of the derivation: it takes a second or so. */
const kdfCost = { standard: 2 ** 17, small: 2 ** 15 } as const
const scryptBytes = { length: 32, maxmem: 256 * 1024 * 1024 } as const
const password = 'correct horse battery staple'

export function runOpen(run: StoreRun): Promise<void> {
  const { manyRecords: records } = run.sizes
  return inRounds(run, { bench: 'open', records }, async (rows, round) => {
    const [n = 0] = pickRows(records, 1, run.seed + round)
    const { ms } = await callFresh(run, 'open', { ...rows, n })
    const params = { records, rows: rows.kind }
    run.report.round({ bench: 'open', system: rows.system, unit: 'ms', params }, ms)
  })
}

/** Resident memory, with that of Node itself, without the pages of its tables that LevelDB has mapped; `tables` says those. */
export function runOpenMemory(run: StoreRun): Promise<void> {
  const { manyRecords: records, memoryGets: gets } = run.sizes
  return inRounds(run, { bench: 'open-memory', records }, async (rows, round) => {
    const numbers = pickRows(records, gets, run.seed + round)
    const look = (pid: number): void => {
      const memory = readMemory(pid)
      if (memory === undefined) throw new Error(`no memory figure of process ${pid}`)
      const params = { gets, records, rows: rows.kind }
      const measure: Measure = { bench: 'open-memory', system: rows.system, unit: 'MB', params }
      const { rssBytes, peakBytes } = memory
      const tableBytes = readMappedBytes(pid, rows.at) ?? 0
      const tables = Math.round(tableBytes / megabyte)
      const more = peakBytes === undefined ? { tables } : { tables, peak: Math.round(peakBytes / megabyte) }
      run.report.round(measure, (rssBytes - tableBytes) / megabyte, more)
    }
    await callFresh(run, 'hold', { ...rows, numbers }, { look })
  })
}

/** Of an empty database; beside it the derivation alone. */
export async function runKdf({ quick, stage, report, rounds }: StoreRun): Promise<void> {
  const profile = quick ? 'small' : 'standard'
  const locked = { name: 'Locked', at: stage.makeDirectory('kdf-password'), password, kdf: profile } as const
  const keyed = { name: 'Keyed', at: stage.makeDirectory('kdf-key'), key: benchKey } as const
  await timeOpening(locked)
  await timeOpening(keyed)
  for (let round = 1; round <= rounds; round += 1) {
    process.stderr.write(`kdf: round ${round} of ${rounds}\n`)
    const params = { profile }
    const ours = (await timeOpening(locked)) - (await timeOpening(keyed))
    report.round({ bench: 'kdf', system: 'blazedb', unit: 'ms', params }, ours)
    const startMs = performance.now()
    const { length, maxmem } = scryptBytes
    scryptSync(password, benchKey, length, { N: kdfCost[profile], r: 8, p: 1, maxmem })
    report.round({ bench: 'kdf', system: 'raw scrypt', unit: 'ms', params }, performance.now() - startMs)
  }
}

/** Milliseconds. */
async function timeOpening(options: Parameters<typeof BlazeDBClient.open>[0]): Promise<number> {
  const startMs = performance.now()
  const db = await BlazeDBClient.open(options)
  const ms = performance.now() - startMs
  await db.close()
  return ms
}
