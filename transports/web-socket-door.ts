/**
 * Makes links of sockets that speak HTTP/1.1: a WebSocket upgrade of one path, and a short refusal for everything else.
 * Invariant: a socket that is handed in becomes a link, or is closed within the time of a handshake.
 */
import { createServer } from 'node:http'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'

import { limits } from '../runtime/index.ts'
import type { Env, Timer } from '../runtime/index.ts'
import { WEB_SOCKET_PATH } from './endpoint.ts'
import type { Link } from './link.ts'
import type { Refusal } from './transport.ts'
import { WebSocketLink } from './web-socket-link.ts'
import type { LinkAbout } from './stream-link.ts'

/** As `ws` calls them. */
interface WebSocketSettings {
  readonly perMessageDeflate: false
  /** Bytes of a message. */
  readonly maxPayload: number
  readonly maxFragments: number
  /** Milliseconds that the other side may take to close. */
  readonly closeTimeout: number
}

/** Of both ends. Sealed bytes do not shrink, and a record is one message. */
export const webSocketSettings: WebSocketSettings = {
  perMessageDeflate: false,
  maxPayload: limits.recordBytesMax,
  maxFragments: limits.webSocketFragmentsMax,
  closeTimeout: limits.linkLingerMs,
}

export interface WebSocketDoorOptions {
  readonly env: Env
  /** Of a socket that is handed in. */
  readonly about: (socket: Socket) => LinkAbout
  readonly onLink: (link: Link, socket: Socket) => void
  readonly onRefused: ((refusal: Refusal) => void) | undefined
}

export interface WebSocketDoor {
  /** A connected socket on which the peer has agreed to speak HTTP/1.1. */
  accept(socket: Socket): void
}

export function createWebSocketDoor(options: WebSocketDoorOptions): WebSocketDoor {
  const { env, about, onLink, onRefused } = options
  const upgrades = new WebSocketServer({ noServer: true, clientTracking: false, ...webSocketSettings })
  // Never listens: sockets are handed in, and each has its own deadline here.
  const server = createServer({ maxHeaderSize: limits.httpHeadBytesMax, keepAlive: false })
  const deadlines = new WeakMap<Duplex, Timer>()
  const refused = new WeakSet<Duplex>()
  const refuse = (socket: Duplex, code: Refusal['code'], reason: string): void => {
    // A parser that has failed fails again with the next bytes.
    if (refused.has(socket)) return
    refused.add(socket)
    onRefused?.({ remote: remoteOf(socket), code, reason })
  }
  server.on('request', (request, response) => {
    refuse(request.socket, 'PROTOCOL_VIOLATION', `HTTP ${request.method ?? ''} instead of a WebSocket`)
    response.writeHead(426, { Connection: 'close', Upgrade: 'websocket' }).end()
  })
  server.on('clientError', (error, socket) => {
    refuse(socket, 'PROTOCOL_VIOLATION', `bad HTTP: ${error.message}`)
    socket.destroy()
  })
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    if (request.url !== WEB_SOCKET_PATH) {
      refuse(socket, 'PROTOCOL_VIOLATION', `no WebSocket on the path ${(request.url ?? '').slice(0, 100)}`)
      socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
      return
    }
    upgrades.handleUpgrade(request, socket, head, (webSocket) => {
      deadlines.get(socket)?.cancel()
      onLink(new WebSocketLink(env, webSocket, socket, about(socket)), socket)
    })
  })
  upgrades.on('wsClientError', (error, socket) => {
    refuse(socket, 'PROTOCOL_VIOLATION', `bad upgrade: ${error.message}`)
    socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
  })
  return {
    accept(socket) {
      const deadline = env.after(limits.handshakeMs, () => {
        refuse(socket, 'HANDSHAKE_TIMEOUT', 'no WebSocket in time')
        socket.destroy()
      })
      deadlines.set(socket, deadline)
      socket.once('close', () => deadline.cancel())
      socket.on('error', () => undefined)
      socket.setNoDelay(true)
      server.emit('connection', socket)
    },
  }
}

function remoteOf(socket: Duplex): string {
  return (
    ('remoteAddress' in socket && typeof socket.remoteAddress === 'string' && socket.remoteAddress) ||
    'unknown'
  )
}
