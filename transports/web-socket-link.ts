/**
 * A link over one open WebSocket: each record is a binary message.
 * Invariant: all that is sent within one tick leaves in one write, in order.
 */
import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'

import { BlazeError } from '../runtime/index.ts'
import type { Env } from '../runtime/index.ts'
import { StreamLink } from './stream-link.ts'
import type { LinkAbout } from './stream-link.ts'

const NORMAL = 1_000
/** Nobody said why. */
const ABNORMAL = 1_006

export class WebSocketLink extends StreamLink {
  readonly #webSocket: WebSocket
  readonly #socket: Duplex
  /** Messages of one read that came while paused, or before anybody listened. */
  #arrived: Uint8Array[] = []
  #corked = false
  /** As the peer, or nobody, said when it ended. */
  #code = NORMAL

  /** `socket` is the one below, which is open. */
  constructor(env: Env, webSocket: WebSocket, socket: Duplex, about: LinkAbout) {
    super(env, about)
    this.#webSocket = webSocket
    this.#socket = socket
    webSocket.binaryType = 'nodebuffer'
    webSocket.on('message', (data: Buffer, isBinary: boolean) => this.#message(data, isBinary))
    webSocket.on('error', (cause) => {
      const violated = 'code' in cause && String(cause.code).startsWith('WS_ERR_')
      const code = violated ? 'PROTOCOL_VIOLATION' : 'LINK_CLOSED'
      this.broken(new BlazeError(code, `the link to ${this.remote} broke: ${cause.message}`, { cause }))
    })
    webSocket.on('close', (code) => {
      this.#code = code
      this.gone()
    })
    webSocket.pause()
  }

  protected override next(): Uint8Array | undefined {
    return this.#arrived.shift()
  }

  protected override write(record: Uint8Array): void {
    if (!this.#corked) {
      this.#corked = true
      this.#socket.cork()
      queueMicrotask(() => this.#uncork())
    }
    this.#webSocket.send(record, { binary: true, compress: false }, () => this.written())
  }

  protected override queuedBytes(): number {
    return this.#webSocket.bufferedAmount
  }

  protected override listen(on: boolean): void {
    if (on) this.#webSocket.resume()
    else this.#webSocket.pause()
  }

  protected override finish(): void {
    this.#arrived = []
    this.#uncork()
    this.#webSocket.close(NORMAL)
  }

  protected override drop(): void {
    this.#arrived = []
    this.#webSocket.terminate()
  }

  protected override endFault(): BlazeError | undefined {
    if (this.#code !== ABNORMAL) return undefined
    return new BlazeError('LINK_CLOSED', `${this.remote} went away without a word`)
  }

  #message(data: Buffer, isBinary: boolean): void {
    if (!this.isOpen) return
    if (!isBinary || data.length === 0) {
      this.destroy(new BlazeError('PROTOCOL_VIOLATION', `${this.remote} sent a message that is no record`))
      return
    }
    // Not the Buffer: its `slice` shares memory where that of other bytes copies.
    this.#arrived.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    this.arrived()
  }

  #uncork(): void {
    if (!this.#corked) return
    this.#corked = false
    this.#socket.uncork()
  }
}
