/** A device that syncs with a supervisor which takes only so much, and records of a size that counts there. */
import type { BlazeDBClient } from '../../../actors/index.ts'
import type { DatabaseSync } from '../../../actors/client/sync.ts'
import { SimulatedWorld } from '../../simulation/world.ts'
import type { SupervisorLimits } from '../../simulation/world.ts'

export interface LimitedWorld {
  readonly world: SimulatedWorld
  readonly a: BlazeDBClient
  readonly sync: DatabaseSync
}

/** About 10 KiB sealed. */
const text = 'x'.repeat(9_000)

export async function startLimited(seed: number, options: SupervisorLimits): Promise<LimitedWorld> {
  const world = new SimulatedWorld(seed)
  await world.startSupervisor(options)
  const a = await world.open('a')
  const sync = await world.settle(a.enableSync({ remote: world.remote(), database: 'notes' }))
  await world.settle(sync.caughtUp())
  return { world, a, sync }
}

/** With consecutive ids. */
export function docs(from: number, count: number): { id: string; text: string }[] {
  return Array.from({ length: count }, (_, at) => ({ id: `${from + at}`, text }))
}
