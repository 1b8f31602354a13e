/**
 * Rows over a socket as it comes, TLS 1.3 or that of a Unix domain: `u32 length of key | u32 length of value | key | value`. A
 * certificate is not checked.
 *
 * Invariant: back-pressure is the socket's; nothing is added that a faster program would leave out.
 */
import { connect as connectLocal, createServer as createLocalServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { connect, createServer } from 'node:tls'
import type { RawRow } from './raw-store.ts'

const headBytes = 8

export class RawLink {
  readonly #socket: Socket
  #rest: Buffer = Buffer.alloc(0)
  #onRow: (row: RawRow) => void = () => undefined
  #onEnd: (error: Error) => void = () => undefined
  /** Settles when the socket has room again, or ended. */
  #room: Promise<void> | undefined
  #wake: () => void = () => undefined

  constructor(socket: Socket, first: Buffer) {
    this.#socket = socket
    this.#rest = first
    socket.setNoDelay(true)
    socket.on('error', (error) => this.#onEnd(error))
    socket.on('drain', () => this.#wake())
    socket.on('close', () => {
      this.#wake()
      this.#onEnd(new Error('the link has ended'))
    })
  }

  /** Begins to read. */
  onRow(take: (row: RawRow) => void): void {
    this.#onRow = take
    this.#socket.on('data', (chunk: Buffer) => this.#read(chunk))
    this.#read(Buffer.alloc(0))
  }

  onEnd(end: (error: Error) => void): void {
    this.#onEnd = end
  }

  /** Resolves at once, or when there is room again. */
  send(row: RawRow): Promise<void> {
    return this.sendAll([row])
  }

  /** The same, with one write for all. */
  async sendAll(rows: readonly RawRow[]): Promise<void> {
    const parts = rows.flatMap(({ key, value }) => [headOf(key, value), key, value])
    if (this.#socket.write(Buffer.concat(parts)) || this.#socket.destroyed) return
    this.#room ??= new Promise((resolve) => {
      this.#wake = () => {
        this.#room = undefined
        resolve()
      }
    })
    await this.#room
  }

  destroy(_error?: unknown): void {
    this.#socket.destroy()
  }

  #read(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    let at = 0
    while (bytes.length - at >= headBytes) {
      const keyEnd = at + headBytes + bytes.readUInt32BE(at)
      const end = keyEnd + bytes.readUInt32BE(at + 4)
      if (end > bytes.length) break
      this.#onRow({ key: bytes.subarray(at + headBytes, keyEnd), value: bytes.subarray(keyEnd, end) })
      at = end
    }
    this.#rest = bytes.subarray(at)
  }
}

function headOf(key: Uint8Array, value: Uint8Array): Buffer {
  const head = Buffer.allocUnsafe(headBytes)
  head.writeUInt32BE(key.length, 0)
  head.writeUInt32BE(value.length, 4)
  return head
}

export interface RawListener {
  readonly port: number
  close(): void
}

/** `mode` is the first byte that the peer sent. */
type OnLink = (link: RawLink, mode: number) => void

export async function listenRaw(
  { certificate, privateKey }: { certificate: string; privateKey: string },
  onLink: OnLink,
): Promise<RawListener> {
  const tls = { cert: certificate, key: privateKey, minVersion: 'TLSv1.3' } as const
  const sockets = new Set<Socket>()
  const server = createServer(tls, (socket) => accept(socket, sockets, onLink))
  await listening(server, () => server.listen(0, '127.0.0.1'))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return { port, close: () => closeAll(server, sockets) }
}

/** On a Unix socket at `path`. */
export async function listenRawLocal(path: string, onLink: OnLink): Promise<{ close(): void }> {
  const sockets = new Set<Socket>()
  const server = createLocalServer((socket) => accept(socket, sockets, onLink))
  await listening(server, () => server.listen(path))
  return { close: () => closeAll(server, sockets) }
}

export function dialRaw(port: number, mode: number): Promise<RawLink> {
  const socket = connect({ host: '127.0.0.1', port, minVersion: 'TLSv1.3', rejectUnauthorized: false })
  return dialed(socket, 'secureConnect', mode)
}

export function dialRawLocal(path: string, mode: number): Promise<RawLink> {
  return dialed(connectLocal(path), 'connect', mode)
}

function accept(socket: Socket, sockets: Set<Socket>, onLink: OnLink): void {
  sockets.add(socket)
  socket.on('error', () => undefined)
  socket.once('close', () => sockets.delete(socket))
  socket.once('data', (first: Buffer) => onLink(new RawLink(socket, first.subarray(1)), first[0] ?? 0))
}

function listening(server: Server, listen: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.once('listening', resolve)
    listen()
  })
}

function closeAll(server: Server, sockets: ReadonlySet<Socket>): void {
  for (const socket of sockets) socket.destroy()
  server.close()
}

function dialed(socket: Socket, ready: 'connect' | 'secureConnect', mode: number): Promise<RawLink> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.once(ready, () => {
      socket.off('error', reject)
      socket.write(Uint8Array.of(mode))
      resolve(new RawLink(socket, Buffer.alloc(0)))
    })
  })
}
