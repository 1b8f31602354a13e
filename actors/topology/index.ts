/** Door of the topology: how databases share. */
export { BlazeTopology } from './topology.ts'
export type { ConnectionMode, Connection, ConnectLocalOptions } from './topology.ts'
