/** Door of the secure channel within the transports. */
export { acceptChannel, refuseLink } from './accept-channel.ts'
export type { AcceptChannelOptions, Authorization, ProvenClient } from './accept-channel.ts'
export type { Channel, ChannelCounters, ChannelHandlers } from './channel.ts'
export { dialChannel } from './dial-channel.ts'
export type { ChannelServer, DialChannelOptions } from './dial-channel.ts'
export { encodeErrorBody, parseErrorBody } from './error-body.ts'
export { frameType } from './frame.ts'
export type { ChannelPattern, RefusalReason } from './handshake-message.ts'
