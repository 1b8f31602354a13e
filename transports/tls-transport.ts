/**
 * Links over TLS 1.3 with the protocol name `blazed/1`. The certificate is not checked: the secure channel proves who the peer
 * is, bound to the TLS session by its exporter. What speaks anything else is cut off, and the listener goes on.
 */
import type { Socket } from 'node:net'
import { connect, createServer } from 'node:tls'
import type { TLSSocket } from 'node:tls'

import { BlazeError, limits } from '../runtime/index.ts'
import type { Env } from '../runtime/index.ts'
import type { Certificate } from './certificate.ts'
import { formatEndpoint, formatHost } from './endpoint.ts'
import type { Endpoint, NetworkEndpoint } from './endpoint.ts'
import type { Link } from './link.ts'
import { SocketLink } from './socket-link.ts'
import type { DialOptions, Listener, Transport } from './transport.ts'

const PROTOCOL_NAME = 'blazed/1'
const SETTINGS = { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3', ALPNProtocols: [PROTOCOL_NAME] } as const
/** RFC 9266: with an empty context. */
const EXPORTER_LABEL = 'EXPORTER-Channel-Binding'
const EXPORTER_BYTES = 32
const NO_CONTEXT = Buffer.alloc(0)

/** Without a certificate one is made at the first `listen`. */
export function createTlsTransport(env: Env, options: { certificate?: Certificate } = {}): Transport {
  let certificate: Promise<Certificate> | undefined
  return {
    name: 'tls',
    async listen(endpoint, onLink) {
      const place = expectNetwork(endpoint)
      certificate ??=
        options.certificate === undefined ? makeCertificate(env) : Promise.resolve(options.certificate)
      return listen(env, place, await certificate, onLink)
    },
    dial: async (endpoint, dialOptions) => dial(env, expectNetwork(endpoint), dialOptions),
  }
}

function listen(
  env: Env,
  endpoint: NetworkEndpoint,
  { certificate, privateKey }: Certificate,
  onLink: (link: Link) => void,
): Promise<Listener> {
  const server = createServer({
    ...SETTINGS,
    cert: certificate,
    key: privateKey,
    handshakeTimeout: limits.handshakeMs,
  })
  server.maxConnections = limits.listenerSocketsMax
  /** Sockets that are no link yet, by the address of the peer: the TLS socket over one is another object. */
  const strangers = new Map<string, Socket>()
  server.on('connection', (socket: Socket) => {
    const peer = peerOf(socket)
    strangers.set(peer, socket)
    socket.once('close', () => {
      if (strangers.get(peer) === socket) strangers.delete(peer)
    })
  })
  server.on('tlsClientError', (error, socket) => {
    env.log.debug('tls.refused', { remote: socket.remoteAddress, error: error.message })
    socket.destroy()
  })
  server.on('secureConnection', (socket) => {
    const link = createLink(env, socket)
    if (link === undefined) {
      socket.on('error', () => undefined)
      socket.destroy()
      return
    }
    strangers.delete(peerOf(socket))
    onLink(link)
  })
  const close = (): Promise<void> => {
    server.close()
    for (const stranger of strangers.values()) stranger.destroy()
    return new Promise((resolve) => env.defer(resolve))
  }

  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const taken = cause.code === 'EADDRINUSE'
      const message = `cannot listen on ${formatEndpoint(endpoint)}: ${taken ? 'the port is taken' : cause.message}`
      reject(new BlazeError(taken ? 'PORT_IN_USE' : 'BAD_CONFIG', message, { cause }))
    })
    server.listen({ host: endpoint.host, port: endpoint.port }, () => {
      server.on('error', (error) => {
        // Out of file handles and the like: this connection is lost, the listener is not.
        env.log.warn('tls.accept.failed', { error: error.message })
      })
      const address = server.address()
      const port = typeof address === 'object' && address !== null ? address.port : endpoint.port
      resolve({ endpoint: { ...endpoint, port }, close })
    })
  })
}

function dial(env: Env, endpoint: NetworkEndpoint, { signal, timeoutMs }: DialOptions): Promise<Link> {
  return new Promise((resolve, reject) => {
    const where = formatEndpoint(endpoint)
    if (signal?.aborted === true) {
      reject(new BlazeError('ABORTED', `dialling ${where} was aborted`))
      return
    }
    const socket = connect({
      ...SETTINGS,
      host: endpoint.host,
      port: endpoint.port,
      rejectUnauthorized: false,
    })
    const settle = (): void => {
      timer.cancel()
      signal?.removeEventListener('abort', onAbort)
      socket.off('error', onError)
      socket.off('secureConnect', onSecure)
    }
    const fail = (error: BlazeError): void => {
      settle()
      // A second error of the same attempt says nothing new.
      socket.on('error', () => undefined)
      socket.destroy()
      reject(error)
    }
    const onError = (cause: Error): void => {
      fail(new BlazeError('UNREACHABLE', `${where} does not answer: ${cause.message}`, { cause }))
    }
    const onAbort = (): void => fail(new BlazeError('ABORTED', `dialling ${where} was aborted`))
    const onSecure = (): void => {
      const link = createLink(env, socket)
      if (link === undefined) {
        fail(new BlazeError('UNREACHABLE', `${where} does not speak ${PROTOCOL_NAME}`))
        return
      }
      settle()
      resolve(link)
    }
    const timer = env.after(timeoutMs, () => {
      fail(new BlazeError('TIMEOUT', `${where} did not answer within ${timeoutMs} ms`))
    })
    signal?.addEventListener('abort', onAbort)
    socket.on('error', onError)
    socket.on('secureConnect', onSecure)
  })
}

function expectNetwork(endpoint: Endpoint): NetworkEndpoint {
  if (endpoint.transport !== 'uds') return endpoint
  throw new BlazeError('BAD_CONFIG', `expected a host and a port, got ${formatEndpoint(endpoint)}`)
}

function peerOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`
}

/** Undefined when the peer speaks another protocol, or has gone already. */
function createLink(env: Env, socket: TLSSocket): Link | undefined {
  if (socket.alpnProtocol !== PROTOCOL_NAME || socket.destroyed) return undefined
  const binding = socket.exportKeyingMaterial(EXPORTER_BYTES, EXPORTER_LABEL, NO_CONTEXT)
  socket.setNoDelay(true)
  return new SocketLink(env, socket, {
    transport: 'tls',
    remote: `${formatHost(socket.remoteAddress ?? 'unknown')}:${socket.remotePort ?? 0}`,
    binding: Uint8Array.from(binding),
  })
}

/** Loaded by listeners only: the certificate maker costs 20 MiB of memory that a device which dials should not pay. */
async function makeCertificate(env: Env): Promise<Certificate> {
  const { createCertificate } = await import('./certificate.ts')
  return createCertificate(env)
}
