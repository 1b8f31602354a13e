/**
 * A link over one connected stream socket, TLS or Unix: records as `u32 length | record`, one write a tick.
 * Invariant: all that is sent within one tick is one buffer and one write, in order.
 */
import type { Socket } from 'node:net'

import { BlazeError, writeU32 } from '../runtime/index.ts'
import type { Env } from '../runtime/index.ts'
import { RecordSplitter } from './record-splitter.ts'
import { StreamLink } from './stream-link.ts'
import type { LinkAbout } from './stream-link.ts'

const HEADER_BYTES = 4

export class SocketLink extends StreamLink {
  readonly #socket: Socket
  readonly #splitter = new RecordSplitter()
  #pending: Uint8Array[] = []
  #pendingBytes = 0

  constructor(env: Env, socket: Socket, about: LinkAbout) {
    super(env, about)
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => {
      if (!this.isOpen) return
      // Not the Buffer: its `slice` shares memory where that of other bytes copies.
      this.#splitter.add(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength))
      this.arrived()
    })
    socket.on('error', (cause) => {
      this.broken(new BlazeError('LINK_CLOSED', `the link to ${this.remote} broke`, { cause }))
    })
    socket.on('close', () => this.gone())
    socket.pause()
  }

  protected override next(): Uint8Array | undefined {
    return this.#splitter.next()
  }

  protected override write(record: Uint8Array): void {
    if (this.#pending.length === 0) queueMicrotask(() => this.#flush())
    this.#pending.push(record)
    this.#pendingBytes += HEADER_BYTES + record.length
  }

  protected override queuedBytes(): number {
    return this.#pendingBytes + this.#socket.writableLength
  }

  protected override listen(on: boolean): void {
    if (on) this.#socket.resume()
    else this.#socket.pause()
  }

  protected override finish(): void {
    this.#flush()
    this.#socket.end()
  }

  protected override drop(): void {
    this.#pending = []
    this.#pendingBytes = 0
    this.#socket.destroy()
  }

  protected override endFault(): BlazeError | undefined {
    if (this.#splitter.empty) return undefined
    return new BlazeError('LINK_CLOSED', `${this.remote} ended within a record`)
  }

  #flush(): void {
    if (this.#pending.length === 0) return
    const bytes = Buffer.allocUnsafeSlow(this.#pendingBytes)
    let at = 0
    for (const record of this.#pending) {
      writeU32(bytes, at, record.length)
      bytes.set(record, at + HEADER_BYTES)
      at += HEADER_BYTES + record.length
    }
    this.#pending = []
    this.#pendingBytes = 0
    this.#socket.write(bytes, () => this.written())
  }
}
