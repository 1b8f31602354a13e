/** The campaign as `npm run simulate` and the specs run it. */
import './visits.ts'
import type { SimulateOptions } from '../../../actors/testing.ts'
import { supervisorsDrawn } from './campaign-world.ts'
import { machineVisits, visitLines } from './visits.ts'
import type { MachineVisits } from './visits.ts'

export { world } from './campaign-world.ts'

/** Kinds that happen to hardware which keeps its promises; damage comes from the world itself, to one directory a seed. */
export const options: SimulateOptions = {
  steps: 32,
  stepMsMax: 300,
  /** The writes of a clock that is ahead are shown when their time has come. */
  quiesceMs: 1_800_000,
  clockJumpMsMax: 480_000,
}

/** What the runs so far were made of, and what they have visited. */
export async function summary(): Promise<readonly string[]> {
  const { blind, keyed } = supervisorsDrawn()
  return [`supervisors: ${blind} blind, ${keyed} keyed`, ...(await visitLines())]
}

export async function details(): Promise<{
  readonly supervisors: ReturnType<typeof supervisorsDrawn>
  readonly machines: readonly MachineVisits[]
}> {
  return { supervisors: supervisorsDrawn(), machines: await machineVisits() }
}
