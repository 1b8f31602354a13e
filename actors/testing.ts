/**
 * Door for tests: a world under a virtual clock, with a network and disks that fail on demand, and simulations of whole programs in
 * it. Named simulators, nothing real.
 */

// Simulations of a program of many nodes.
export { simulateAll } from './testing/campaign.ts'
export type { CampaignOptions, CampaignReport } from './testing/campaign.ts'
export { simulate } from './testing/simulate.ts'
export type { SimulateOptions, SimulationReport } from './testing/simulate.ts'
export { simulationArguments } from './testing/simulation-arguments.ts'
export type { SimulationArguments } from './testing/simulation-arguments.ts'
export { SimulationFailure } from './testing/simulation-failure.ts'
export type { FailedRun, HistoryEntry, SimulationPhase } from './testing/simulation-failure.ts'
export { damageKinds, faultKinds } from './testing/swarm.ts'
export type { FaultKind, Swarm } from './testing/swarm.ts'
export type { LivingNodes, MakeWorld, NodeWorld, SimulatedWorld, WorldTools } from './testing/world.ts'

// What every transport promises, as cases for any test runner.
export type { TransportWorld } from './testing/transport-bench.ts'
export { transportConformance } from './testing/transport-conformance.ts'
export type { ConformanceCase } from './testing/transport-conformance.ts'

// Their parts.
export { createSimulation } from '../runtime/index.ts'
export type { Simulation, SimulationLimits } from '../runtime/index.ts'
export { createMemoryNetwork } from '../transports/index.ts'
export type { MemoryNetwork, MemoryNetworkOptions, NetworkFaults } from '../transports/index.ts'
export { createSimulatedVolume } from './replica/index.ts'
export type { DamagedRow, SimulatedVolume, SimulatedVolumeOptions } from './replica/index.ts'
