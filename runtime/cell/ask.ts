/** A question that waits for the reply of one cell. It ends exactly once: by its reply, its deadline, or the death of the cell. */
import { Deadline } from './deadline.ts'
import type { Deadlines } from './deadline.ts'
import { BlazeError } from '../errors.ts'

/** The cell that owes the reply. */
export interface AskHost {
  readonly path: string
  readonly deadlines: Deadlines
  /** An ask that was noted as owed has ended. */
  settled(mail: AskMail): void
}

/** Travels through the mailbox in place of the message that it carries. */
export class AskMail extends Deadline {
  message: unknown
  ended = false
  /** The handler has seen the message and has not replied yet: a crash takes the reply with it. */
  owed = false
  readonly #host: AskHost
  readonly #timeoutMs: number
  readonly #reject: (error: BlazeError) => void

  constructor(host: AskHost, timeoutMs: number, reject: (error: BlazeError) => void) {
    super()
    this.#host = host
    this.#timeoutMs = timeoutMs
    this.#reject = reject
  }

  /** Not `instanceof`, which a message can make throw. */
  static is(mail: unknown): mail is AskMail {
    return typeof mail === 'object' && mail !== null && #host in mail
  }

  /** Starts the clock. */
  wait(): void {
    if (!this.ended) this.#host.deadlines.add(this, this.#timeoutMs)
  }

  fail(error: BlazeError): void {
    if (this.end()) this.#reject(error)
  }

  expire(): void {
    const { path } = this.#host
    const timeoutMs = this.#timeoutMs
    const text = `no reply from ${path} within ${timeoutMs} ms`
    this.fail(new BlazeError('ASK_TIMEOUT', text, { details: { path, timeoutMs } }))
  }

  /** False: it has ended before. */
  end(): boolean {
    if (this.ended) return false
    this.ended = true
    this.#host.deadlines.remove(this)
    if (this.owed) this.#host.settled(this)
    return true
  }
}

/** Throws `TypeError`. */
export function checkTimeout(timeoutMs: number): void {
  if (!(timeoutMs > 0 && timeoutMs < Infinity))
    throw new TypeError(`ask: timeoutMs: expected a positive number, got ${timeoutMs}`)
}

export function cellDown(path: string, what: 'crashed' | 'is stopped'): BlazeError {
  return new BlazeError('CELL_DOWN', `${path} ${what}`, { details: { path } })
}

export function overloaded(path: string): BlazeError {
  return new BlazeError('OVERLOADED', `the mailbox of ${path} is full`, { details: { path } })
}

/** What lies in a mailbox, as its sender knows it. */
export function contentOf(mail: unknown): unknown {
  return AskMail.is(mail) ? mail.message : mail
}
