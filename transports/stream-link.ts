/**
 * One end of a link over a connected socket, whatever its records look like there: delivery, back-pressure, the end.
 *
 * Invariant: no error of the socket escapes, each ends in one `closed`; what waits is bounded, and does not wait for ever. How records become
 * bytes is the matter of the classes that extend it.
 */
import { BlazeError, limits } from '../runtime/index.ts'
import type { Env, Timer } from '../runtime/index.ts'
import { expectRecord } from './link.ts'
import type { Link, LinkHandlers } from './link.ts'
import { faultOf, stalled } from './link-fault.ts'
import { StallWatch } from './stall-watch.ts'

export type LinkAbout = Pick<Link, 'transport' | 'remote' | 'binding'>

export abstract class StreamLink implements Link {
  readonly transport: Link['transport']
  readonly remote: string
  readonly binding: Uint8Array
  readonly #env: Env
  readonly #stall: StallWatch
  #handlers: LinkHandlers | undefined
  #paused = false
  #delivering = false
  /** `closing`: flushing, deaf. `ended`: the socket is destroyed. */
  #state: 'open' | 'closing' | 'ended' = 'open'
  #error: BlazeError | undefined
  #socketClosed = false
  #closedTold = false
  #full = false
  #linger: Timer | undefined

  constructor(env: Env, about: LinkAbout) {
    this.#env = env
    this.transport = about.transport
    this.remote = about.remote
    this.binding = about.binding
    this.#stall = new StallWatch(
      env,
      () => this.queuedBytes(),
      () => this.destroy(stalled(this.remote)),
    )
  }

  /** The next whole record that has arrived. `PROTOCOL_VIOLATION`. */
  protected abstract next(): Uint8Array | undefined
  /** Takes a record, which leaves with the others of this tick; calls `written` when it has. */
  protected abstract write(record: Uint8Array): void
  /** Taken, and not left yet. */
  protected abstract queuedBytes(): number
  /** Reads from the socket, or does not. */
  protected abstract listen(on: boolean): void
  /** Sends what was taken, then ends the socket in order. */
  protected abstract finish(): void
  /** Drops what was taken, and the socket. */
  protected abstract drop(): void
  /** What was wrong with an end that no error explains. */
  protected abstract endFault(): BlazeError | undefined

  attach(handlers: LinkHandlers): void {
    this.#handlers = handlers
    if (!this.#paused) this.#wake()
  }

  send(record: Uint8Array): boolean {
    expectRecord(record)
    if (this.#state !== 'open') return true
    const wasEmpty = this.queuedBytes() === 0
    this.write(record)
    if (wasEmpty) this.#stall.moved()
    const queued = this.queuedBytes()
    if (queued > limits.linkQueueBytesMax) {
      this.destroy(
        new BlazeError('OVERLOADED', `more than ${limits.linkQueueBytesMax} bytes wait for ${this.remote}`),
      )
      return false
    }
    if (queued > limits.linkHighWaterBytes) this.#full = true
    return !this.#full
  }

  pause(): void {
    this.#paused = true
    this.listen(false)
  }

  resume(): void {
    this.#paused = false
    if (this.#handlers !== undefined) this.#wake()
  }

  close(): void {
    if (this.#state !== 'open') return
    this.finish()
    this.#state = 'closing'
    // What the peer still sends is read and dropped, so that its close is seen.
    this.listen(true)
    this.#linger = this.#env.after(limits.linkLingerMs, () => this.drop())
  }

  destroy(error?: BlazeError): void {
    if (this.#state === 'ended') return
    this.#state = 'ended'
    this.#error = error
    this.#stall.end()
    this.drop()
  }

  /** False: what arrives is not looked at. */
  protected get isOpen(): boolean {
    return this.#state === 'open'
  }

  protected arrived(): void {
    if (this.#delivering || this.#handlers === undefined) return
    this.#delivering = true
    try {
      while (this.#state === 'open' && !this.#paused) {
        const record = this.next()
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
      const error = this.#error ?? (this.#state === 'open' ? this.endFault() : undefined)
      this.#state = 'ended'
      this.#handlers.closed(error)
    }
  }

  /** Something of what was taken has left whole. */
  protected written(): void {
    if (this.#state !== 'open') return
    this.#stall.moved()
    if (!this.#full || this.queuedBytes() > limits.linkHighWaterBytes / 2) return
    this.#full = false
    this.#handlers?.drain()
  }

  /** The socket has an error; it closes next. The first is told. */
  protected broken(error: BlazeError): void {
    this.#error ??= error
  }

  /** The socket is closed. */
  protected gone(): void {
    this.#socketClosed = true
    this.#stall.end()
    this.#linger?.cancel()
    this.arrived()
  }

  /** Not at once: the caller of `attach` or `resume` is in the middle of something. */
  #wake(): void {
    queueMicrotask(() => {
      if (this.#paused) return
      this.arrived()
      if (!this.#paused && !this.#socketClosed) this.listen(true)
    })
  }
}
