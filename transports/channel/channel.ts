/**
 * The contract of a channel: an authenticated, encrypted connection that carries many streams of messages.
 * Invariant: messages of a stream arrive whole and in order, or the channel ends; nothing is delivered before `attach`.
 */
import type { BlazeError, ErrorCode } from '../../runtime/index.ts'
import type { Role } from './stream.ts'
import type { StreamRank } from './turns.ts'

export interface ChannelHandlers {
  /** A whole message; the bytes are the receiver's. Call `consumed` when a relay message was processed. */
  message(stream: number, type: number, body: Uint8Array): void
  /** After `send` or `writable` said false. */
  writable(stream: number): void
  /** Undefined: an orderly close, ours or the peer's. Else the code of the peer's bye, or what ended the channel. */
  closed(error: BlazeError | undefined): void
}

export interface ChannelCounters {
  readonly bytesSent: number
  readonly bytesReceived: number
  readonly messagesSent: number
  readonly messagesReceived: number
}

export interface Channel {
  readonly role: Role
  readonly remote: string
  /** 16 bytes, the same at both ends. */
  readonly sessionId: Uint8Array
  /** The number of a new stream; its first message is of type `open`. Dialler only. `OVERLOADED`. */
  open(): number
  /**
   * Queues a message; the body must not change afterwards. False: the stream (or the whole channel) is above its mark, or out of
   * credit, wait for `writable`. A `reset` goes ahead of what its stream has queued, which is dropped, and ends it. A stream
   * that ended, and a channel that ended, take nothing and say false. `TypeError` above 1 MiB.
   */
  send(stream: number, type: number, body: Uint8Array): boolean
  /** What the stream sends, from what is queued on: `live` at first. A lower rank waits for the higher ones, but for a sixteenth. */
  rank(stream: number, rank: StreamRank): void
  /** Sends what is queued, as far as credit and link allow, instead of with everything else of this tick. */
  flush(): void
  /** What `send` would say now, for those who ask before they build a message. */
  writable(stream: number): boolean
  /** Not sent yet, heads included. */
  queuedBytes(stream: number): number
  /** Gives back the credit of a relay message: so many bytes of its body. */
  consumed(stream: number, bytes: number): void
  /** Starts delivery; what came earlier comes now. */
  attach(handlers: ChannelHandlers): void
  ping(): void
  /** Of the latest ping that was answered. */
  readonly roundTripMs: number | undefined
  /** Monotonic. */
  readonly lastHeardMs: number
  readonly counters: ChannelCounters
  /** Sends what credit allows, then a bye, then closes the link. */
  close(code?: ErrorCode, text?: string): void
  /** Ends without a word. */
  destroy(error?: BlazeError): void
}
