/** Where a supervisor is and how it is known. Invariant: there is no trust on first use; a node without key and code cannot be used. */
import { BlazeError, isPlainObject, limits, P256_PUBLIC_KEY_BYTES, type Value } from '../../runtime/index.ts'
import { formatEndpoint, parseEndpoint } from '../../transports/index.ts'
import { parseCode, type EnrolmentCode } from '../team/index.ts'
import { remoteTransports, type RemoteTransport } from './remote-endpoints.ts'

export interface RemoteNodeOptions {
  /** Name or address. Default: the one in the code. */
  readonly host?: string
  /** Default: the one in the code, else 8080. */
  readonly port?: number
  /** The supervisor's P-256 static key, 65 bytes, for a device that it knows already. */
  readonly serverKey?: Uint8Array
  /** Enrolment code, as `blazedb serve` and `blazedb enroll` print it. */
  readonly code?: string
  /** Which transports may be chosen by themselves, in this order; default: Unix socket, TLS, WebSocket. */
  readonly transports?: readonly RemoteTransport[]
  /**
   * All addresses of this one supervisor in order of preference, in place of host and port: `['tls://192.168.1.5:8080',
   * 'wss://pi.example.org:443/sync?channelBinding=none']`. The first that works is used; better ones are tried again now and then.
   */
  readonly endpoints?: readonly string[]
}

const DEFAULT_PORT = 8080

export class RemoteNode {
  readonly host: string
  readonly port: number
  /** 65 bytes; from the options or from the code. */
  readonly serverKey: Uint8Array
  readonly enrolment: EnrolmentCode | undefined
  readonly transports: readonly RemoteTransport[] | undefined
  readonly endpoints: readonly string[] | undefined

  /** Throws `SERVER_KEY_REQUIRED` without key and code, `CODE_INVALID` for a code that is none, `TypeError` for other arguments. */
  constructor(options: RemoteNodeOptions) {
    const code = options.code === undefined ? undefined : parseCode(options.code)
    if (code !== undefined && code.kind !== 'enroll') {
      throw new BlazeError(
        'CODE_INVALID',
        'expected an enrolment code, got an invite; pass it to BlazeDBClient.join',
      )
    }
    const serverKey = options.serverKey ?? code?.serverKey
    if (serverKey === undefined) {
      throw new BlazeError(
        'SERVER_KEY_REQUIRED',
        'expected serverKey or code, got neither; blazedb enroll prints a code',
      )
    }
    if (
      !(serverKey instanceof Uint8Array) ||
      serverKey.length !== P256_PUBLIC_KEY_BYTES ||
      serverKey[0] !== 4
    ) {
      throw new TypeError('serverKey: expected 65 bytes starting 0x04')
    }
    this.transports = checkTransports(options.transports)
    this.endpoints = checkEndpoints(options.endpoints)
    const host = options.host ?? code?.host ?? hostOf(this.endpoints)
    if (typeof host !== 'string' || host.length === 0)
      throw new TypeError('host: expected a name or an address')
    const port = options.port ?? code?.port ?? DEFAULT_PORT
    if (!Number.isInteger(port) || port < 1 || port > 65_535)
      throw new TypeError(`port: expected 1 to 65535, got ${port}`)
    this.host = host
    this.port = port
    this.serverKey = serverKey
    this.enrolment = code
  }

  /** From an enrolment code alone. `CODE_INVALID` for anything else. */
  static parse(code: string): RemoteNode {
    return new RemoteNode({ code })
  }
}

function checkTransports(transports: unknown): readonly RemoteTransport[] | undefined {
  if (transports === undefined) return undefined
  const known = new Set<unknown>(remoteTransports)
  if (!Array.isArray(transports) || transports.length === 0 || !transports.every((kind) => known.has(kind)))
    throw new TypeError(`transports: expected some of ${remoteTransports.join(', ')}`)
  return remoteTransports.filter((kind) => transports.includes(kind)).sort(byPlaceIn(transports))
}

function byPlaceIn(order: readonly unknown[]): (a: unknown, b: unknown) => number {
  return (a, b) => order.indexOf(a) - order.indexOf(b)
}

function checkEndpoints(endpoints: unknown): readonly string[] | undefined {
  if (endpoints === undefined) return undefined
  if (!Array.isArray(endpoints) || endpoints.length === 0 || endpoints.length > limits.endpointsMax)
    throw new TypeError(`endpoints: expected 1 to ${limits.endpointsMax} endpoints as text`)
  const checked = endpoints.map((text: unknown, index) => {
    if (typeof text !== 'string') throw new TypeError(`endpoints[${index}]: expected text`)
    try {
      return formatEndpoint(parseEndpoint(text))
    } catch (cause) {
      if (!(cause instanceof BlazeError)) throw cause
      throw new TypeError(`endpoints[${index}]: ${cause.message}`, { cause })
    }
  })
  return [...new Set(checked)]
}

function hostOf(endpoints: readonly string[] | undefined): string | undefined {
  for (const text of endpoints ?? []) {
    const endpoint = parseEndpoint(text)
    return endpoint.transport === 'uds' ? 'localhost' : endpoint.host
  }
  return undefined
}

/** What a database remembers of its supervisor, sealed in its identity. */
export interface RemoteRecord {
  readonly host: string
  readonly port: number
  /** P-256 static key, 65 bytes. */
  readonly serverKey: Uint8Array
  /** Ed25519 key, 32 bytes. */
  readonly serverDevice: Uint8Array
  /** Name of the database there; empty for a device that joined by invite. */
  readonly database: string
  readonly transports?: readonly RemoteTransport[]
  readonly endpoints?: readonly string[]
  /** Static keys that were pinned before planned changes, the latest last: a code that names one still means this supervisor. */
  readonly formerKeys?: readonly Uint8Array[]
}

export function encodeRemote(remote: RemoteRecord): Value {
  const { host, port, serverKey, serverDevice, database, transports, endpoints, formerKeys } = remote
  return {
    host,
    port,
    serverKey,
    serverDevice,
    database,
    ...(transports === undefined ? {} : { transports: [...transports] }),
    ...(endpoints === undefined ? {} : { endpoints: [...endpoints] }),
    ...(formerKeys === undefined ? {} : { formerKeys: [...formerKeys] }),
  }
}

/** Undefined when the database does not sync. Throws `BAD_VALUE` for anything `encodeRemote` did not make. */
export function decodeRemote(value: Value | undefined): RemoteRecord | undefined {
  if (value === undefined) return undefined
  if (isPlainObject(value)) {
    // The decoder makes maps of nothing but values.
    const { host, port, serverKey, serverDevice, database, ...rest } = value as { [name: string]: Value }
    if (
      typeof host === 'string' &&
      typeof port === 'number' &&
      serverKey instanceof Uint8Array &&
      serverDevice instanceof Uint8Array &&
      typeof database === 'string'
    ) {
      const transports = stored(() => checkTransports(rest['transports']))
      const endpoints = stored(() => checkEndpoints(rest['endpoints']))
      return {
        host,
        port,
        serverKey,
        serverDevice,
        database,
        ...(transports === undefined ? {} : { transports }),
        ...(endpoints === undefined ? {} : { endpoints }),
        ...keysOf(rest['formerKeys']),
      }
    }
  }
  throw wrongShape()
}

/** What the options of an application are checked by, for what was stored of them. */
function stored<T>(check: () => T): T {
  try {
    return check()
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause
    throw wrongShape(cause)
  }
}

function wrongShape(cause?: unknown): BlazeError {
  return new BlazeError('BAD_VALUE', 'the stored remote of this database has the wrong shape', { cause })
}

function keysOf(value: Value | undefined): { formerKeys?: readonly Uint8Array[] } {
  if (value === undefined) return {}
  if (!Array.isArray(value)) throw wrongShape()
  return { formerKeys: value.filter((key) => key instanceof Uint8Array) }
}
