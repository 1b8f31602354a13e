/** What the two processes of group `channel` are asked to do, and what each system offers them. */

export const channelTransports = ['uds', 'tls', 'ws'] as const
export type ChannelTransport = (typeof channelTransports)[number]

export const channelSystems = ['blazedb', 'raw'] as const
export type ChannelSystemName = (typeof channelSystems)[number]

/** Where a server listens. `path`: of a Unix socket. */
export interface ChannelPlace {
  readonly transport: ChannelTransport
  readonly path: string
  readonly port: number
}

/** Bytes of a message on the wire without its body: length of the record, head of the frame, tag. */
export const MESSAGE_HEAD_BYTES = 30

/** One connection, whose peer sends back whatever it gets. */
export interface EchoLink {
  /** Sends so many bytes and resolves when as many are back. */
  trip(bytes: number): Promise<void>
  /** Sends so many messages of so many bytes, several to a write, and resolves when all are back. */
  stream(messages: number, bytes: number): Promise<void>
  close(): void
}

export interface ChannelSystem {
  /** Echoes on every connection. `directory` is for a Unix socket. */
  listen(transport: ChannelTransport, directory: string): Promise<ChannelPlace>
  /** A connection that is ready for use. */
  dial(place: ChannelPlace): Promise<EchoLink>
}

export interface ChannelServerCalls {
  listen(body: {
    system: ChannelSystemName
    transport: ChannelTransport
    directory: string
  }): Promise<ChannelPlace>
  /** CPU of this process so far, in microseconds. */
  cpu(body: null): Promise<number>
  /** Resident bytes after a collection. */
  memory(body: null): Promise<number>
}

export interface ChannelClientCalls {
  connect(body: { system: ChannelSystemName; place: ChannelPlace }): Promise<void>
  /** Microseconds of each round trip. */
  trips(body: { count: number; bytes: number }): Promise<number[]>
  stream(body: { messages: number; bytes: number }): Promise<{ ms: number }>
  /** Milliseconds of each, from the dial until it is ready, so many at a time; each is closed when it is done. */
  handshakes(body: {
    system: ChannelSystemName
    place: ChannelPlace
    count: number
    atOnce: number
  }): Promise<number[]>
  /** Opens so many and keeps them. */
  hold(body: { system: ChannelSystemName; place: ChannelPlace; count: number }): Promise<void>
}
