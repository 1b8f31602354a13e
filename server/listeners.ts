/**
 * The listeners of the supervisor, each a cell of its own: TLS with WebSocket on one port, and where it is asked for a Unix socket for apps of
 * the same device, and plain WebSocket on loopback for a proxy. Invariant: where links come from makes no difference to what they may do.
 */
import { formatEndpoint } from '../transports/index.ts'
import type { Endpoint, Link, Listener, Refusal, Transport } from '../transports/index.ts'
import { createResource } from './resource/index.ts'
import type { Resource } from './resource/index.ts'

export interface ListenerOptions {
  readonly transport: Transport
  /** Asked at every opening: a port that was taken once is asked for again. */
  endpoint(): Endpoint
  /** With the port that was taken. */
  listening?(endpoint: Endpoint): void
  readonly onLink: (link: Link) => void
  readonly onRefused: (refusal: Refusal) => void
}

export function listenerResource(name: string, o: ListenerOptions): Resource<Listener> {
  return createResource<Listener>({
    name,
    kind: 'listener',
    open: async () => {
      const listener = await o.transport.listen(o.endpoint(), o.onLink, o.onRefused)
      o.listening?.(listener.endpoint)
      return listener
    },
    close: (listener) => listener.close(),
    inspect: (listener) => (listener === undefined ? {} : { listen: formatEndpoint(listener.endpoint) }),
  })
}
