/**
 * A link over one open WebSocket: each record is a binary message; what is sent in one tick leaves in one write.
 * Invariant: no error of the socket escapes; each ends in one `closed`.
 */
import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'

import { BlazeError, limits } from '../runtime/index.ts'
import type { Env, Timer } from '../runtime/index.ts'
import { expectRecord } from './link.ts'
import type { Link, LinkHandlers } from './link.ts'
import { faultOf, stalled } from './link-fault.ts'
import { StallWatch } from './stall-watch.ts'

const NORMAL = 1_000
/** Nobody said why. */
const ABNORMAL = 1_006

export type LinkAbout = Pick<Link, 'transport' | 'remote' | 'binding'>

export class WebSocketLink implements Link {
  readonly transport: Link['transport']
  readonly remote: string
  readonly binding: Uint8Array
  readonly #env: Env
  readonly #webSocket: WebSocket
  readonly #socket: Duplex
  readonly #stall: StallWatch
  #handlers: LinkHandlers | undefined
  #paused = false
  #delivering = false
  /** `closing`: flushing, deaf. `ended`: the socket is destroyed. */
  #state: 'open' | 'closing' | 'ended' = 'open'
  #error: BlazeError | undefined
  #code: number | undefined
  #closedTold = false
  /** Messages of one read that came while paused, or before anybody listened. */
  #arrived: Uint8Array[] = []
  #corked = false
  #full = false
  #linger: Timer | undefined

  /** `socket` is the one below, which is open. */
  constructor(env: Env, webSocket: WebSocket, socket: Duplex, about: LinkAbout) {
    this.#env = env
    this.#webSocket = webSocket
    this.#socket = socket
    this.transport = about.transport
    this.remote = about.remote
    this.binding = about.binding
    this.#stall = new StallWatch(
      env,
      () => this.#queued(),
      () => this.destroy(stalled(this.remote)),
    )
    webSocket.binaryType = 'nodebuffer'
    webSocket.on('message', (data: Buffer, isBinary: boolean) => this.#message(data, isBinary))
    webSocket.on('error', (cause) => {
      const broken = 'code' in cause && String(cause.code).startsWith('WS_ERR_')
      this.#error ??= new BlazeError(
        broken ? 'PROTOCOL_VIOLATION' : 'LINK_CLOSED',
        `the link to ${this.remote} broke: ${cause.message}`,
        { cause },
      )
    })
    webSocket.on('close', (code) => {
      this.#code = code
      this.#stall.end()
      this.#linger?.cancel()
      this.#deliver()
    })
    webSocket.pause()
  }

  attach(handlers: LinkHandlers): void {
    this.#handlers = handlers
    if (!this.#paused) this.#wake()
  }

  send(record: Uint8Array): boolean {
    expectRecord(record)
    if (this.#state !== 'open') return true
    if (!this.#corked) {
      this.#corked = true
      this.#socket.cork()
      queueMicrotask(() => this.#uncork())
    }
    this.#webSocket.send(record, { binary: true, compress: false }, () => this.#written())
    const queued = this.#queued()
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
    this.#webSocket.pause()
  }

  resume(): void {
    this.#paused = false
    if (this.#handlers !== undefined) this.#wake()
  }

  close(): void {
    if (this.#state !== 'open') return
    this.#state = 'closing'
    this.#arrived = []
    this.#uncork()
    this.#webSocket.close(NORMAL)
    // What the peer still sends is read and dropped, so that its close is seen.
    this.#webSocket.resume()
    this.#linger = this.#env.after(limits.linkLingerMs, () => this.#webSocket.terminate())
  }

  destroy(error?: BlazeError): void {
    if (this.#state === 'ended') return
    this.#state = 'ended'
    this.#error = error
    this.#arrived = []
    this.#stall.end()
    this.#webSocket.terminate()
  }

  #queued(): number {
    return this.#webSocket.bufferedAmount
  }

  #message(data: Buffer, isBinary: boolean): void {
    if (this.#state !== 'open') return
    if (!isBinary || data.length === 0) {
      this.destroy(new BlazeError('PROTOCOL_VIOLATION', `${this.remote} sent a message that is no record`))
      return
    }
    // Not the Buffer: its `slice` shares memory where that of other bytes copies.
    this.#arrived.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    this.#deliver()
  }

  /** Not at once: the caller of `attach` or `resume` is in the middle of something. */
  #wake(): void {
    queueMicrotask(() => {
      if (this.#paused) return
      this.#deliver()
      if (!this.#paused && this.#code === undefined) this.#webSocket.resume()
    })
  }

  #deliver(): void {
    if (this.#delivering || this.#handlers === undefined) return
    this.#delivering = true
    try {
      while (this.#state === 'open' && !this.#paused) {
        const record = this.#arrived.shift()
        if (record === undefined) break
        this.#handlers.record(record)
      }
    } catch (error) {
      this.destroy(faultOf(this.#env, this.remote, error))
    } finally {
      this.#delivering = false
    }
    // What arrived before the end is delivered before it; a receiver that is gone does not hold it up.
    if (this.#code !== undefined && !this.#closedTold && (this.#state !== 'open' || !this.#paused)) {
      this.#closedTold = true
      const isCut = this.#state === 'open' && this.#error === undefined && this.#code === ABNORMAL
      this.#state = 'ended'
      this.#handlers.closed(
        isCut ? new BlazeError('LINK_CLOSED', `${this.remote} went away without a word`) : this.#error,
      )
    }
  }

  #uncork(): void {
    if (!this.#corked) return
    this.#corked = false
    this.#socket.uncork()
  }

  #written(): void {
    if (!this.#full || this.#state !== 'open' || this.#queued() > limits.linkHighWaterBytes / 2) return
    this.#full = false
    this.#stall.end()
    this.#handlers?.drain()
  }
}
