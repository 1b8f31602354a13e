/** What runs in the campaign. */
import type { LivingNodes } from '../../../actors/testing.ts'
import type { DeviceNode } from './device-node.ts'
import type { SupervisorNode } from './supervisor-node.ts'

export type CampaignNode = DeviceNode | SupervisorNode

/** Those that live with a supervisor too. */
export function devicesOf(nodes: LivingNodes<CampaignNode>): DeviceNode[] {
  return [...nodes.values()].flatMap(deviceOf)
}

export function deviceOf(node: CampaignNode): DeviceNode[] {
  if (node.kind === 'device') return [node]
  return node.member === undefined ? [] : [node.member]
}
