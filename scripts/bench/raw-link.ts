/**
 * Rows over TLS 1.3 as it comes: `u32 length of key | u32 length of value | key | value`. The certificate is not checked.
 *
 * Invariant: back-pressure is the socket's; nothing is added that a faster program would leave out.
 */
import { connect, createServer } from 'node:tls'
import type { TLSSocket } from 'node:tls'
import type { RawRow } from './raw-store.ts'

const headBytes = 8

export class RawLink {
  readonly #socket: TLSSocket
  #rest: Buffer = Buffer.alloc(0)
  #onRow: (row: RawRow) => void = () => undefined
  #onEnd: (error: Error) => void = () => undefined
  /** Settles when the socket has room again, or ended. */
  #room: Promise<void> | undefined
  #wake: () => void = () => undefined

  constructor(socket: TLSSocket, first: Buffer) {
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
  async send({ key, value }: RawRow): Promise<void> {
    const head = Buffer.allocUnsafe(headBytes)
    head.writeUInt32BE(key.length, 0)
    head.writeUInt32BE(value.length, 4)
    if (this.#socket.write(Buffer.concat([head, key, value])) || this.#socket.destroyed) return
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

export interface RawListener {
  readonly port: number
  close(): void
}

/** `onLink` gets the first byte that the peer sent. */
export function listenRaw(
  { certificate, privateKey }: { certificate: string; privateKey: string },
  onLink: (link: RawLink, mode: number) => void,
): Promise<RawListener> {
  const sockets = new Set<TLSSocket>()
  const server = createServer({ cert: certificate, key: privateKey, minVersion: 'TLSv1.3' }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.once('close', () => sockets.delete(socket))
    socket.once('data', (first: Buffer) => onLink(new RawLink(socket, first.subarray(1)), first[0] ?? 0))
  })
  const close = (): void => {
    for (const socket of sockets) socket.destroy()
    server.close()
  }
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      resolve({ port: typeof address === 'object' && address !== null ? address.port : 0, close })
    })
  })
}

export function dialRaw(port: number, mode: number): Promise<RawLink> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, minVersion: 'TLSv1.3', rejectUnauthorized: false })
    socket.once('error', reject)
    socket.once('secureConnect', () => {
      socket.off('error', reject)
      socket.write(Uint8Array.of(mode))
      resolve(new RawLink(socket, Buffer.alloc(0)))
    })
  })
}
