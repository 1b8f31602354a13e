/**
 * A link over one connected stream socket, TLS or Unix: records as `u32 length | record`, one write a tick.
 * Invariant: all that is sent within one tick is one write, in order.
 */
import type { Socket } from 'node:net'

import { BlazeError, writeU32 } from '../runtime/index.ts'
import type { Env } from '../runtime/index.ts'
import { RecordSplitter } from './record-splitter.ts'
import { StreamLink } from './stream-link.ts'
import type { LinkAbout } from './stream-link.ts'

const HEADER_BYTES = 4
/** Mean length of records that are not copied into one buffer, since parts cost something too. */
const LONG_BYTES = 16_384

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
    const records = this.#pending
    const bytes = this.#pendingBytes
    this.#pending = []
    this.#pendingBytes = 0
    if (bytes < LONG_BYTES * records.length) this.#writeWhole(records, bytes)
    else this.#writeParts(records)
  }

  #writeWhole(records: readonly Uint8Array[], length: number): void {
    const bytes = Buffer.allocUnsafeSlow(length)
    let at = 0
    for (const record of records) {
      writeU32(bytes, at, record.length)
      bytes.set(record, at + HEADER_BYTES)
      at += HEADER_BYTES + record.length
    }
    this.#socket.write(bytes, () => this.written())
  }

  /** Gathered by the system in one call: not a copy for the collector. */
  #writeParts(records: readonly Uint8Array[]): void {
    const heads = Buffer.allocUnsafeSlow(HEADER_BYTES * records.length)
    this.#socket.cork()
    for (const [index, record] of records.entries()) {
      const at = HEADER_BYTES * index
      writeU32(heads, at, record.length)
      this.#socket.write(heads.subarray(at, at + HEADER_BYTES))
      if (index < records.length - 1) this.#socket.write(record)
      else this.#socket.write(record, () => this.written())
    }
    this.#socket.uncork()
  }
}
