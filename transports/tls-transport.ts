/**
 * Links over TLS 1.3 with the protocol name `blazed/1`, and WebSockets for who says `http/1.1`. The certificate is not checked: the secure channel proves who the peer
 * is, bound to the TLS session by its exporter. What speaks anything else is cut off, and the listener goes on.
 */
import type { Socket } from 'node:net'
import { createServer, TLSSocket } from 'node:tls'

import { BlazeError, limits } from '../runtime/index.ts'
import type { Env } from '../runtime/index.ts'
import type { Certificate } from './certificate.ts'
import { formatEndpoint } from './endpoint.ts'
import type { Endpoint, NetworkEndpoint } from './endpoint.ts'
import type { Link } from './link.ts'
import { listenOn } from './listen-on.ts'
import { SocketLink } from './socket-link.ts'
import { Strangers } from './strangers.ts'
import { bindingOf, dialTls, HTTP_NAME, NO_BINDING, remoteOf, tlsSettings } from './tls-socket.ts'
import type { DialOptions, Listener, Refusal, Transport } from './transport.ts'
import { createWebSocketDoor } from './web-socket-door.ts'

const PROTOCOL_NAME = 'blazed/1'

/** Without a certificate one is made at the first `listen`. */
export function createTlsTransport(env: Env, options: { certificate?: Certificate } = {}): Transport {
  let certificate: Promise<Certificate> | undefined
  return {
    name: 'tls',
    async listen(endpoint, onLink, onRefused) {
      const place = expectTls(endpoint)
      certificate ??=
        options.certificate === undefined ? makeCertificate(env) : Promise.resolve(options.certificate)
      return listen(env, place, await certificate, { onLink, onRefused })
    },
    dial: async (endpoint, dialOptions) => dial(env, expectTls(endpoint), dialOptions),
  }
}

interface Heard {
  readonly onLink: (link: Link) => void
  readonly onRefused: ((refusal: Refusal) => void) | undefined
}

function listen(
  env: Env,
  endpoint: NetworkEndpoint,
  { certificate, privateKey }: Certificate,
  { onLink, onRefused }: Heard,
): Promise<Listener> {
  const server = createServer({
    ...tlsSettings,
    ALPNProtocols: [PROTOCOL_NAME, HTTP_NAME],
    cert: certificate,
    key: privateKey,
    handshakeTimeout: limits.handshakeMs,
  })
  server.maxConnections = limits.listenerSocketsMax
  const strangers = new Strangers(onRefused)
  /** The sockets below those of TLS, which are other objects, by the address of the peer. */
  const below = new Map<string, Socket>()
  server.on('connection', (socket: Socket) => {
    const peer = remoteOf(socket)
    below.set(peer, socket)
    socket.once('close', () => {
      if (below.get(peer) === socket) below.delete(peer)
    })
    strangers.add(socket)
  })
  server.on('drop', (data) => {
    const remote = data?.remoteAddress ?? 'unknown'
    onRefused?.({ remote, code: 'BUSY', reason: 'too many sockets' })
  })
  const known = (socket: Socket): void => {
    const peer = remoteOf(socket)
    const first = below.get(peer)
    below.delete(peer)
    if (first !== undefined) strangers.remove(first)
  }
  const door = createWebSocketDoor({
    env,
    about: (socket) => {
      // Only sockets of this server are handed in.
      const binding = socket instanceof TLSSocket ? bindingOf(socket) : NO_BINDING
      return { transport: 'wss', remote: remoteOf(socket), binding }
    },
    onLink: (link, socket) => {
      known(socket)
      onLink(link)
    },
    onRefused,
  })
  server.on('tlsClientError', (error, socket) => {
    if (!isGone(error)) {
      const late = 'code' in error && error.code === 'ERR_TLS_HANDSHAKE_TIMEOUT'
      const code = late ? 'HANDSHAKE_TIMEOUT' : 'PROTOCOL_VIOLATION'
      onRefused?.({ remote: socket.remoteAddress ?? 'unknown', code, reason: error.message })
    }
    socket.destroy()
  })
  server.on('secureConnection', (socket) => {
    if (socket.alpnProtocol === HTTP_NAME) {
      door.accept(socket)
      return
    }
    const link = createLink(env, socket)
    if (link === undefined) {
      const reason = `no protocol of ours: ${String(socket.alpnProtocol)}`
      onRefused?.({ remote: socket.remoteAddress ?? 'unknown', code: 'PROTOCOL_VIOLATION', reason })
      socket.on('error', () => undefined)
      socket.destroy()
      return
    }
    known(socket)
    onLink(link)
  })
  const close = (): Promise<void> => {
    server.close()
    strangers.destroyAll()
    return new Promise((resolve) => env.defer(resolve))
  }

  return listenOn(env, server, { endpoint, close })
}

async function dial(env: Env, endpoint: NetworkEndpoint, options: DialOptions): Promise<Link> {
  const socket = await dialTls(env, endpoint, [PROTOCOL_NAME], options)
  const link = createLink(env, socket)
  if (link !== undefined) return link
  socket.destroy()
  throw new BlazeError('UNREACHABLE', `${formatEndpoint(endpoint)} does not speak ${PROTOCOL_NAME}`)
}

/** In simulations the same endpoints are those of a simulated network. */
function expectTls(endpoint: Endpoint): NetworkEndpoint {
  if (endpoint.transport === 'tls' || endpoint.transport === 'memory') return endpoint
  throw new BlazeError('BAD_CONFIG', `expected an endpoint of tls, got ${formatEndpoint(endpoint)}`)
}

/** Undefined when the peer speaks another protocol, or has gone already. */
function createLink(env: Env, socket: TLSSocket): Link | undefined {
  if (socket.alpnProtocol !== PROTOCOL_NAME || socket.destroyed) return undefined
  socket.setNoDelay(true)
  return new SocketLink(env, socket, {
    transport: 'tls',
    remote: remoteOf(socket),
    binding: bindingOf(socket),
  })
}

/** A peer that hung up during its handshake is nobody's fault. */
function isGone(error: Error): boolean {
  return 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE')
}

/** Loaded by listeners only: the certificate maker costs 20 MiB of memory that a device which dials should not pay. */
async function makeCertificate(env: Env): Promise<Certificate> {
  const { createCertificate } = await import('./certificate.ts')
  return createCertificate(env)
}
