/**
 * The network and the disks of a simulated world, with everything that they deliver and store in its trace.
 * Invariant: two runs that put other bytes on a link or a disk have other traces, also when they take the same time.
 */
import type { Simulation } from '../../runtime/index.ts'
import { createMemoryNetwork } from '../../transports/index.ts'
import type { MemoryNetwork } from '../../transports/index.ts'
import { createSimulatedVolume } from '../replica/index.ts'
import type { SimulatedVolume, StoreOperation } from '../replica/index.ts'

// The names of their environments have a slash, so that they are no node's.

export function tracedNetwork(simulation: Simulation): MemoryNetwork {
  return createMemoryNetwork(
    simulation.env('/network'),
    { latencyMs: 1 },
    { delivered: (from, to, record) => simulation.trace(`record ${from} ${to} ${byteMark(record)}`) },
  )
}

export function tracedVolume(simulation: Simulation, node: string): SimulatedVolume {
  return createSimulatedVolume(simulation.env(`/disk/${node}`), {
    applied: (store, operations, sync) =>
      simulation.trace(`batch ${node} ${store} ${sync} ${operations.map(operationMark).join(' ')}`),
  })
}

function operationMark(operation: StoreOperation): string {
  const key = byteMark(operation.key)
  return operation.type === 'put' ? `${key}=${byteMark(operation.value)}` : `-${key}`
}

/** FNV-1a, 32 bits, and the length: it tells bytes apart and proves nothing. */
function byteMark(bytes: Uint8Array): string {
  let hash = 0x811c9dc5
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193)
  return `${bytes.length}:${(hash >>> 0).toString(16)}`
}
