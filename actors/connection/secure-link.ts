/**
 * From a link to an authenticated channel with the pinned supervisor, and from an endpoint to one beside the channel that is in use.
 * Invariant: a key that takes the place of the pinned one is stored before the channel that named it is used.
 */
import { BlazeError, equalBytes, limits, type Env } from '../../runtime/index.ts'
import { dialChannel } from '../../transports/index.ts'
import type { Channel, DialOptions, Endpoint, Link, Transport } from '../../transports/index.ts'
import type { DialedOptions } from './dialed-message.ts'
import type { Route } from './route.ts'

export interface Secured {
  readonly channel: Channel
  /** The supervisor's Ed25519 key. */
  readonly deviceKey: Uint8Array
  /** The key to dial from now on. */
  readonly serverKey: Uint8Array
}

/**
 * A link over the present endpoint of the route. A local socket on which nobody listens is passed over: most supervisors are on another
 * machine. Rejects as the transport.
 */
export async function dialRoute(transport: Transport, route: Route, signal: AbortSignal): Promise<Link> {
  const timeoutMs = route.count === 1 ? limits.dialTimeoutMs : limits.dialTurnMs
  for (let left = route.count; ; left--) {
    const endpoint = route.current
    try {
      return await transport.dial(endpoint, { signal, timeoutMs })
    } catch (error) {
      const absent =
        endpoint.transport === 'uds' && error instanceof BlazeError && error.code === 'UNREACHABLE'
      if (!absent || left === 1) throw error
      route.next()
    }
  }
}

/** A link over the first endpoint that answers. Rejects as the last of them. */
export async function dialAny(transport: Transport, route: Route, options: DialOptions): Promise<Link> {
  const timeoutMs = route.count === 1 ? options.timeoutMs : Math.min(options.timeoutMs, limits.dialTurnMs)
  for (let left = route.count; ; left--) {
    try {
      return await transport.dial(route.current, { ...options, timeoutMs })
    } catch (error) {
      if (left === 1 || options.signal?.aborted === true) throw error
      route.next()
    }
  }
}

/** Takes the link over. Rejects as `dialChannel`, or with what storing a new key rejects with. */
export async function secureLink(
  o: DialedOptions,
  env: Env,
  link: Link,
  serverKey: Uint8Array,
): Promise<Secured> {
  const { staticKey, device, crypto, successor } = o
  const { channel, server } = await dialChannel(link, {
    env,
    crypto,
    pattern: 'XK',
    serverKey,
    staticKey,
    device,
    ...(successor === undefined ? {} : { serverDevice: successor.serverDevice }),
  })
  try {
    if (!equalBytes(server.staticKey, serverKey)) await successor?.store(server.staticKey)
  } catch (error) {
    channel.destroy()
    throw error
  }
  return { channel, deviceKey: server.deviceKey, serverKey: server.staticKey }
}

/** Another channel to the same supervisor. What it began is ended when `signal` aborts. */
export async function secureEndpoint(
  o: DialedOptions,
  env: Env,
  endpoint: Endpoint,
  serverKey: Uint8Array,
  signal: AbortSignal,
): Promise<Secured> {
  const link = await o.transport.dial(endpoint, { signal, timeoutMs: limits.dialTimeoutMs })
  const abort = (): void => link.destroy(new BlazeError('ABORTED', 'the connection was stopped'))
  signal.addEventListener('abort', abort)
  if (signal.aborted) abort()
  return secureLink(o, env, link, serverKey).finally(() => signal.removeEventListener('abort', abort))
}
