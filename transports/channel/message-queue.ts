/** Messages that wait to be sent, in order, with their bytes counted. It has no bound of its own: its channel closes first. */
import { FIRST_RELAY_TYPE, FRAME_HEADER_BYTES } from './frame.ts'

export interface QueuedMessage {
  /** Stream of its frames: for credit and reset not that of the queue. */
  readonly stream: number
  readonly type: number
  body: Uint8Array
  /** Bytes of the body that have left. */
  sent: number
  /** Its first fragment has left, and there are more. */
  begun: boolean
}

/** Where a queue that shrank gives its memory back. */
const COMPACT_AT = 256

export class MessageQueue {
  #messages: QueuedMessage[] = []
  #head = 0
  /** Bytes waiting, a frame head for each message included. */
  bytes = 0
  /** The part of them that needs credit which is not reserved yet. */
  creditBytes = 0

  get first(): QueuedMessage | undefined {
    return this.#messages[this.#head]
  }

  push(stream: number, type: number, body: Uint8Array): QueuedMessage {
    const message = { stream, type, body, sent: 0, begun: false }
    this.#messages.push(message)
    this.bytes += FRAME_HEADER_BYTES + body.length
    this.creditBytes += creditBytes(message)
    return message
  }

  /** Takes the first message off. */
  shift(): void {
    const message = this.first
    if (message === undefined) return
    this.bytes -= FRAME_HEADER_BYTES
    this.#head++
    if (this.#head >= COMPACT_AT && this.#head * 2 >= this.#messages.length) {
      this.#messages = this.#messages.slice(this.#head)
      this.#head = 0
    } else if (this.#head === this.#messages.length) {
      this.#messages = []
      this.#head = 0
    }
  }
}

/** Credit that a message needs as a whole: none for the channel's own types. */
export function creditBytes(message: { readonly type: number; readonly body: Uint8Array }): number {
  return message.type >= FIRST_RELAY_TYPE ? message.body.length : 0
}
