/**
 * Links over WebSocket: `wss` to the port of a TLS listener, for networks that let nothing else through; `ws` between a supervisor and a proxy
 * on its machine that terminates TLS. Invariant: without a binding to TLS both sides have said so, and plain bytes never leave the machine.
 */
import { connect as connectTcp, createServer, isIP } from 'node:net'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { WebSocket } from 'ws'

import { BlazeError, limits } from '../runtime/index.ts'
import type { Env } from '../runtime/index.ts'
import { dialSocket } from './dial-socket.ts'
import { formatEndpoint, formatHost, isWebSocket, WEB_SOCKET_PATH } from './endpoint.ts'
import type { Endpoint, NetworkEndpoint } from './endpoint.ts'
import type { Link } from './link.ts'
import { listenOn } from './listen-on.ts'
import { Strangers } from './strangers.ts'
import { bindingOf, dialTls, HTTP_NAME, NO_BINDING, remoteOf } from './tls-socket.ts'
import type { DialOptions, Listener, Refusal, Transport } from './transport.ts'
import { createWebSocketDoor, webSocketSettings } from './web-socket-door.ts'
import { WebSocketLink } from './web-socket-link.ts'

/** Listens on `ws` endpoints alone: the TLS transport takes `wss` on its own port. */
export function createWebSocketTransport(env: Env): Transport {
  return {
    name: 'websocket',
    listen: async (endpoint, onLink, onRefused) => {
      const place = expectWebSocket(endpoint)
      if (place.transport === 'wss') {
        throw new BlazeError(
          'BAD_CONFIG',
          `${formatEndpoint(place)}: listen on tls, which takes wss on its port`,
        )
      }
      return listen(env, place, onLink, onRefused)
    },
    dial: async (endpoint, options) => dial(env, expectWebSocket(endpoint), options),
  }
}

function listen(
  env: Env,
  endpoint: NetworkEndpoint,
  onLink: (link: Link) => void,
  onRefused: ((refusal: Refusal) => void) | undefined,
): Promise<Listener> {
  const server = createServer()
  server.maxConnections = limits.listenerSocketsMax
  const strangers = new Strangers(onRefused)
  const door = createWebSocketDoor({
    env,
    about: (socket) => ({ transport: 'ws', remote: remoteOf(socket), binding: NO_BINDING }),
    onLink: (link, socket) => {
      strangers.remove(socket)
      onLink(link)
    },
    onRefused,
  })
  server.on('connection', (socket) => {
    strangers.add(socket)
    door.accept(socket)
  })
  const close = (): Promise<void> => {
    server.close()
    strangers.destroyAll()
    return new Promise((resolve) => env.defer(resolve))
  }
  return listenOn(env, server, { endpoint, close })
}

async function dial(env: Env, endpoint: NetworkEndpoint, options: DialOptions): Promise<Link> {
  const endMs = env.monotonic() + options.timeoutMs
  const socket = await connect(env, endpoint, options)
  const timeoutMs = Math.max(0, endMs - env.monotonic())
  return upgrade(env, endpoint, socket, { ...options, timeoutMs })
}

async function connect(env: Env, endpoint: NetworkEndpoint, options: DialOptions): Promise<Socket> {
  const { transport, host, port, channelBinding } = endpoint
  if (transport === 'ws')
    return dialSocket(env, { endpoint, ready: 'connect', ...options }, () => connectTcp({ host, port }))
  const socket = await dialTls(env, endpoint, [HTTP_NAME], options)
  // A proxy may name no protocol; whoever speaks to us directly does.
  if (socket.alpnProtocol === HTTP_NAME || channelBinding === 'none') return socket
  socket.destroy()
  throw new BlazeError('UNREACHABLE', `${formatEndpoint(endpoint)} does not speak ${HTTP_NAME}`)
}

function upgrade(
  env: Env,
  endpoint: NetworkEndpoint,
  socket: Socket,
  { signal, timeoutMs }: DialOptions,
): Promise<Link> {
  const where = formatEndpoint(endpoint)
  const { host, port, channelBinding } = endpoint
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      socket.on('error', () => undefined)
      socket.destroy()
      reject(new BlazeError('ABORTED', `dialling ${where} was aborted`))
      return
    }
    socket.setNoDelay(true)
    // TLS is there already: to HTTP it is a plain socket.
    const webSocket = new WebSocket(`ws://${formatHost(host)}:${port}${WEB_SOCKET_PATH}`, {
      ...webSocketSettings,
      followRedirects: false,
      createConnection: () => socket,
    })
    const settle = (): void => {
      timer.cancel()
      signal?.removeEventListener('abort', onAbort)
      webSocket.off('error', onError)
      webSocket.off('open', onOpen)
    }
    const fail = (error: BlazeError): void => {
      settle()
      webSocket.on('error', () => undefined)
      webSocket.terminate()
      socket.destroy()
      reject(error)
    }
    const onError = (cause: Error): void => {
      fail(
        new BlazeError('UNREACHABLE', `${where} does not answer as a WebSocket: ${cause.message}`, { cause }),
      )
    }
    const onAbort = (): void => fail(new BlazeError('ABORTED', `dialling ${where} was aborted`))
    const onOpen = (): void => {
      settle()
      const isBound = socket instanceof TLSSocket && channelBinding === undefined
      const binding = isBound ? bindingOf(socket) : NO_BINDING
      const transport = endpoint.transport === 'ws' ? 'ws' : 'wss'
      resolve(new WebSocketLink(env, webSocket, socket, { transport, remote: remoteOf(socket), binding }))
    }
    const timer = env.after(timeoutMs, () => {
      fail(new BlazeError('TIMEOUT', `${where} did not answer within ${timeoutMs} ms`))
    })
    signal?.addEventListener('abort', onAbort)
    webSocket.on('error', onError)
    webSocket.on('open', onOpen)
  })
}

/** `BAD_CONFIG` for what is no WebSocket, and for plain ones that leave the machine or that nobody has called unbound. */
function expectWebSocket(endpoint: Endpoint): NetworkEndpoint {
  if (endpoint.transport === 'uds' || !isWebSocket(endpoint)) {
    throw new BlazeError('BAD_CONFIG', `expected an endpoint of wss or ws, got ${formatEndpoint(endpoint)}`)
  }
  if (endpoint.transport === 'wss') return endpoint
  if (!isLoopback(endpoint.host)) {
    throw new BlazeError(
      'BAD_CONFIG',
      `${formatEndpoint(endpoint)}: ws has no TLS of its own and is for loopback only; use wss, or put a proxy on this machine`,
    )
  }
  if (endpoint.channelBinding !== 'none') {
    throw new BlazeError(
      'BAD_CONFIG',
      `${formatEndpoint(endpoint)}: say ?channelBinding=none on both sides, as the proxy ends TLS between them`,
    )
  }
  return endpoint
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}
