/**
 * One boot of a supervisor of the campaign: the real tree on the ports of a simulated node, blind to what it hosts. (A supervisor that
 * is itself a member of the team, the keyed one of DESIGN §10, does not exist yet.)
 */
import { nodeCrypto } from '../../../runtime/index.ts'
import { startSupervisor } from '../../../server/supervisor.ts'
import type { Supervisor } from '../../../server/supervisor.ts'
import type { NodeWorld } from '../../../actors/testing.ts'

export interface SupervisorNode {
  readonly kind: 'supervisor'
  readonly node: NodeWorld
  readonly supervisor: Supervisor
}

export const supervisorPort = 8080

export async function startSupervisorNode(node: NodeWorld): Promise<SupervisorNode> {
  const { env, volume, transport, name } = node
  const supervisor = await startSupervisor({
    world: { env, crypto: nodeCrypto, volume, transport },
    listen: { transport: 'memory', host: name, port: supervisorPort },
    // A process whose tree went down is started again by its service manager.
    onFailed: () => node.exit(),
  })
  return { kind: 'supervisor', node, supervisor }
}
