/** Where a supervisor is and how it is known. Invariant: there is no trust on first use; a node without key and code cannot be used. */
import { BlazeError, isPlainObject, P256_PUBLIC_KEY_BYTES, type Value } from '../../runtime/index.ts'
import { parseCode, type EnrolmentCode } from '../team/index.ts'

export interface RemoteNodeOptions {
  /** Name or address. Default: the one in the code. */
  readonly host?: string
  /** Default: the one in the code, else 8080. */
  readonly port?: number
  /** The supervisor's P-256 static key, 65 bytes, for a device that it knows already. */
  readonly serverKey?: Uint8Array
  /** Enrolment code, as `blazedb serve` and `blazedb enroll` print it. */
  readonly code?: string
}

const DEFAULT_PORT = 8080

export class RemoteNode {
  readonly host: string
  readonly port: number
  /** 65 bytes; from the options or from the code. */
  readonly serverKey: Uint8Array
  readonly enrolment: EnrolmentCode | undefined

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
    const host = options.host ?? code?.host
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
}

export function encodeRemote(remote: RemoteRecord): Value {
  const { host, port, serverKey, serverDevice, database } = remote
  return { host, port, serverKey, serverDevice, database }
}

/** Undefined when the database does not sync. Throws `BAD_VALUE` for anything `encodeRemote` did not make. */
export function decodeRemote(value: Value | undefined): RemoteRecord | undefined {
  if (value === undefined) return undefined
  if (isPlainObject(value)) {
    // The decoder makes maps of nothing but values.
    const { host, port, serverKey, serverDevice, database } = value as { [name: string]: Value }
    if (
      typeof host === 'string' &&
      typeof port === 'number' &&
      serverKey instanceof Uint8Array &&
      serverDevice instanceof Uint8Array &&
      typeof database === 'string'
    ) {
      return { host, port, serverKey, serverDevice, database }
    }
  }
  throw new BlazeError('BAD_VALUE', 'the stored remote of this database has the wrong shape')
}
