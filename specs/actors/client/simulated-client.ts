/** Clients in a simulated world: one node, volumes that survive it, and no waiting for real time. */
import { openIn } from '../../../actors/client/index.ts'
import type { BlazeDBClient, World } from '../../../actors/client/index.ts'
import type { SimulatedFiles, SimulatedVolume } from '../../../actors/replica/index.ts'
import { createSimulatedFiles, createSimulatedVolume } from '../../../actors/replica/index.ts'
import { BlazeError, createSimulation, createSystem, nodeCrypto } from '../../../runtime/index.ts'
import type { Simulation } from '../../../runtime/index.ts'
import { createMemoryNetwork } from '../../../transports/index.ts'
import { settle as settleIn } from '../../fixtures/settle.ts'

export const KEY: Uint8Array = new Uint8Array(32).fill(5)

export interface ClientWorld {
  readonly simulation: Simulation
  readonly world: World
  /** The disk behind a path. */
  readonly volume: (at: string) => SimulatedVolume
  readonly files: SimulatedFiles
  readonly open: (at?: string) => Promise<BlazeDBClient>
  /** The node and the disk behind `at` lose their power; the next `open` is another boot of the node. */
  readonly powerCut: (at: string) => void
  /** Lets virtual time pass until `work` settles. */
  readonly settle: <T>(work: Promise<T>) => Promise<T>
  /** The code of the `BlazeError` that `work` rejects with, `TypeError`, or `ok`. */
  readonly code: (work: () => unknown) => Promise<string>
}

export function createClientWorld(seed = 1): ClientWorld {
  const simulation = createSimulation(seed)
  const disk = simulation.env('disk')
  const volumes = new Map<string, SimulatedVolume>()
  const volume = (at: string): SimulatedVolume => {
    const known = volumes.get(at) ?? createSimulatedVolume(disk)
    volumes.set(at, known)
    return known
  }
  const files = createSimulatedFiles()
  const network = createMemoryNetwork(simulation.env('network'))
  const boot = (): World => {
    const env = simulation.env('app')
    const transport = network.transport('app')
    return {
      system: createSystem({ env }),
      env,
      crypto: nodeCrypto,
      transport,
      local: transport,
      pid: 1,
      isRunning: (pid) => pid === 1,
      groupDirectory: (name) => `/groups/${name}`,
      volume,
      files,
    }
  }
  let world = boot()
  const settle = <T>(work: Promise<T>): Promise<T> => settleIn(simulation, work)
  return {
    simulation,
    get world() {
      return world
    },
    volume,
    files,
    settle,
    powerCut(at) {
      volume(at).crash()
      simulation.cut('app')
      world = boot()
    },
    open: (at = '/db') => settle(openIn(world, { name: at.slice(1), at, key: KEY })),
    async code(work) {
      try {
        await settle(Promise.resolve(work()))
        return 'ok'
      } catch (error) {
        if (error instanceof BlazeError) return error.code
        if (error instanceof TypeError) return 'TypeError'
        throw error
      }
    },
  }
}
