/**
 * A link over one connected stream socket, TLS or Unix: records as `u32 length | record`, one write a tick.
 * Invariant: no error of the socket escapes; each ends in one `closed`.
 */
import type { Socket } from 'node:net'

import { BlazeError, limits, writeU32 } from '../runtime/index.ts'
import type { Env, Timer } from '../runtime/index.ts'
import { expectRecord } from './link.ts'
import type { Link, LinkHandlers } from './link.ts'
import { faultOf, stalled } from './link-fault.ts'
import { RecordSplitter } from './record-splitter.ts'
import { StallWatch } from './stall-watch.ts'

const HEADER_BYTES = 4

export class SocketLink implements Link {
  readonly transport: Link['transport']
  readonly remote: string
  readonly binding: Uint8Array
  readonly #env: Env
  readonly #socket: Socket
  readonly #splitter = new RecordSplitter()
  #handlers: LinkHandlers | undefined
  #paused = false
  #delivering = false
  /** `closing`: flushing, deaf. `ended`: the socket is destroyed. */
  #state: 'open' | 'closing' | 'ended' = 'open'
  #error: BlazeError | undefined
  #socketClosed = false
  #closedTold = false
  #pending: Uint8Array[] = []
  #pendingBytes = 0
  #full = false
  #linger: Timer | undefined
  readonly #stall: StallWatch

  constructor(env: Env, socket: Socket, about: Pick<Link, 'transport' | 'remote' | 'binding'>) {
    this.#env = env
    this.#socket = socket
    this.transport = about.transport
    this.remote = about.remote
    this.binding = about.binding
    this.#stall = new StallWatch(
      env,
      () => socket.writableLength,
      () => this.destroy(stalled(this.remote)),
    )
    socket.on('data', (chunk: Buffer) => {
      if (this.#state !== 'open') return
      // Not the Buffer: its `slice` shares memory where that of other bytes copies.
      this.#splitter.add(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength))
      this.#deliver()
    })
    socket.on('error', (cause) => {
      this.#error ??= new BlazeError('LINK_CLOSED', `the link to ${this.remote} broke`, { cause })
    })
    socket.on('close', () => {
      this.#socketClosed = true
      this.#stall.end()
      this.#linger?.cancel()
      this.#deliver()
    })
    socket.pause()
  }

  attach(handlers: LinkHandlers): void {
    this.#handlers = handlers
    if (!this.#paused) this.#wake()
  }

  send(record: Uint8Array): boolean {
    expectRecord(record)
    if (this.#state !== 'open') return true
    if (this.#pending.length === 0) queueMicrotask(() => this.#flush())
    this.#pending.push(record)
    this.#pendingBytes += HEADER_BYTES + record.length
    const queued = this.#pendingBytes + this.#socket.writableLength
    if (queued > limits.linkQueueBytesMax) {
      this.destroy(
        new BlazeError('OVERLOADED', `more than ${limits.linkQueueBytesMax} bytes wait for ${this.remote}`),
      )
      return false
    }
    if (queued > limits.linkHighWaterBytes && !this.#full) {
      this.#full = true
      this.#stall.begin()
    }
    return !this.#full
  }

  pause(): void {
    this.#paused = true
    this.#socket.pause()
  }

  resume(): void {
    this.#paused = false
    if (this.#handlers !== undefined) this.#wake()
  }

  close(): void {
    if (this.#state !== 'open') return
    this.#flush()
    this.#state = 'closing'
    this.#socket.end()
    // What the peer still sends is read and dropped, so that its close is seen.
    this.#socket.resume()
    this.#linger = this.#env.after(limits.linkLingerMs, () => this.#socket.destroy())
  }

  destroy(error?: BlazeError): void {
    if (this.#state === 'ended') return
    this.#state = 'ended'
    this.#error = error
    this.#pending = []
    this.#stall.end()
    this.#socket.destroy()
  }

  /** Not at once: the caller of `attach` or `resume` is in the middle of something. */
  #wake(): void {
    queueMicrotask(() => {
      if (this.#paused) return
      this.#deliver()
      if (!this.#paused && !this.#socketClosed) this.#socket.resume()
    })
  }

  #deliver(): void {
    if (this.#delivering || this.#handlers === undefined) return
    this.#delivering = true
    try {
      while (this.#state === 'open' && !this.#paused) {
        const record = this.#splitter.next()
        if (record === undefined) break
        this.#handlers.record(record)
      }
    } catch (error) {
      this.destroy(faultOf(this.#env, this.remote, error))
    } finally {
      this.#delivering = false
    }
    // What arrived before the end is delivered before it; a receiver that is gone does not hold it up.
    if (this.#socketClosed && !this.#closedTold && (this.#state !== 'open' || !this.#paused)) {
      this.#closedTold = true
      const cut = this.#state === 'open' && this.#error === undefined && !this.#splitter.empty
      this.#state = 'ended'
      this.#handlers.closed(
        cut ? new BlazeError('LINK_CLOSED', `${this.remote} ended within a record`) : this.#error,
      )
    }
  }

  #flush(): void {
    if (this.#pending.length === 0 || this.#state !== 'open') return
    const bytes = Buffer.allocUnsafeSlow(this.#pendingBytes)
    let at = 0
    for (const record of this.#pending) {
      writeU32(bytes, at, record.length)
      bytes.set(record, at + HEADER_BYTES)
      at += HEADER_BYTES + record.length
    }
    this.#pending = []
    this.#pendingBytes = 0
    this.#socket.write(bytes, () => this.#written())
  }

  #written(): void {
    if (!this.#full || this.#state !== 'open') return
    if (this.#pendingBytes + this.#socket.writableLength > limits.linkHighWaterBytes / 2) return
    this.#full = false
    this.#stall.end()
    this.#handlers?.drain()
  }
}
