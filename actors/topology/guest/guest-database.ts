/**
 * A shared database, as this process sees it: the handle that outlives links and crashes.
 * Invariant: every call settles; what is read is what the copy shows at that moment, with or without a host.
 */
import { BlazeError } from '../../../runtime/index.ts'
import type { Env, Ref } from '../../../runtime/index.ts'
import type { DatabaseStatus, RecordDatabase, RecordRequest, Reply } from '../../database/index.ts'
import { closed } from './copy-keeper.ts'
import { GuestCore } from './guest-core.ts'
import type { GuestMessage, GuestOptions, GuestReport, GuestRequest } from './guest-message.ts'
import { spawnGuest } from './guest.ts'

export class GuestDatabase implements RecordDatabase {
  /** As the host opened it. */
  readonly name: string
  readonly #core: GuestCore
  readonly #ref: Ref<GuestMessage>
  /** Replies that are due. */
  readonly #due = new Set<(error: unknown) => void>()
  #closing: Promise<void> | undefined

  /** Only for `openGuest`. */
  constructor(core: GuestCore, ref: Ref<GuestMessage>) {
    this.name = core.options.database
    this.#core = core
    this.#ref = ref
  }

  /** Directory of the copy. */
  get at(): string {
    return this.#core.at
  }

  get env(): Env {
    return this.#core.options.world.env
  }

  /** The copy holds all that the host once showed under the policy that it was made under, in this process or an earlier one. */
  get complete(): boolean {
    return this.#core.complete
  }

  report(): GuestReport {
    return this.#core.report()
  }

  /** Called after every change of the report but of `position` alone. */
  onReport(listener: () => void): () => void {
    this.#core.listeners.add(listener)
    return () => this.#core.listeners.delete(listener)
  }

  /**
   * Resolves when everything the host had committed when it was asked is visible, and what it withdrew is not. Rejects with `OFFLINE`,
   * `LINK_CLOSED`, `TIMEOUT`, `OVERLOADED`, `CLOSED`.
   */
  mark(timeoutMs: number): Promise<void> {
    if (this.#closing !== undefined) return Promise.reject(closed())
    const { env } = this
    return this.#ask<void>((reply) => {
      const timer = env.after(timeoutMs, () => {
        reply.reject(
          new BlazeError('TIMEOUT', `the host's state was not visible here within ${timeoutMs} ms`),
        )
      })
      const ended: Reply<void> = {
        resolve: (value) => {
          timer.cancel()
          reply.resolve(value)
        },
        reject: (error) => {
          timer.cancel()
          reply.reject(error)
        },
      }
      return { type: 'guest.mark', timeoutMs, reply: ended }
    })
  }

  /**
   * Asks the cell. Writes go to the host and resolve when they are stored there and shown here. Rejects with `OVERLOADED`, `CLOSED`,
   * `POISONED` (the copy failed; it is opened again), for writes with `READ_ONLY`, `OFFLINE` (not sent), `LINK_CLOSED` and `TIMEOUT`
   * (may have happened), and what the host says.
   */
  request<R>(make: (reply: Reply<R>) => RecordRequest): Promise<R> {
    if (this.#closing !== undefined) return Promise.reject(closed())
    return this.#ask(make)
  }

  status(): DatabaseStatus {
    return this.#core.status()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    try {
      await this.#ask<void>((reply) => ({ type: 'guest.close', reply }))
    } finally {
      await this.#ref.stop()
      for (const reject of this.#due) reject(closed())
    }
  }

  #ask<R>(make: (reply: Reply<R>) => GuestRequest): Promise<R> {
    return new Promise<R>((resolve, reject) => {
      const reply: Reply<R> = {
        resolve: (value) => {
          this.#due.delete(reply.reject)
          resolve(value)
        },
        reject: (error) => {
          this.#due.delete(reply.reject)
          reject(error)
        },
      }
      this.#due.add(reply.reject)
      const message = make(reply)
      const told = this.#ref.tell(message)
      if (told === 'ok') return
      const overloaded = new BlazeError('OVERLOADED', 'too many calls of this database wait')
      message.reply.reject(told === 'full' ? overloaded : (this.#core.error ?? closed()))
    })
  }
}

/**
 * Opens a copy of a shared database, and begins to look for its host; resolves before it is found. Rejects with `ALREADY_OPEN` (too many
 * processes of this app hold one), `UNSAFE_DIRECTORY`, `POISONED`, `DISK_FULL`.
 */
export async function openGuest(options: GuestOptions): Promise<GuestDatabase> {
  const core = new GuestCore(options)
  const opened = new Promise<void>((resolve, reject) => {
    core.first = { resolve, reject }
  })
  const ref = spawnGuest(core)
  try {
    await opened
  } catch (error) {
    await ref.stop()
    throw error
  }
  return new GuestDatabase(core, ref)
}
