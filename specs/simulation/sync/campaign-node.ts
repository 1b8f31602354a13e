/** What runs in the campaign. No code. */
import type { DeviceNode } from './device-node.ts'
import type { SupervisorNode } from './supervisor-node.ts'

export type CampaignNode = DeviceNode | SupervisorNode
