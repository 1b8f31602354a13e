/**
 * What waits to be sent on a channel, and in which order it goes: control first, then the streams by rank and in turn, a fragment each.
 * Invariant: a message begins only when the credit for all of it is there and the peer has room to gather it, so that one that
 * has begun never waits for anything but the link.
 */
import { assert, limits } from '../../runtime/index.ts'
import { FRAME_HEADER_BYTES, layFrame } from './frame.ts'
import { creditBytes } from './message-queue.ts'
import type { QueuedMessage } from './message-queue.ts'
import type { Stream, StreamTable } from './stream.ts'
import { Turns } from './turns.ts'
import type { StreamRank } from './turns.ts'

/** Where a fragment would end that was not laid. */
const NO_ROOM = -1
const BLOCKED = -2

export class Outbox {
  readonly #streams: StreamTable
  /** Streams with something to send. */
  readonly #turns = new Turns()
  readonly #waiting = new Set<Stream>()
  /** Bytes of messages that have begun and not ended. */
  #begunBytes = 0
  /** Bytes waiting on all streams and the control stream. */
  bytes = 0
  messagesSent = 0

  constructor(streams: StreamTable) {
    this.#streams = streams
  }

  /** Queues a message. The body must not change afterwards. */
  add(stream: Stream, type: number, body: Uint8Array): void {
    if (stream.queue.first === undefined && stream !== this.#streams.control) this.#turns.add(stream)
    stream.queue.push(stream.id, type, body)
    this.bytes += FRAME_HEADER_BYTES + body.length
  }

  /** Queues a frame of the channel's own, ahead of all streams. */
  addControl(stream: number, type: number, body: Uint8Array): QueuedMessage {
    this.bytes += FRAME_HEADER_BYTES + body.length
    return this.#streams.control.queue.push(stream, type, body)
  }

  /** False: the sender has to wait until `takeWritable` names the stream. */
  writable(stream: Stream): boolean {
    const { queue } = stream
    const full = queue.bytes > limits.streamQueueHighBytes || this.bytes > limits.channelQueueHighBytes
    if (!full && hasCredit(stream)) return true
    this.#waiting.add(stream)
    return false
  }

  /** The streams that had to wait and need not any more. */
  takeWritable(): number[] {
    if (this.#waiting.size === 0 || this.bytes > limits.channelQueueHighBytes / 2) return []
    const writable: number[] = []
    for (const stream of this.#waiting) {
      if (stream.queue.bytes > limits.streamQueueHighBytes / 2 || !hasCredit(stream)) continue
      this.#waiting.delete(stream)
      writable.push(stream.id)
    }
    return writable
  }

  /** Forgets what a stream that ended has queued. */
  drop(stream: Stream): void {
    const first = stream.queue.first
    if (first?.begun === true) this.#begunBytes -= first.body.length
    this.bytes -= stream.queue.bytes
    this.#waiting.delete(stream)
    this.#turns.remove(stream)
  }

  /** Lays as many frames as fit into `record`, and returns how many bytes they take; 0 when nothing can go now. */
  lay(record: Uint8Array): number {
    let at = 0
    const { control } = this.#streams
    while (control.queue.first !== undefined) {
      const end = this.#layFragment(control, record, at)
      if (end === NO_ROOM) return at
      if (end === BLOCKED) break
      at = end
    }
    const lay = (stream: Stream): 'went' | 'blocked' | 'stop' => {
      const end = this.#layFragment(stream, record, at)
      if (end === NO_ROOM) return 'stop'
      if (end === BLOCKED) return 'blocked'
      at = end
      return 'went'
    }
    while (this.#turns.next(lay));
    return at
  }

  rank(stream: Stream, rank: StreamRank): void {
    this.#turns.rank(stream, rank)
  }

  /** Returns where it ends, `NO_ROOM` or `BLOCKED`. */
  #layFragment(stream: Stream, record: Uint8Array, at: number): number {
    const message = stream.queue.first
    assert(message !== undefined, 'a stream has a turn only while it has a message')
    const { body } = message
    const bytes = Math.min(body.length - message.sent, limits.fragmentBytesMax)
    const end = message.sent + bytes
    const more = end < body.length
    if (!message.begun) {
      if (creditBytes(message) > stream.sendCredit) return BLOCKED
      if (more && this.#begunBytes + body.length > limits.reassemblyBytesMax) return BLOCKED
    }
    if (record.length - at < FRAME_HEADER_BYTES + bytes) return NO_ROOM
    if (!message.begun) this.#begin(stream, message, more)
    const behind = layFrame(
      record,
      at,
      { type: message.type, more, stream: message.stream },
      bytes === body.length ? body : body.subarray(message.sent, end),
    )
    message.sent = end
    stream.queue.bytes -= bytes
    this.bytes -= bytes
    if (!more) this.#finish(stream, message)
    return behind
  }

  #begin(stream: Stream, message: QueuedMessage, more: boolean): void {
    const credit = creditBytes(message)
    stream.sendCredit -= credit
    stream.queue.creditBytes -= credit
    if (!more) return
    message.begun = true
    this.#begunBytes += message.body.length
  }

  #finish(stream: Stream, message: QueuedMessage): void {
    if (message.begun) this.#begunBytes -= message.body.length
    stream.queue.shift()
    this.bytes -= FRAME_HEADER_BYTES
    this.messagesSent++
  }
}

/** True when something more than what is queued could go. The control stream needs none. */
function hasCredit(stream: Stream): boolean {
  return stream.id === 0 || stream.sendCredit > stream.queue.creditBytes
}
