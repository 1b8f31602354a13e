/** What a simulation throws: what went wrong in which seed, what had happened, and the one command that does it again. */
import { formatSwarm } from './swarm.ts'
import type { Swarm } from './swarm.ts'

/** One thing that happened to the world, with the trace up to it. */
export interface HistoryEntry {
  /** Virtual ms. */
  readonly atMs: number
  readonly event: string
  readonly hash: string
}

export type SimulationPhase = 'start' | 'faults' | 'healed'

export interface FailedRun {
  readonly seed: number
  readonly phase: SimulationPhase
  readonly swarm: Swarm
  readonly history: readonly HistoryEntry[]
  readonly traceHash: string
  readonly virtualMs: number
  /** One command. */
  readonly replay: string
}

/** Of the history, in the message; all of it is in `run`. */
const shownMax = 12

export class SimulationFailure extends Error {
  override readonly name: string = 'SimulationFailure'
  readonly run: FailedRun

  constructor(run: FailedRun, cause: unknown) {
    super(describe(run, cause), { cause })
    this.run = run
  }
}

function describe(run: FailedRun, cause: unknown): string {
  const { seed, phase, swarm, history, virtualMs, replay } = run
  const when = { start: 'at the start', faults: 'under faults', healed: 'after the faults' }[phase]
  const last = history.slice(-shownMax).map(({ atMs, event }) => `    ${formatMs(atMs)} ms  ${event}`)
  return [
    `seed ${seed} failed ${when}, at ${formatMs(virtualMs)} ms: ${cause instanceof Error ? cause.message : String(cause)}`,
    `  faults of this seed: ${formatSwarm(swarm)}`,
    ...(last.length === 0 ? [] : ['  what happened last:', ...last]),
    `  replay: ${replay}`,
  ].join('\n')
}

export function formatMs(ms: number): string {
  return ms.toFixed(2)
}
