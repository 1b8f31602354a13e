/**
 * Many seeds of one world, one after the other.
 * Invariant: it stops at the first seed that fails, and the first ones run twice, so that a world whose runs cannot be repeated is found
 * before a failure of it has to be.
 */
import { simulate } from './simulate.ts'
import type { SimulateOptions, SimulationReport } from './simulate.ts'
import { formatMs } from './simulation-failure.ts'
import type { FaultKind } from './swarm.ts'
import type { MakeWorld } from './world.ts'

export interface CampaignOptions extends SimulateOptions {
  /** First seed; default 1. */
  readonly from?: number
  /** Seeds; default 100. */
  readonly count?: number
  /** So many of them run twice; default 1. */
  readonly twice?: number
  /** Called after each seed. */
  readonly progress?: (report: SimulationReport) => void
}

export interface CampaignReport {
  readonly from: number
  readonly count: number
  readonly boots: number
  readonly virtualMs: number
  readonly callbacks: number
  /** In how many seeds each kind was on. */
  readonly kinds: Readonly<Partial<Record<FaultKind, number>>>
  /** How often each kind happened; kinds that are in force all the time are not counted. */
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>
}

const defaults = { from: 1, count: 100, twice: 1 }

/** Rejects with the `SimulationFailure` of the first seed that fails, or an `Error` where two runs of one seed differ. */
export async function simulateAll<N>(
  makeWorld: MakeWorld<N>,
  options: CampaignOptions = {},
): Promise<CampaignReport> {
  const { from = defaults.from, count = defaults.count, twice = defaults.twice, progress } = options
  if (!Number.isSafeInteger(count) || count < 1)
    throw new TypeError(`count: expected 1 or more seeds, got ${count}`)
  const totals = { boots: 0, virtualMs: 0, callbacks: 0 }
  const kinds: Partial<Record<FaultKind, number>> = {}
  const faults: Partial<Record<FaultKind, number>> = {}
  for (let seed = from; seed < from + count; seed++) {
    const report = await simulate(seed, makeWorld, options)
    if (seed < from + twice) expectSame(report, await simulate(seed, makeWorld, options))
    totals.boots += report.boots
    totals.virtualMs += report.virtualMs
    totals.callbacks += report.callbacks
    addAll(kinds, Object.fromEntries(Object.keys(report.swarm).map((kind) => [kind, 1])))
    addAll(faults, report.faults)
    progress?.(report)
  }
  return { from, count, ...totals, kinds, faults }
}

function expectSame(first: SimulationReport, second: SimulationReport): void {
  if (first.traceHash === second.traceHash) return
  const at = first.history.findIndex(({ hash }, index) => hash !== second.history[index]?.hash)
  const parted = first.history[at]
  const where =
    parted === undefined ? 'at the end' : `before "${parted.event}" at ${formatMs(parted.atMs)} ms`
  throw new Error(
    `two runs of seed ${first.seed} differ, first ${where}: time, chance and entropy must come from env and the tools of the world, ` +
      'and nothing may be kept from one run to the next',
  )
}

function addAll(sums: Record<string, number>, more: Readonly<Record<string, number>>): void {
  for (const [key, value] of Object.entries(more)) sums[key] = (sums[key] ?? 0) + value
}
