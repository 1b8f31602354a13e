/**
 * A link during the handshake: one record at a time, under one absolute deadline.
 * Invariant: nothing is taken from the link that was not asked for; after the deadline, or the end of the link, every wait rejects.
 */
import { BlazeError, limits } from '../../runtime/index.ts'
import type { Env, Timer } from '../../runtime/index.ts'
import type { Link } from '../link.ts'

export class HandshakeExchange {
  readonly #link: Link
  readonly #deadline: Timer
  readonly #failed: Promise<never>
  #reject: (error: BlazeError) => void = () => undefined
  #refused = false
  #take: ((record: Uint8Array) => void) | undefined

  constructor(env: Env, link: Link) {
    this.#link = link
    this.#failed = new Promise((_, reject) => {
      this.#reject = reject
    })
    // It may fail while nobody waits; whoever waits next sees it.
    this.#failed.catch(() => undefined)
    this.#deadline = env.after(limits.handshakeMs, () => {
      this.#reject(
        new BlazeError(
          'HANDSHAKE_TIMEOUT',
          `no secure channel with ${link.remote} within ${limits.handshakeMs} ms`,
        ),
      )
    })
    link.pause()
    link.attach({
      record: (bytes) => {
        link.pause()
        this.#take?.(bytes.slice())
        this.#take = undefined
      },
      drain: () => undefined,
      closed: (error) => {
        this.#reject(
          error ?? new BlazeError('LINK_CLOSED', `${link.remote} ended the link during the handshake`),
        )
      },
    })
  }

  /** The peer's next record. */
  next(): Promise<Uint8Array> {
    const record = new Promise<Uint8Array>((resolve) => {
      this.#take = resolve
    })
    this.#link.resume()
    return this.within(record)
  }

  /** The result of work that the peer has to wait for. */
  within<T>(work: T | Promise<T>): Promise<T> {
    return Promise.race([work, this.#failed])
  }

  send(record: Uint8Array): void {
    this.#link.send(record)
  }

  /** The handshake is over: the deadline does not count any more. */
  release(): void {
    this.#deadline.cancel()
  }

  /** A last record, and the orderly end of the link. */
  refuse(record: Uint8Array): void {
    this.release()
    this.#refused = true
    this.#link.send(record)
    this.#link.close()
  }

  /** Ends the link, unless it is ending with a refusal. */
  abandon(error: unknown): void {
    if (this.#refused) return
    this.release()
    this.#link.destroy(error instanceof BlazeError ? error : undefined)
  }
}
