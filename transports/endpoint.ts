/** Where to listen or dial, as data and as a URL. The text form round-trips. */
import { BlazeError, limits } from '../runtime/index.ts'

export interface Endpoint {
  readonly transport: 'memory' | 'tls'
  /** A name or an address; IPv6 without brackets. */
  readonly host: string
  /** 0 asks a listener for any free port. */
  readonly port: number
}

const FORM = /^(memory|tls):\/\/(?:\[([0-9a-fA-F:.]{2,45})\]|([^\s:/?#@[\]]+)):(\d{1,5})$/

/** `tls://127.0.0.1:8080`, `tls://[::1]:8080`, `memory://pi:1`. `BAD_CONFIG` for anything else. */
export function parseEndpoint(text: string): Endpoint {
  const [, transport, address, name, digits] = FORM.exec(text) ?? []
  const host = address ?? name
  const port = Number(digits)
  if ((transport !== 'memory' && transport !== 'tls') || host === undefined) throw badEndpoint(text)
  if (host.length > limits.hostCharsMax || port > 65_535) throw badEndpoint(text)
  return { transport, host, port }
}

export function formatEndpoint(endpoint: Endpoint): string {
  return `${endpoint.transport}://${formatHost(endpoint.host)}:${endpoint.port}`
}

/** Host as it stands in a URL. */
export function formatHost(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

function badEndpoint(text: string): BlazeError {
  return new BlazeError(
    'BAD_CONFIG',
    `expected an endpoint like tls://127.0.0.1:8080 or tls://[::1]:8080, got "${text.slice(0, limits.hostCharsMax)}"`,
  )
}
