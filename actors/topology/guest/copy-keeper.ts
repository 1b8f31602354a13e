/**
 * Keeps the copy of a guest open: opens it, lets go of one that failed, and answers reads or makes them wait.
 * Invariant: at most one copy is open, and one that failed is never used again.
 */
import { BlazeError, limits } from '../../../runtime/index.ts'
import { openCopy } from './guest-copy.ts'
import type { CopyHandlers } from './guest-copy.ts'
import type { GuestCore } from './guest-core.ts'
import type { GuestSession, ReadRequest } from './guest-session.ts'

export class CopyKeeper {
  readonly #core: GuestCore
  readonly #handlers: CopyHandlers
  /** Settles when the copy that is being opened is open, or is not. */
  #opening: Promise<unknown> = Promise.resolve()
  /** Settles when the copy before has let go of its directory. */
  #released: Promise<unknown> = Promise.resolve()
  /** Reads that came while the copy was being opened. */
  #stash: ReadRequest[] = []

  constructor(core: GuestCore, handlers: CopyHandlers) {
    this.#core = core
    this.#handlers = handlers
  }

  /** Rejects as `openCopy` does. */
  open(): Promise<GuestSession> {
    const core = this.#core
    const opening = this.#released.then(() => openCopy(core.options, this.#handlers))
    this.#opening = opening.then(
      (session) => {
        core.session = session
        core.at = session.at
      },
      () => undefined,
    )
    return opening
  }

  /** The copy is open: what waited for it is answered. */
  opened(session: GuestSession): void {
    const { first } = this.#core
    this.#core.first = undefined
    first?.resolve(undefined)
    for (const request of this.#stash.splice(0)) session.handle(request)
  }

  /** It could not be opened, or was open and cannot be used any more. */
  failed(error: BlazeError): void {
    const core = this.#core
    const { session, first } = core
    core.session = undefined
    core.first = undefined
    if (session !== undefined) this.#released = this.#release(session, error)
    first?.reject(error)
    this.refuse(error)
  }

  /** Reads are answered while the copy is open, wait while it is being opened, and are refused otherwise. */
  read(request: ReadRequest): void {
    const { session, state, error } = this.#core
    if (session !== undefined) session.handle(request)
    else if (state !== 'connecting')
      request.reply.reject(state === 'closing' ? closed() : (error ?? closed()))
    else if (this.#stash.length < limits.databaseMailMax) this.#stash.push(request)
    else request.reply.reject(new BlazeError('OVERLOADED', 'too many calls wait for the copy to open'))
  }

  /** The reads that wait. */
  refuse(error: BlazeError): void {
    for (const request of this.#stash.splice(0)) request.reply.reject(error)
  }

  /** Resolves when what is shown is on the disk and the directory is free. */
  async close(error: BlazeError): Promise<void> {
    this.refuse(error)
    await this.#opening
    const { session } = this.#core
    this.#core.session = undefined
    await session?.close(error)
    await this.#released
  }

  async #release(session: GuestSession, error: BlazeError): Promise<void> {
    try {
      await session.close(error)
    } catch (cause) {
      // It failed already; whether the directory is free shows when it is opened again.
      const { env } = this.#core.options.world
      env.log.error('guest.copy.close', { at: session.at, error: String(cause) })
    }
  }
}

export function closed(): BlazeError {
  return new BlazeError('CLOSED', 'the database was closed')
}
