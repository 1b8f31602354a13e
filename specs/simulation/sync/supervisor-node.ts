/**
 * One boot of a supervisor of the campaign: the real tree on the ports of a simulated node. It is blind to what it hosts, unless a member
 * of the team lives in the same process, on the same disk, and falls with it: then it is keyed.
 */
import { nodeCrypto } from '../../../runtime/index.ts'
import { startSupervisor } from '../../../server/supervisor.ts'
import type { Supervisor } from '../../../server/supervisor.ts'
import type { NodeWorld } from '../../../actors/testing.ts'
import type { DeviceNode } from './device-node.ts'

export interface SupervisorNode {
  readonly kind: 'supervisor'
  readonly node: NodeWorld
  readonly supervisor: Supervisor
  readonly member: DeviceNode | undefined
}

export const supervisorPort = 8080

export async function startSupervisorNode(
  node: NodeWorld,
  { member, rateBytes }: { readonly member: DeviceNode | undefined; readonly rateBytes: number | undefined },
): Promise<SupervisorNode> {
  const { env, volume, transport, name } = node
  const supervisor = await startSupervisor({
    world: { env, crypto: nodeCrypto, volume, transport },
    listen: { transport: 'memory', host: name, port: supervisorPort },
    rateBytes,
    // A process whose tree went down is started again by its service manager.
    onFailed: () => node.exit(),
  })
  return { kind: 'supervisor', node, supervisor, member }
}

export function isSupervisor(node: { readonly kind: string }): node is SupervisorNode {
  return node.kind === 'supervisor'
}

/** As a service manager restarts it: it says goodbye to its clients first. */
export async function stopInOrder(one: SupervisorNode | undefined): Promise<void> {
  await one?.supervisor.stop()
  one?.node.exit()
}
