/**
 * System `raw` of group `channel`: sockets as they come, TLS 1.3, and the WebSocket library over it, which send the same bytes with nothing
 * added. Invariant: a server sends back what it got, whole, and nothing else; back-pressure is the socket's.
 */
import { once } from 'node:events'
import { createServer as createHttpsServer } from 'node:https'
import type { ServerOptions } from 'node:https'
import { connect as connectLocal, createServer as createLocalServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { join } from 'node:path'
import { connect, createServer } from 'node:tls'
import { WebSocket, WebSocketServer } from 'ws'
import { createNodeEnv } from '../../runtime/index.ts'
import { createCertificate } from '../../transports/certificate.ts'
import { MESSAGE_HEAD_BYTES } from './channel-calls.ts'
import type { ChannelPlace, ChannelSystem, ChannelTransport, EchoLink } from './channel-calls.ts'

/** Of one write of a stream of messages: a record of the channel. */
const WRITE_BYTES = 65_535
/** Bytes under way at most, in writes: the credit of a stream. */
const WINDOW_BYTES = 1_048_576

async function listen(transport: ChannelTransport, directory: string): Promise<ChannelPlace> {
  const path = join(directory, 'echo.sock')
  if (transport === 'uds') {
    await listening(createLocalServer(echo), (server) => server.listen(path))
    return { transport, path, port: 0 }
  }
  const { certificate, privateKey } = await createCertificate(createNodeEnv())
  const tls = { cert: certificate, key: privateKey, minVersion: 'TLSv1.3' } as const
  const server: Server = transport === 'tls' ? createServer(tls, echo) : webSocketServer(tls)
  await listening(server, () => server.listen(0, '127.0.0.1'))
  const address = server.address()
  return { transport, path, port: typeof address === 'object' && address !== null ? address.port : 0 }
}

function webSocketServer(tls: ServerOptions): Server {
  const server = createHttpsServer(tls)
  const upgrades = new WebSocketServer({ server, perMessageDeflate: false })
  upgrades.on('connection', (socket) => socket.on('message', (bytes) => socket.send(bytes)))
  return server
}

function echo(socket: Socket): void {
  socket.setNoDelay(true)
  // A client that leaves is no news.
  socket.on('error', () => undefined)
  socket.pipe(socket)
}

async function listening<S extends Server>(server: S, listenOn: (server: S) => void): Promise<void> {
  listenOn(server)
  await once(server, 'listening')
}

async function dial({ transport, path, port }: ChannelPlace): Promise<EchoLink> {
  if (transport === 'ws') {
    const socket = new WebSocket(`wss://127.0.0.1:${port}/sync`, {
      rejectUnauthorized: false,
      perMessageDeflate: false,
    })
    socket.binaryType = 'nodebuffer'
    await once(socket, 'open')
    const link = new RawEcho(
      (bytes) => socket.send(bytes),
      () => socket.terminate(),
    )
    socket.on('message', (bytes: Buffer) => link.back(bytes.length))
    return link
  }
  const socket =
    transport === 'uds'
      ? connectLocal(path)
      : connect({ host: '127.0.0.1', port, minVersion: 'TLSv1.3', rejectUnauthorized: false })
  await once(socket, transport === 'uds' ? 'connect' : 'secureConnect')
  socket.setNoDelay(true)
  socket.on('error', () => undefined)
  const link = new RawEcho(
    (bytes) => socket.write(bytes),
    () => socket.destroy(),
  )
  socket.on('data', (bytes: Buffer) => link.back(bytes.length))
  return link
}

class RawEcho implements EchoLink {
  readonly #send: (bytes: Uint8Array) => void
  readonly #end: () => void
  #took: (bytes: number) => void = () => undefined

  constructor(send: (bytes: Uint8Array) => void, end: () => void) {
    this.#send = send
    this.#end = end
  }

  back(bytes: number): void {
    this.#took(bytes)
  }

  async trip(bytes: number): Promise<void> {
    await this.#move(bytes + MESSAGE_HEAD_BYTES)
  }

  async stream(messages: number, bytes: number): Promise<void> {
    await this.#move(messages * (bytes + MESSAGE_HEAD_BYTES))
  }

  close(): void {
    this.#end()
  }

  #move(bytes: number): Promise<void> {
    return new Promise((resolve) => {
      let [sent, back] = [0, 0]
      const send = (): void => {
        while (sent < bytes && sent - back < WINDOW_BYTES) {
          const part = Math.min(WRITE_BYTES, bytes - sent)
          sent += part
          this.#send(new Uint8Array(part))
        }
      }
      this.#took = (part) => {
        back += part
        if (back >= bytes) resolve()
        else send()
      }
      send()
    })
  }
}

export const rawChannel: ChannelSystem = { listen, dial }
