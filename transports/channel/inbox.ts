/**
 * What the peer sends on a channel: frames checked, fragments gathered, credit watched.
 * Invariant: nothing is gathered beyond its bound; the first thing that the protocol does not allow throws, and the channel ends.
 */
import { BlazeError, limits, slabBytes } from '../../runtime/index.ts'
import { FIRST_RELAY_TYPE, frameType, readFrames, violation } from './frame.ts'
import type { FrameHead } from './frame.ts'
import { CONTROL } from './stream.ts'
import type { Gathering, Stream, StreamTable } from './stream.ts'

export interface InboxHandlers {
  /** A whole message for the layers above; its bytes are nobody else's. */
  message(stream: number, type: number, body: Uint8Array): void
  /** A frame of the channel's own: types 1 to 4, and rekey; the body is a view. */
  own(head: FrameHead, body: Uint8Array): void
  /** The peer ended the stream; its `reset` message follows. */
  ended(stream: Stream): void
  /** False once the channel has ended: the rest of the record is not looked at. */
  alive(): boolean
}

/** A message that its receiver keeps holds no more than so many times its own bytes of memory. */
const HELD_TIMES_MAX = 16
/** A share of a slab this long holds no more than that of it. */
const SHARE_BYTES_MIN = limits.slabBytesMax / HELD_TIMES_MAX

export class Inbox {
  readonly #streams: StreamTable
  readonly #handlers: InboxHandlers
  /** Of the record that is being read. */
  #recordBytes = 0
  /** Bytes of messages whose fragments are still coming. */
  #gatheredBytes = 0
  messagesReceived = 0

  get gatheredBytes(): number {
    return this.#gatheredBytes
  }

  constructor(streams: StreamTable, handlers: InboxHandlers) {
    this.#streams = streams
    this.#handlers = handlers
  }

  /** `PROTOCOL_VIOLATION`, `FRAME_TOO_LARGE`. */
  read(record: Uint8Array): void {
    this.#recordBytes = record.length
    readFrames(record, (head, body) => {
      this.#frame(head, body)
      return this.#handlers.alive()
    })
  }

  /** Forgets what was gathered for a stream that ended. */
  drop(stream: Stream): void {
    if (stream.gathering !== undefined) this.#gatheredBytes -= stream.gathering.length
    stream.gathering = undefined
  }

  #frame(head: FrameHead, body: Uint8Array): void {
    checkPlace(head)
    if (head.type === frameType.open) this.#streams.accept(head.stream)
    const stream = this.#streams.find(head.stream)
    // Sent before the peer knew of the end.
    if (stream === undefined) return
    if (head.type <= frameType.bye || head.type === frameType.rekey) {
      this.#handlers.own(head, body)
      return
    }
    if (head.type >= FIRST_RELAY_TYPE) {
      if (body.length > stream.receiveCredit)
        throw violation(`the peer overran its credit on stream ${head.stream}`)
      stream.receiveCredit -= body.length
    }
    if (head.type === frameType.reset) {
      this.drop(stream)
      this.#handlers.ended(stream)
      this.#deliver(head, this.#own(body))
    } else if (head.more || stream.gathering !== undefined) {
      this.#gather(stream, head, body)
    } else {
      this.#deliver(head, this.#own(body))
    }
  }

  /** A body for its receiver: the part of the record where it is most of it, else a copy. */
  #own(body: Uint8Array): Uint8Array {
    const { length } = body
    if (length * HELD_TIMES_MAX >= this.#recordBytes) return body
    if (length < SHARE_BYTES_MIN) return body.slice()
    const copy = slabBytes(length)
    copy.set(body)
    return copy
  }

  #gather(stream: Stream, head: FrameHead, body: Uint8Array): void {
    const gathering = stream.gathering ?? { type: head.type, bytes: new Uint8Array(0), length: 0 }
    if (gathering.type !== head.type) throw violation('a message begins before the one before it has ended')
    if (head.more && body.length === 0) throw violation('an empty fragment of a message')
    const length = gathering.length + body.length
    if (length > limits.messageBytesMax) {
      throw new BlazeError('FRAME_TOO_LARGE', `expected a message of at most ${limits.messageBytesMax} bytes`)
    }
    this.#gatheredBytes += body.length
    if (this.#gatheredBytes > limits.reassemblyBytesMax) {
      throw violation(`more than ${limits.reassemblyBytesMax} bytes of unfinished messages`)
    }
    reserve(gathering, length)
    gathering.bytes.set(body, gathering.length)
    gathering.length = length
    stream.gathering = gathering
    if (head.more) return
    this.drop(stream)
    this.#deliver(head, gathering.bytes.subarray(0, length))
  }

  #deliver(head: FrameHead, body: Uint8Array): void {
    this.messagesReceived++
    this.#handlers.message(head.stream, head.type, body)
  }
}

/** Grows by doubling: memory follows what has come, not what is claimed, and small fragments keep no large record alive. */
function reserve(gathering: Gathering, length: number): void {
  if (length <= gathering.bytes.length) return
  const grown = new Uint8Array(Math.min(Math.max(length, gathering.bytes.length * 2), limits.messageBytesMax))
  grown.set(gathering.bytes.subarray(0, gathering.length))
  gathering.bytes = grown
}

function checkPlace({ type, more, stream }: FrameHead): void {
  if (type === 0 || (type > frameType.rekey && type < FIRST_RELAY_TYPE) || type === frameType.complete) {
    throw violation(`a frame of type ${type} in an open channel`)
  }
  if ((stream === CONTROL) !== needsControlStream(type)) {
    throw violation(`a frame of type ${type} on stream ${stream}`)
  }
  const single = type <= frameType.bye || (type >= frameType.open && type <= frameType.rekey)
  if (single && more) throw violation(`a frame of type ${type} in fragments`)
}

function needsControlStream(type: number): boolean {
  switch (type) {
    case frameType.ping:
    case frameType.pong:
    case frameType.bye:
    case frameType.rekey:
    case frameType.request:
    case frameType.response:
      return true
    default:
      return false
  }
}
