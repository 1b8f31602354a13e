/** Door of the transports: links to other endpoints, and the secure channel over them. */

// Links.
export { addressOf } from './address.ts'
export type { Endpoint, LocalEndpoint, NetworkEndpoint } from './endpoint.ts'
export { formatEndpoint, formatHost, parseEndpoint } from './endpoint.ts'
export type { Link, LinkHandlers } from './link.ts'
export type { NetworkFaults } from './memory-link.ts'
export type { MemoryNetwork, MemoryNetworkOptions } from './memory-network.ts'
export { createMemoryNetwork } from './memory-network.ts'
export { makePrivateDirectory } from './private-directory.ts'
export { createTlsTransport } from './tls-transport.ts'
export type { DialOptions, Listener, Refusal, Transport } from './transport.ts'
export { routeTransports } from './routed-transport.ts'
export { createUdsTransport } from './uds-transport.ts'
export { createWebSocketTransport } from './web-socket-transport.ts'

// Secure channel.
export {
  acceptChannel,
  dialChannel,
  encodeErrorBody,
  frameType,
  HeldBytes,
  parseErrorBody,
  refuseLink,
} from './channel/index.ts'
export type {
  AcceptChannelOptions,
  Authorization,
  Channel,
  ChannelCounters,
  ChannelHandlers,
  ChannelPattern,
  ChannelServer,
  DialChannelOptions,
  ProvenClient,
  RefusalReason,
  StreamRank,
} from './channel/index.ts'

// The socket of the owner of a machine, for the supervisor's command line.
export { askControl, controlSocketPath, listenControl } from './control-socket.ts'
export type { ControlPlace, ControlServer } from './control-socket.ts'
