/**
 * The endpoints of a supervisor in order of preference (DESIGN §8.5): same device by Unix socket, else TLS, and WebSocket where TLS is
 * blocked. Invariant: what an application names is used as it stands; what is chosen automatically reaches the same supervisor.
 */
import { BlazeError, toHex } from '../../runtime/index.ts'
import { parseEndpoint, type Endpoint } from '../../transports/index.ts'
import type { World } from './world.ts'

/** `memory` is for simulations only, where it is the only one. */
export type RemoteTransport = 'memory' | 'uds' | 'tls' | 'wss'

export const remoteTransports: readonly RemoteTransport[] = ['memory', 'uds', 'tls', 'wss']

interface Remote {
  readonly host: string
  readonly port: number
  readonly transports?: readonly RemoteTransport[] | undefined
  /** As `formatEndpoint` writes them. */
  readonly endpoints?: readonly string[] | undefined
}

/** `serverDevice`: the supervisor's Ed25519 key, once it is known. `NOT_SUPPORTED` when none of the transports is there. */
export function endpointsOf(
  { transport, supervisorDirectory }: World,
  { host, port, transports = remoteTransports, endpoints }: Remote,
  serverDevice?: Uint8Array,
): Endpoint[] {
  if (endpoints !== undefined) return endpoints.map(parseEndpoint)
  const found: Endpoint[] = []
  for (const kind of transports) {
    if ((kind === 'memory') !== (transport.name === 'memory')) continue
    if (kind !== 'uds') found.push({ transport: kind, host, port })
    else if (supervisorDirectory !== undefined && serverDevice !== undefined)
      found.push(supervisorSocket(supervisorDirectory, serverDevice))
  }
  if (found.length > 0) return found
  throw new BlazeError(
    'NOT_SUPPORTED',
    `transports: none of ${transports.join(', ')} leads to ${host} from here`,
  )
}

/** Where a supervisor of this user listens for the apps of its own device. */
export function supervisorSocket(directory: string, serverDevice: Uint8Array): Endpoint {
  return { transport: 'uds', directory, name: toHex(serverDevice) }
}
