/**
 * An authenticated, encrypted connection over one link: many streams of messages, with credit, fairness and keep-alive.
 * Invariant: only bytes that authenticate are looked at; after the end nothing is delivered but one `closed`.
 */
import {
  assert,
  BlazeError,
  errorNumber,
  errorOfNumber,
  limits,
  readU32,
  writeU32,
} from '../../runtime/index.ts'
import type { Env, ErrorCode } from '../../runtime/index.ts'
import type { Link, LinkHandlers } from '../link.ts'
import { faultOf } from '../link-fault.ts'
import { NOISE_PLAINTEXT_BYTES_MAX } from '../noise/index.ts'
import type { Channel, ChannelCounters, ChannelHandlers } from './channel.ts'
import { checkMessage, truncated } from './channel-check.ts'
import { encodeErrorBody, parseErrorBody } from './error-body.ts'
import { FRAME_HEADER_BYTES, frameType, layFrame, violation } from './frame.ts'
import type { FrameHead } from './frame.ts'
import type { HeldBytes, Holder } from './held-bytes.ts'
import { Inbox } from './inbox.ts'
import type { InboxHandlers } from './inbox.ts'
import { KeepAlive } from './keep-alive.ts'
import type { KeepAliveHandlers } from './keep-alive.ts'
import type { QueuedMessage } from './message-queue.ts'
import { Outbox } from './outbox.ts'
import type { RecordCipher } from './record-cipher.ts'
import { CONTROL, StreamTable } from './stream.ts'
import type { Role, Stream } from './stream.ts'
import type { StreamRank } from './turns.ts'

export interface ChannelOptions {
  readonly env: Env
  readonly link: Link
  readonly cipher: RecordCipher
  readonly role: Role
  readonly sessionId: Uint8Array
  /** Streams that the peer takes. */
  readonly streamsMax: number
  /** Shared by the channels of a server. Absent: this channel's own bounds are all. */
  readonly held?: HeldBytes | undefined
}

/** Frames are laid here before they are sealed: one for all channels, because sealing is synchronous and copies. */
const scratch = new Uint8Array(NOISE_PLAINTEXT_BYTES_MAX)
const TOKEN_BYTES = 8
const REKEY: Uint8Array = new Uint8Array(FRAME_HEADER_BYTES)
layFrame(REKEY, 0, { type: frameType.rekey, more: false, stream: CONTROL }, new Uint8Array(0))

/** Itself what its link, inbox and keep-alive tell, because an idle channel would hold a function for each of these; who has a `Channel` sees none. */
export class SecureChannel implements Channel, LinkHandlers, InboxHandlers, KeepAliveHandlers, Holder {
  readonly role: Role
  readonly remote: string
  readonly sessionId: Uint8Array
  readonly #env: Env
  readonly #link: Link
  readonly #cipher: RecordCipher
  readonly #streams: StreamTable
  readonly #outbox: Outbox
  readonly #inbox: Inbox
  readonly #keepAlive: KeepAlive
  readonly #held: HeldBytes | undefined
  #handlers: ChannelHandlers | undefined
  #ended = false
  #end: { readonly error: BlazeError | undefined } | undefined
  #linkFull = false
  #flushPlanned = false
  /** Streams with credit to give back. */
  readonly #owing = new Set<Stream>()
  #pong: QueuedMessage | undefined
  #pingToken = 0
  #pingSentMs = 0
  #bytesSent = 0
  #bytesReceived = 0
  /** Of the record that is being read. */
  #plaintextBytes = 0
  /** Monotonic: since when we have been sending under this key, as far as time goes. */
  #keySinceMs: number
  roundTripMs: number | undefined

  constructor(options: ChannelOptions) {
    const { env, link, role } = options
    this.role = role
    this.remote = link.remote
    this.sessionId = options.sessionId
    this.#env = env
    this.#link = link
    this.#cipher = options.cipher
    this.#held = options.held
    this.#keySinceMs = env.monotonic()
    this.#streams = new StreamTable(role, Math.min(options.streamsMax, limits.streamsMax))
    this.#outbox = new Outbox(this.#streams)
    this.#inbox = new Inbox(this.#streams, this)
    this.#keepAlive = new KeepAlive(env, this)
    link.pause()
    link.attach(this)
  }

  attach(handlers: ChannelHandlers): void {
    this.#handlers = handlers
    this.#tellEnd()
    if (!this.#ended) this.#link.resume()
  }

  open(): number {
    return this.#streams.open().id
  }

  send(id: number, type: number, body: Uint8Array): boolean {
    checkMessage(id, type, body)
    const stream = this.#streams.get(id)
    if (this.#ended || stream === undefined) return false
    if (type === frameType.reset) {
      // The peer does not know of a stream whose open has not left yet.
      const known = stream.queue.first?.type !== frameType.open
      this.#inbox.drop(stream)
      this.#forget(stream)
      if (known) this.#outbox.addControl(id, type, body)
      this.#planFlush()
      return false
    }
    if (type === frameType.open) this.#streams.markOpened(id)
    this.#outbox.add(stream, type, body)
    this.#planFlush()
    this.#checkBounds()
    return !this.#ended && this.#outbox.writable(stream)
  }

  flush(): void {
    this.#flush()
  }

  writable(id: number): boolean {
    const stream = this.#streams.get(id)
    return !this.#ended && stream !== undefined && this.#outbox.writable(stream)
  }

  rank(id: number, rank: StreamRank): void {
    const stream = this.#streams.get(id)
    if (stream !== undefined && id !== CONTROL) this.#outbox.rank(stream, rank)
  }

  queuedBytes(id: number): number {
    return this.#streams.get(id)?.queue.bytes ?? 0
  }

  consumed(id: number, bytes: number): void {
    const stream = this.#streams.get(id)
    if (this.#ended || stream === undefined || id === CONTROL || bytes === 0) return
    const owed = limits.streamCreditBytes - stream.receiveCredit
    assert(bytes > 0 && bytes <= owed, `consumed ${bytes} bytes of stream ${id}, where ${owed} came`)
    stream.consumedBytes += bytes
    stream.receiveCredit += bytes
    this.#owing.add(stream)
    this.#planFlush()
  }

  ping(): void {
    if (this.#ended) return
    this.#pingToken++
    this.#pingSentMs = this.#env.monotonic()
    const token = new Uint8Array(TOKEN_BYTES)
    writeU32(token, 4, this.#pingToken)
    this.#outbox.addControl(CONTROL, frameType.ping, token)
    this.#planFlush()
  }

  get lastHeardMs(): number {
    return this.#keepAlive.lastHeardMs
  }

  /** A link that is full counts as its mark: it does not tell. */
  heldBytes(): number {
    return this.#outbox.bytes + this.#inbox.gatheredBytes + (this.#linkFull ? limits.linkHighWaterBytes : 0)
  }

  overloaded(): void {
    this.#fail(
      new BlazeError('OVERLOADED', 'the server holds too much for all its clients, and most for this one'),
    )
  }

  get counters(): ChannelCounters {
    return {
      bytesSent: this.#bytesSent,
      bytesReceived: this.#bytesReceived,
      messagesSent: this.#outbox.messagesSent,
      messagesReceived: this.#inbox.messagesReceived,
    }
  }

  close(code?: ErrorCode, text = ''): void {
    if (this.#ended) return
    while (this.#sendRecord());
    this.#bye(code === undefined ? 0 : errorNumber(code), text)
    this.#finish(undefined)
  }

  destroy(error?: BlazeError): void {
    if (this.#ended) return
    this.#link.destroy(error)
    this.#finish(error)
  }

  record(bytes: Uint8Array): void {
    if (this.#ended) return
    try {
      this.#read(bytes)
    } catch (error) {
      this.#fail(faultOf(this.#env, this.remote, error))
    }
  }

  #read(bytes: Uint8Array): void {
    const plaintext = this.#cipher.open(bytes)
    if (plaintext === undefined) {
      // Not the peer's fault, as far as we can prove: the link is damaged, lost a record, or somebody sits on it.
      const message = `a record from ${this.remote} did not authenticate`
      this.destroy(new BlazeError('LINK_CLOSED', message, { details: { damaged: true } }))
      return
    }
    this.#bytesReceived += bytes.length
    this.#plaintextBytes = plaintext.length
    this.#keepAlive.lastHeardMs = this.#env.monotonic()
    this.#inbox.read(plaintext)
    if (!this.#ended) this.#held?.moved(this)
  }

  own(head: FrameHead, body: Uint8Array): void {
    switch (head.type) {
      case frameType.ping:
        return this.#answerPing(body)
      case frameType.pong:
        if (body.length !== TOKEN_BYTES) throw violation(`a pong of ${body.length} bytes`)
        if (this.#pingToken > 0 && readU32(body, 4) === this.#pingToken)
          this.roundTripMs = this.#env.monotonic() - this.#pingSentMs
        return
      case frameType.credit:
        return this.#takeCredit(head.stream, body)
      case frameType.rekey:
        // Alone, so that a record buys its sender one new key and not thousands.
        if (this.#plaintextBytes !== FRAME_HEADER_BYTES)
          throw violation('a rekey that is not alone in its record')
        return this.#cipher.rekeyReceive()
      default: {
        const { number, text } = parseErrorBody(body, 'bye')
        this.#link.close()
        this.#finish(number === 0 ? undefined : new BlazeError(errorOfNumber(number), text))
      }
    }
  }

  #answerPing(token: Uint8Array): void {
    if (token.length !== TOKEN_BYTES) throw violation(`a ping of ${token.length} bytes`)
    // One answer at a time: a peer that pings and does not read must not fill our memory.
    if (this.#pong === undefined || this.#pong.sent > 0) {
      this.#pong = this.#outbox.addControl(CONTROL, frameType.pong, token.slice())
    } else {
      this.#pong.body = token.slice()
    }
    this.#planFlush()
  }

  #takeCredit(id: number, body: Uint8Array): void {
    if (body.length !== 4) throw violation(`a credit of ${body.length} bytes`)
    const stream = this.#streams.get(id)
    if (stream === undefined) return
    stream.sendCredit += readU32(body, 0)
    if (stream.sendCredit > limits.streamCreditBytes) throw violation(`too much credit for stream ${id}`)
    this.#planFlush()
  }

  drain(): void {
    this.#linkFull = false
    this.#flush()
  }

  closed(error: BlazeError | undefined): void {
    if (!this.#ended) this.#finish(truncated(this.remote, error))
  }

  message(stream: number, type: number, body: Uint8Array): void {
    this.#handlers?.message(stream, type, body)
  }

  ended(stream: Stream): void {
    this.#forget(stream)
  }

  alive(): boolean {
    return !this.#ended
  }

  silent(): void {
    this.destroy(new BlazeError('LINK_CLOSED', `peer silent for ${limits.silenceMs} ms`))
  }

  aged(): void {
    this.close()
  }

  #forget(stream: Stream): void {
    this.#outbox.drop(stream)
    this.#owing.delete(stream)
    this.#streams.end(stream.id)
  }

  #checkBounds(): void {
    if (this.#streams.control.queue.bytes > limits.controlQueueBytesMax) {
      this.#fail(new BlazeError('OVERLOADED', 'the peer asks faster than it reads the answers'))
    } else if (this.#outbox.bytes > limits.channelQueueBytesMax) {
      this.#fail(
        new BlazeError('OVERLOADED', `more than ${limits.channelQueueBytesMax} bytes wait to be sent`),
      )
    } else this.#held?.moved(this)
  }

  /** After the callbacks that are pending, so that the frames of a tick share records. */
  #planFlush(): void {
    if (this.#flushPlanned || this.#ended) return
    this.#flushPlanned = true
    this.#env.defer(() => {
      this.#flushPlanned = false
      this.#flush()
    })
  }

  #flush(): void {
    while (!this.#ended && !this.#linkFull && this.#sendRecord());
    if (this.#ended) return
    this.#held?.moved(this)
    if (this.#ended) return
    for (const stream of this.#outbox.takeWritable()) this.#handlers?.writable(stream)
  }

  /** False when there is nothing to send now. */
  #sendRecord(): boolean {
    for (const stream of this.#owing) {
      const bytes = new Uint8Array(4)
      writeU32(bytes, 0, stream.consumedBytes)
      stream.consumedBytes = 0
      this.#outbox.addControl(stream.id, frameType.credit, bytes)
    }
    this.#owing.clear()
    const length = this.#outbox.lay(scratch)
    if (length === 0) return false
    this.#rekeyWhenDue()
    if (this.#pong !== undefined && this.#pong.sent > 0) this.#pong = undefined
    const record = this.#cipher.seal(scratch.subarray(0, length))
    this.#bytesSent += record.length
    if (!this.#link.send(record)) this.#linkFull = true
    return true
  }

  /** By time: who sends says when, since two clocks never agree. The record that says so is the last under the old key. */
  #rekeyWhenDue(): void {
    const nowMs = this.#env.monotonic()
    if (nowMs - this.#keySinceMs < limits.keyAgeMs) return
    this.#keySinceMs = nowMs
    this.#link.send(this.#cipher.seal(REKEY))
    this.#cipher.rekeySend()
  }

  /** The peer broke the protocol, or one of us the bounds: it is told why. */
  #fail(error: BlazeError): void {
    if (this.#ended) return
    this.#bye(errorNumber(error.code), error.message)
    this.#finish(error)
  }

  /** Past all queues: nothing follows it. */
  #bye(number: number, text: string): void {
    const head = { type: frameType.bye, more: false, stream: CONTROL }
    const length = layFrame(scratch, 0, head, encodeErrorBody(number, text))
    this.#link.send(this.#cipher.seal(scratch.subarray(0, length)))
    this.#link.close()
  }

  #finish(error: BlazeError | undefined): void {
    if (this.#ended) return
    this.#ended = true
    this.#end = { error }
    this.#held?.leave(this)
    this.#keepAlive.stop()
    this.#tellEnd()
  }

  /** Later, because the owner may be in the middle of the call that ended us. */
  #tellEnd(): void {
    const end = this.#end
    const handlers = this.#handlers
    if (end === undefined || handlers === undefined) return
    this.#end = undefined
    this.#env.defer(() => handlers.closed(end.error))
  }
}
