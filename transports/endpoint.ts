/** Where to listen or dial, as data and as text. Each endpoint has one text form, and the two round-trip. */
import { posix } from 'node:path'

import { BlazeError, isWellFormed, limits } from '../runtime/index.ts'

export type Endpoint = NetworkEndpoint | LocalEndpoint

export interface NetworkEndpoint {
  readonly transport: 'memory' | 'tls' | WebSocketKind
  /** A name or an address; IPv6 without brackets. */
  readonly host: string
  /** 0 asks a listener for any free port. */
  readonly port: number
  /**
   * WebSocket only: TLS ends at a proxy between the two, so nothing names the link at both ends. Must be said on both sides; `ws` has no
   * other way.
   */
  readonly channelBinding?: 'none'
}

/** WebSocket over TLS, on the port of `tls`; and without, on loopback only, behind a proxy that terminates TLS. */
export type WebSocketKind = 'wss' | 'ws'

/** The only path that a listener answers. */
export const WEB_SOCKET_PATH = '/sync'

/** A name on this machine that one process at a time listens under. */
export interface LocalEndpoint {
  readonly transport: 'uds'
  /** Absolute and normalised, without a slash at its end. */
  readonly directory: string
  /** Any text of 1 to 255 bytes; only its hash stands in the name of the socket. */
  readonly name: string
}

const NETWORK_FORM =
  /^(memory|tls|wss|ws):\/\/(?:\[([0-9a-fA-F:.]{2,45})\]|([^\s:/?#@[\]]+)):(\d{1,5})(\/sync(?:\?channelBinding=none)?)?$/
const NO_BINDING = '?channelBinding=none'
const LOCAL_FORM = /^uds:(\/[^?#]*)#([^#]+)$/

/**
 * `wss://pi:8080/sync`, `ws://127.0.0.1:8082/sync?channelBinding=none`, `tls://127.0.0.1:8080`, `tls://[::1]:8080`, `memory://pi:1`, `uds:/home/jo/group#bugs` (directory and name percent-encoded).
 * `BAD_CONFIG` for anything else, and for another spelling of the same.
 */
export function parseEndpoint(text: string): Endpoint {
  return parseNetwork(text) ?? parseLocal(text)
}

/** `BAD_CONFIG` for a local endpoint with another directory or name than its type says. */
export function formatEndpoint(endpoint: Endpoint): string {
  if (endpoint.transport !== 'uds') {
    const base = `${endpoint.transport}://${formatHost(endpoint.host)}:${endpoint.port}`
    if (!isWebSocket(endpoint)) return base
    return `${base}${WEB_SOCKET_PATH}${endpoint.channelBinding === undefined ? '' : NO_BINDING}`
  }
  checkLocal(endpoint)
  return `uds:${endpoint.directory.split('/').map(encodeURIComponent).join('/')}#${encodeURIComponent(endpoint.name)}`
}

/** Host as it stands in a URL. */
export function formatHost(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

function parseNetwork(text: string): NetworkEndpoint | undefined {
  const [, transport, address, name, digits, path] = NETWORK_FORM.exec(text) ?? []
  const host = address ?? name
  const port = Number(digits)
  if (!isNetwork(transport) || host === undefined) return undefined
  if (host.length > limits.hostCharsMax || port > 65_535) throw badEndpoint(text)
  const endpoint = { transport, host, port }
  if (isWebSocket(endpoint) !== (path !== undefined)) throw badEndpoint(text)
  return path?.endsWith(NO_BINDING) === true ? { ...endpoint, channelBinding: 'none' } : endpoint
}

/** Over HTTP. */
export function isWebSocket({ transport }: Pick<Endpoint, 'transport'>): boolean {
  return transport === 'wss' || transport === 'ws'
}

function isNetwork(transport: string | undefined): transport is NetworkEndpoint['transport'] {
  return transport !== undefined && ['memory', 'tls', 'wss', 'ws'].includes(transport)
}

function parseLocal(text: string): LocalEndpoint {
  const [, directory, name] = LOCAL_FORM.exec(text) ?? []
  if (directory === undefined || name === undefined) throw badEndpoint(text)
  try {
    const endpoint: LocalEndpoint = {
      transport: 'uds',
      directory: decodeURIComponent(directory),
      name: decodeURIComponent(name),
    }
    if (formatEndpoint(endpoint) === text) return endpoint
  } catch (error) {
    // Of the decoder: a broken escape.
    if (!(error instanceof URIError)) throw error
  }
  throw badEndpoint(text)
}

function checkLocal({ directory, name }: LocalEndpoint): void {
  const plain = posix.isAbsolute(directory) && posix.normalize(directory) === directory
  if (!plain || directory.endsWith('/') || directory.includes('\0') || !isWellFormed(directory))
    throw new BlazeError(
      'BAD_CONFIG',
      `directory: expected an absolute, normal path, got "${cut(directory)}"`,
    )
  if (Buffer.byteLength(directory) > limits.directoryBytesMax)
    throw new BlazeError('BAD_CONFIG', `directory: expected at most ${limits.directoryBytesMax} bytes`)
  const bytes = Buffer.byteLength(name)
  if (bytes < 1 || bytes > limits.localNameBytesMax || !isWellFormed(name))
    throw new BlazeError(
      'BAD_CONFIG',
      `name: expected text of 1 to ${limits.localNameBytesMax} bytes, got ${bytes} bytes`,
    )
}

function badEndpoint(text: string): BlazeError {
  return new BlazeError(
    'BAD_CONFIG',
    `expected an endpoint like tls://127.0.0.1:8080, tls://[::1]:8080, wss://pi:8080/sync or uds:/home/jo/group#bugs, got "${cut(text)}"`,
  )
}

function cut(text: string): string {
  return text.slice(0, limits.hostCharsMax)
}
