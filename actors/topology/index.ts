/** Door of the topology: how databases share. */
export { BlazeTopology } from './topology.ts'
export type { ConnectionMode, Connection, ConnectLocalOptions } from './topology.ts'
export type { GuestReport } from './guest/index.ts'
export type { Grants, GuestStatus, ShareStatus } from './host/index.ts'
export { ExportPolicy } from './policy/index.ts'
export type { ExportPolicyOptions } from './policy/index.ts'
