/** Door for tests: a world under a virtual clock, with a network and disks that fail on demand. Named simulators, nothing real. */
export { createSimulation } from '../runtime/index.ts'
export type { Simulation, SimulationLimits } from '../runtime/index.ts'
export { createMemoryNetwork } from '../transports/index.ts'
export type { MemoryNetwork, NetworkFaults } from '../transports/index.ts'
export { createSimulatedVolume } from './replica/index.ts'
export type { SimulatedVolume } from './replica/index.ts'
