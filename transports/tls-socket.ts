/**
 * TLS 1.3 sockets as both transports over TLS use them.
 * Invariant: the certificate of the peer is not checked, so nothing may be believed of it before the secure channel is there, which is bound to
 * the session by its exporter.
 */
import type { Socket } from 'node:net'
import { connect, createSecureContext } from 'node:tls'
import type { SecureContext, TLSSocket } from 'node:tls'

import type { Env } from '../runtime/index.ts'
import { dialSocket } from './dial-socket.ts'
import { formatHost } from './endpoint.ts'
import type { NetworkEndpoint } from './endpoint.ts'
import type { DialOptions } from './transport.ts'

export const tlsSettings = { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3' } as const
/** RFC 7301: of what speaks WebSocket. */
export const HTTP_NAME = 'http/1.1'
export const NO_BINDING: Uint8Array = new Uint8Array(0)

/** RFC 9266: with an empty context. */
const EXPORTER_LABEL = 'EXPORTER-Channel-Binding'
const EXPORTER_BYTES = 32
const NO_CONTEXT = Buffer.alloc(0)

/** One for all that is dialled: it takes longer to make than a whole DH. It keeps no sessions. */
let dialContext: SecureContext | undefined

/** 32 bytes. */
export function bindingOf(socket: TLSSocket): Uint8Array {
  return Uint8Array.from(socket.exportKeyingMaterial(EXPORTER_BYTES, EXPORTER_LABEL, NO_CONTEXT))
}

/** Address and port of the peer, for logs. */
export function remoteOf(socket: Socket): string {
  return `${formatHost(socket.remoteAddress ?? 'unknown')}:${socket.remotePort ?? 0}`
}

/** Rejects as `dialSocket` does. */
export function dialTls(
  env: Env,
  endpoint: NetworkEndpoint,
  ALPNProtocols: string[],
  options: DialOptions,
): Promise<TLSSocket> {
  const { host, port } = endpoint
  dialContext ??= createSecureContext(tlsSettings)
  const secureContext = dialContext
  return dialSocket(env, { endpoint, ready: 'secureConnect', ...options }, () =>
    connect({ secureContext, ALPNProtocols, host, port, rejectUnauthorized: false }),
  )
}
