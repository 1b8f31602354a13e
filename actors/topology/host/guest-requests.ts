/**
 * Answers what a guest asks on stream 0: writes, decided here and acknowledged after their sync, and marks.
 * Invariant: a write is judged by the terms at the moment it is made, and whoever got an answer is sent what it waits for.
 */
import { BlazeError, limits } from '../../../runtime/index.ts'
import type { Request, Session } from '../../connection/index.ts'
import type { Database, GuestPolicy, GuestWritten } from '../../database/index.ts'
import { encodeMirrorAnswer, MIRROR_MARK, MIRROR_WRITE, parseMirrorWrite } from '../mirror/index.ts'
import { guestPolicy } from '../policy/index.ts'
import type { GuestMode, ShareTerms } from './share-terms.ts'

export interface GuestRequestsOptions {
  readonly database: Database
  readonly session: Session
  readonly app: string
  readonly home: Uint8Array
  terms(): ShareTerms
  /** Newest synced arrival. */
  arrival(): number
  /** An answer with this arrival was given. */
  answered(arrival: number): void
  /** A bug of this side. */
  failed(error: unknown): void
}

export class GuestRequests {
  readonly #o: GuestRequestsOptions
  /** Requests that are being answered. */
  #open = 0

  constructor(options: GuestRequestsOptions) {
    this.#o = options
  }

  /** `mode` is the one that the guest attached with. Throws `PROTOCOL_VIOLATION` for what is no request of a guest. */
  handle({ id, operation, body }: Request, mode: GuestMode): void {
    const { session } = this.#o
    if (this.#open >= limits.requestsMax) {
      session.answerError(
        id,
        new BlazeError('OVERLOADED', `${limits.requestsMax} requests are being answered already`),
      )
      return
    }
    switch (operation) {
      case MIRROR_WRITE:
        this.#write(id, body, mode)
        return
      case MIRROR_MARK:
        if (body.length > 0) throw new BlazeError('PROTOCOL_VIOLATION', 'a mark with a body')
        this.#answer(id, { existed: true, hidden: [] })
        return
      default:
        throw new BlazeError('PROTOCOL_VIOLATION', `operation ${operation} is none of a guest`)
    }
  }

  #write(id: number, body: Uint8Array, mode: GuestMode): void {
    const { step, collection, inputs } = parseMirrorWrite(body)
    const policy = this.#policy(mode)
    this.#open += 1
    const settle = (answer: () => void): void => {
      this.#open -= 1
      try {
        answer()
      } catch (error) {
        this.#o.failed(error)
      }
    }
    this.#o.database
      .request<GuestWritten>((reply) => ({ type: 'guest.write', step, collection, inputs, policy, reply }))
      .then(
        (written) => settle(() => this.#answer(id, written)),
        (error: unknown) => settle(() => this.#refuse(id, error)),
      )
  }

  /** The database asks it when it makes the write: what changed until then counts. */
  #policy(mode: GuestMode): GuestPolicy {
    const { app, home } = this.#o
    const now = (): GuestPolicy => {
      const terms = this.#o.terms()
      const allowed = terms.modeOf(app)
      if (allowed === undefined)
        throw new BlazeError('FORBIDDEN', 'this app may not use the database any more')
      return guestPolicy(terms.policy, { home, readOnly: mode === 'readOnly' || allowed === 'readOnly' })
    }
    return {
      home,
      check: (collection, inputs) => now().check(collection, inputs),
      visible: (state) => now().visible(state),
      fieldVisible: (collection, field) => now().fieldVisible(collection, field),
    }
  }

  /** What is hidden is so at this arrival: whatever shows it again comes with a later one. */
  #answer(id: number, { existed, hidden }: GuestWritten): void {
    const { database, session } = this.#o
    const arrival = this.#o.arrival()
    const named = hidden.map(({ index, tag, life }) => ({ index, tag: database.mirrorTag(tag), life }))
    session.answer(id, encodeMirrorAnswer({ arrival, existed, hidden: named }))
    this.#o.answered(arrival)
  }

  #refuse(id: number, error: unknown): void {
    if (!(error instanceof BlazeError)) throw error
    this.#o.session.answerError(id, error)
  }
}
