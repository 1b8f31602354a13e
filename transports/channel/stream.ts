/**
 * The streams of one channel and what is known of each at this end.
 * Invariant: the dialling side names streams, upwards; a number is never used twice, so a late frame of an ended stream is told
 * from one of a stream that was never opened.
 */
import { BlazeError, limits } from '../../runtime/index.ts'
import { violation } from './frame.ts'
import { MessageQueue } from './message-queue.ts'
import type { StreamRank } from './turns.ts'

export type Role = 'dialer' | 'acceptor'

/** A message whose fragments are still coming. */
export interface Gathering {
  readonly type: number
  bytes: Uint8Array
  length: number
}

export interface Stream {
  readonly id: number
  /** Messages to send. */
  readonly queue: MessageQueue
  rank: StreamRank
  /** Bytes the peer still takes, less what is begun. */
  sendCredit: number
  /** Bytes the peer may still send. */
  receiveCredit: number
  /** Bytes processed here and not given back yet. */
  consumedBytes: number
  gathering: Gathering | undefined
}

/** The control stream. It has no credit: its queue is bounded instead. */
export const CONTROL = 0

export class StreamTable {
  readonly #role: Role
  readonly #streamsMax: number
  readonly #streams = new Map<number, Stream>()
  #highest = CONTROL
  /** Of our own streams, the last whose `open` message was sent. */
  #highestOpened = CONTROL
  readonly control: Stream = createStream(CONTROL)

  constructor(role: Role, streamsMax: number = limits.streamsMax) {
    this.#role = role
    this.#streamsMax = streamsMax
  }

  get(id: number): Stream | undefined {
    return id === CONTROL ? this.control : this.#streams.get(id)
  }

  /** The next stream of our own. `OVERLOADED` when the peer takes no more. */
  open(): Stream {
    if (this.#role !== 'dialer') throw new TypeError('open: only the dialling side names streams')
    if (this.#streams.size >= this.#streamsMax) {
      throw new BlazeError('OVERLOADED', `the peer takes at most ${this.#streamsMax} streams`)
    }
    return this.#add(this.#highest + 1)
  }

  /** The peer takes streams in the order of their numbers only. */
  markOpened(id: number): void {
    if (this.#role !== 'dialer' || id <= this.#highestOpened)
      throw new TypeError(
        `open: expected one message of type open a stream, in order of their numbers, got stream ${id}`,
      )
    this.#highestOpened = id
  }

  /** A stream that the peer opens. */
  accept(id: number): void {
    if (this.#role !== 'acceptor') throw violation('only the dialling side opens streams')
    if (id <= this.#highest) throw violation(`stream ${id} is opened a second time`)
    if (this.#streams.size >= this.#streamsMax)
      throw violation(`a stream above the limit of ${this.#streamsMax}`)
    this.#add(id)
  }

  /** The stream of a frame; undefined when it has ended already. */
  find(id: number): Stream | undefined {
    const stream = this.get(id)
    if (stream === undefined && id > this.#highest)
      throw violation(`a frame for stream ${id}, which is not open`)
    return stream
  }

  end(id: number): void {
    this.#streams.delete(id)
  }

  #add(id: number): Stream {
    const stream = createStream(id)
    this.#highest = id
    this.#streams.set(id, stream)
    return stream
  }
}

function createStream(id: number): Stream {
  return {
    id,
    queue: new MessageQueue(),
    sendCredit: limits.streamCreditBytes,
    rank: 'live',
    receiveCredit: limits.streamCreditBytes,
    consumedBytes: 0,
    gathering: undefined,
  }
}
