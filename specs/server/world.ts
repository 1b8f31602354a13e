/** A simulated machine for specs of the server: virtual clock, disk in memory. Nothing in it waits for real time. */
import { createSimulatedVolume } from '../../actors/replica/disk/simulated-volume.ts'
import type { SimulatedVolume } from '../../actors/replica/disk/simulated-volume.ts'
import type { Env, Simulation } from '../../runtime/index.ts'
import { createSimulation } from '../../runtime/index.ts'

export interface SpecWorld {
  readonly simulation: Simulation
  readonly env: Env
  readonly volume: SimulatedVolume
  /** Runs the world until the promise settles; fails the spec when it does not within ten virtual minutes. */
  readonly settle: <T>(promise: Promise<T>) => Promise<T>
}

export function createWorld(seed = 1): SpecWorld {
  const simulation = createSimulation(seed)
  return {
    simulation,
    env: simulation.env('pi'),
    volume: createSimulatedVolume(simulation.env('disk')),
    settle: async (promise) => {
      let done = false
      const end = (): void => {
        done = true
      }
      promise.then(end, end)
      if (!(await simulation.run(() => done, { virtualMs: 600_000 })))
        throw new Error('the promise did not settle within ten virtual minutes')
      return promise
    },
  }
}

/** The code of the `BlazeError` that the promise rejects with; fails when it resolves. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
  } catch (error) {
    if (typeof error === 'object' && error !== null && 'code' in error) return String(error.code)
    throw error
  }
  throw new Error('expected a rejection')
}
