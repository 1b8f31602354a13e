/**
 * What both sides of a connection do with an authenticated channel: requests with deadlines on stream 0, and frames of the other
 * streams to whoever serves them. Invariant: a frame that cannot be delivered ends the connection; none is dropped in silence.
 */
import { frameType } from '../../transports/index.ts'
import { BlazeError, limits, type Env, type TellResult, type Timer } from '../../runtime/index.ts'
import type { Channel } from '../../transports/index.ts'
import type { RelayMessage, RelayStream } from '../relay/index.ts'
import {
  encodeRequest,
  encodeReset,
  encodeResponse,
  parseRequest,
  parseReset,
  parseResponse,
  type Request,
} from './request.ts'

export interface SessionHandlers {
  request(request: Request): void
  open(stream: number, spaceId: Uint8Array): void
  reset(stream: number, error: BlazeError): void
  closed(error: BlazeError | undefined): void
}

/** What a stream tells whoever it is routed to. */
export type StreamMessage = Extract<RelayMessage, { type: 'relay.frame' | 'relay.writable' }>

/** A relay, or one end of a mirror. Told in the turn of the socket; what it throws as a `BlazeError` ends the connection. */
export interface StreamReceiver {
  /** `full` ends the connection. */
  tell(message: StreamMessage): TellResult
}

interface Waiting {
  readonly resolve: (body: Uint8Array) => void
  readonly reject: (error: BlazeError) => void
  readonly timer: Timer
}

type Route = { receiver: StreamReceiver } | { early: { frame: number; body: Uint8Array }[] }

export class Session {
  readonly channel: Channel
  readonly #env: Env
  readonly #handlers: SessionHandlers
  readonly #waiting = new Map<number, Waiting>()
  readonly #routes = new Map<number, Route>()
  #lastRequest = 0
  #closed = false

  constructor(o: { channel: Channel; env: Env; handlers: SessionHandlers }) {
    this.channel = o.channel
    this.#env = o.env
    this.#handlers = o.handlers
    o.channel.attach({
      message: (stream, type, body) => this.#guard(() => this.#message(stream, type, body)),
      writable: (stream) => this.#guard(() => this.#writable(stream)),
      closed: (error) => this.#end(error),
    })
  }

  /** Resolves with the answer's body. Rejects with the code of the answer, `TIMEOUT`, or `LINK_CLOSED`. */
  request(operation: number, body: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(new BlazeError('LINK_CLOSED', 'the connection has ended'))
      if (this.#waiting.size >= limits.requestsMax) {
        return reject(
          new BlazeError('OVERLOADED', `${limits.requestsMax} requests wait for an answer already`),
        )
      }
      const id = ++this.#lastRequest
      const timer = this.#env.after(timeoutMs, () => {
        this.#waiting.delete(id)
        reject(new BlazeError('TIMEOUT', `the peer did not answer within ${timeoutMs} ms`))
      })
      this.#waiting.set(id, { resolve, reject, timer })
      this.channel.send(0, frameType.request, encodeRequest({ id, operation, body }))
    })
  }

  answer(id: number, body: Uint8Array): void {
    if (!this.#closed) this.channel.send(0, frameType.response, encodeResponse({ id, body }))
  }

  answerError(id: number, error: BlazeError): void {
    if (!this.#closed)
      this.channel.send(0, frameType.response, encodeResponse({ id, code: error.code, text: error.message }))
  }

  /** Names a new stream and opens it for a space; zeros for a mirror. */
  openStream(spaceId: Uint8Array): number {
    const stream = this.channel.open()
    this.#routes.set(stream, { early: [] })
    this.channel.send(stream, frameType.open, spaceId)
    return stream
  }

  /** Frames of the stream go to the receiver from now on, those that came early first. */
  route(stream: number, receiver: StreamReceiver): void {
    const route = this.#routes.get(stream)
    this.#routes.set(stream, { receiver })
    if (route !== undefined && 'early' in route) {
      for (const { frame, body } of route.early) deliver(receiver, frame, body)
    }
  }

  stream(stream: number): RelayStream {
    return {
      send: (type, body) => (this.#closed ? false : this.channel.send(stream, type, body)),
      consumed: (bytes) => {
        if (!this.#closed) this.channel.consumed(stream, bytes)
      },
      rank: (rank) => {
        if (!this.#closed) this.channel.rank(stream, rank)
      },
    }
  }

  /** Ends a stream; later frames of it are ignored. */
  reset(stream: number, error: BlazeError): void {
    if (this.#routes.delete(stream) && !this.#closed)
      this.channel.send(stream, frameType.reset, encodeReset(error))
  }

  forget(stream: number): void {
    this.#routes.delete(stream)
  }

  /** Requests without an answer yet. */
  get waiting(): number {
    return this.#waiting.size
  }

  /** False once either side has ended the stream. */
  has(stream: number): boolean {
    return this.#routes.has(stream)
  }

  /** Tells the peer, then closes. */
  close(error?: BlazeError): void {
    this.channel.close(error?.code, error?.message)
    // The channel would call it an orderly end.
    if (error !== undefined) this.#end(error)
  }

  #message(stream: number, type: number, body: Uint8Array): void {
    switch (type) {
      case frameType.request:
        if (stream !== 0) break
        this.#handlers.request(parseRequest(body))
        return
      case frameType.response: {
        if (stream !== 0) break
        const response = parseResponse(body)
        const waiting = this.#waiting.get(response.id)
        if (waiting === undefined) return // answered after its deadline
        this.#waiting.delete(response.id)
        waiting.timer.cancel()
        if ('body' in response) waiting.resolve(response.body)
        else waiting.reject(new BlazeError(response.code, response.text))
        return
      }
      case frameType.open:
        if (stream === 0 || this.#routes.has(stream) || body.length !== 16) break
        if (this.#routes.size >= limits.streamsMax) break
        this.#routes.set(stream, { early: [] })
        this.#handlers.open(stream, body)
        return
      case frameType.reset:
        if (stream === 0) break
        if (this.#routes.delete(stream)) this.#handlers.reset(stream, parseReset(body))
        return
      default:
        if (stream === 0) break
        this.#frame(stream, type, body)
        return
    }
    throw new BlazeError(
      'PROTOCOL_VIOLATION',
      `message of type ${type} is not allowed on stream ${stream} now`,
    )
  }

  #frame(stream: number, frame: number, body: Uint8Array): void {
    const route = this.#routes.get(stream)
    if (route === undefined) {
      // The stream was reset on this side while the frame travelled.
      this.channel.consumed(stream, body.length)
      return
    }
    if ('receiver' in route) {
      deliver(route.receiver, frame, body)
      return
    }
    if (route.early.length >= limits.relayStepsMax) {
      throw new BlazeError(
        'PROTOCOL_VIOLATION',
        `more than ${limits.relayStepsMax} messages before the stream was opened`,
      )
    }
    route.early.push({ frame, body })
  }

  #writable(stream: number): void {
    const route = this.#routes.get(stream)
    if (route === undefined || !('receiver' in route)) return
    // Who never hears of it would wait for ever.
    if (route.receiver.tell({ type: 'relay.writable' }) === 'full') throw overloaded()
  }

  #guard(work: () => void): void {
    if (this.#closed) return
    try {
      work()
    } catch (error) {
      if (!(error instanceof BlazeError)) throw error
      this.close(error)
    }
  }

  #end(error: BlazeError | undefined): void {
    if (this.#closed) return
    this.#closed = true
    this.#routes.clear()
    for (const waiting of this.#waiting.values()) {
      waiting.timer.cancel()
      waiting.reject(error === undefined || error.code === 'TRUNCATED' ? unanswered(error) : error)
    }
    this.#waiting.clear()
    this.#handlers.closed(error)
  }
}

function unanswered(cause: BlazeError | undefined): BlazeError {
  return new BlazeError('LINK_CLOSED', 'the connection ended before the answer came', { cause })
}

function deliver(receiver: StreamReceiver, frame: number, body: Uint8Array): void {
  if (receiver.tell({ type: 'relay.frame', frame, body }) === 'full') throw overloaded()
}

function overloaded(): BlazeError {
  return new BlazeError('OVERLOADED', 'the stream has more messages than can be queued')
}
