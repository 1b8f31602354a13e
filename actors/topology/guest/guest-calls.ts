/**
 * What a guest asks of its host: writes and marks, in order, each until its effect is shown here.
 * Invariant: every call settles. One that was not sent rejects `OFFLINE` when the link ends; one that was sent and not answered says
 * that it may have happened.
 */
import { BlazeError, limits } from '../../../runtime/index.ts'
import type { Env, Timer } from '../../../runtime/index.ts'
import { parseMirrorAnswer } from '../mirror/index.ts'
import type { MirrorAnswer } from '../mirror/index.ts'

export interface CallPort {
  /** Rejects with the code of the host's answer, `TIMEOUT` or `LINK_CLOSED`. */
  request(operation: number, body: Uint8Array): Promise<Uint8Array>
  /** The host has answered what is no answer. */
  violated(error: BlazeError): void
}

export interface Shown {
  /** Arrival of the host that is shown. */
  readonly position: number
  /** Nothing is shown that the host does not show any more. */
  readonly swept: boolean
}

export interface GuestCall {
  readonly operation: number
  readonly body: Uint8Array
  /** Also what the host has withdrawn has to be gone before it settles. */
  readonly swept: boolean
  /** Its answer has come and is shown; called once, before it settles. What it returns is waited for. */
  readonly shown?: (answer: MirrorAnswer) => Promise<void> | undefined
  /** How long it may take to be shown once it was answered; as long as the copy moves, it is waited for. */
  readonly timeoutMs: number
}

interface OpenCall {
  readonly call: GuestCall
  /** Monotonic, of the call. */
  readonly sinceMs: number
  readonly resolve: (existed: boolean) => void
  readonly reject: (error: unknown) => void
  /** Once answered and not shown. */
  answer: MirrorAnswer | undefined
  /** It is shown, and being written here. */
  keeping: boolean
  timer: Timer | undefined
  over: boolean
}

export class GuestCalls {
  readonly #env: Env
  readonly #shown: () => Shown
  /** Not sent, oldest first; those before `#first` are gone. */
  #queue: OpenCall[] = []
  #first = 0
  #queuedBytes = 0
  readonly #sent = new Set<OpenCall>()
  #sentBytes = 0
  #linked = false
  #port: CallPort | undefined
  #expiry: Timer | undefined

  constructor(env: Env, shown: () => Shown) {
    this.#env = env
    this.#shown = shown
  }

  /** Resolves with whether there was a record. Rejects with `OFFLINE`, `LINK_CLOSED`, `TIMEOUT`, `OVERLOADED`, `CLOSED` and what the host says. */
  call(call: GuestCall): Promise<boolean> {
    if (!this.#linked) return Promise.reject(offline())
    const waiting = this.#queue.length - this.#first
    const bytes = this.#queuedBytes + call.body.length
    if (waiting >= limits.guestCallsMax || (waiting > 0 && bytes > limits.guestCallsBytesMax)) {
      return Promise.reject(new BlazeError('OVERLOADED', 'too many writes wait for the host'))
    }
    return new Promise((resolve, reject) => {
      const sinceMs = this.#env.monotonic()
      const open = { call, sinceMs, resolve, reject, answer: undefined, timer: undefined }
      this.#queue.push({ ...open, keeping: false, over: false })
      this.#queuedBytes = bytes
      this.#expiry ??= this.#env.after(limits.requestTimeoutMs, () => this.#expire())
      this.#pump()
    })
  }

  /** There is an authenticated link: what is called from now on waits for the attach. */
  linked(): void {
    this.#linked = true
  }

  /** The host takes requests. */
  open(port: CallPort): void {
    this.#port = port
    this.#pump()
  }

  /** It takes none for the moment. */
  suspend(): void {
    this.#port = undefined
  }

  /** The link has ended. What was sent is told so by its request. */
  unlinked(): void {
    this.#linked = false
    this.#port = undefined
    for (const open of this.#takeQueue()) this.#settle(open, offline())
  }

  /** More is shown than before. */
  moved(): void {
    if (this.#sent.size === 0) return
    for (const open of this.#sent) this.#look(open)
    this.#pump()
  }

  /** What is shown is another database from now on. */
  replaced(): void {
    const error = new BlazeError('LINK_CLOSED', 'the host stored it, and shares another database since')
    for (const open of this.#sent) if (open.answer !== undefined) this.#settle(open, error)
  }

  close(error: BlazeError): void {
    this.#linked = false
    this.#port = undefined
    for (const open of [...this.#takeQueue(), ...this.#sent]) this.#settle(open, error)
  }

  #pump(): void {
    while (this.#port !== undefined && this.#sent.size < limits.requestsMax) {
      const open = this.#queue[this.#first]
      if (open === undefined) return
      const bytes = this.#sentBytes + open.call.body.length
      if (this.#sentBytes > 0 && bytes > limits.guestFlightBytesMax) return
      this.#advance()
      this.#sentBytes = bytes
      this.#send(open, this.#port)
    }
  }

  #send(open: OpenCall, port: CallPort): void {
    const { operation, body } = open.call
    this.#sent.add(open)
    port.request(operation, body).then(
      (answer) => {
        this.#sentBytes -= body.length
        this.#answered(open, port, answer)
        this.#pump()
      },
      (error: unknown) => {
        this.#sentBytes -= body.length
        this.#settle(open, unanswered(error))
        this.#pump()
      },
    )
  }

  #answered(open: OpenCall, port: CallPort, body: Uint8Array): void {
    if (open.over) return
    try {
      open.answer = parseMirrorAnswer(body)
    } catch (error) {
      this.#settle(open, error)
      if (!(error instanceof BlazeError)) throw error
      port.violated(error)
      return
    }
    this.#look(open)
    if (!open.over) this.#await(open, this.#shown().position)
  }

  /** Settles it when its effect is shown. */
  #look(open: OpenCall): void {
    const { answer, call } = open
    if (answer === undefined || open.keeping) return
    const { position, swept } = this.#shown()
    if (position < answer.arrival || (call.swept && !swept)) return
    try {
      const kept = call.shown?.(answer)
      open.keeping = kept !== undefined
      if (kept === undefined) this.#resolve(open, answer)
      else
        kept.then(
          () => this.#resolve(open, answer),
          (error: unknown) => this.#settle(open, notKept(error)),
        )
    } catch (error) {
      // The copy failed meanwhile.
      if (!(error instanceof BlazeError)) throw error
      this.#settle(open, notKept(error))
    }
  }

  #resolve(open: OpenCall, { existed }: MirrorAnswer): void {
    if (open.over) return
    open.resolve(existed)
    this.#forget(open)
  }

  #await(open: OpenCall, position: number): void {
    const { timeoutMs } = open.call
    open.timer = this.#env.after(timeoutMs, () => {
      const reached = this.#shown().position
      if (this.#port !== undefined && reached > position) {
        this.#await(open, reached)
        return
      }
      const what = open.keeping ? 'written' : 'shown'
      const problem = `the host stored it, but it was not ${what} here within ${timeoutMs} ms`
      this.#settle(open, new BlazeError('TIMEOUT', problem))
    })
  }

  /** What has waited too long for its turn. */
  #expire(): void {
    const oldestMs = this.#env.monotonic() - limits.requestTimeoutMs
    for (let open = this.#queue[this.#first]; open !== undefined; open = this.#queue[this.#first]) {
      // Timers may be early by less than a millisecond.
      if (open.sinceMs > oldestMs + 1) break
      this.#advance()
      this.#settle(
        open,
        new BlazeError('TIMEOUT', 'the host did not take the write in time; it was not sent'),
      )
    }
    const next = this.#queue[this.#first]
    this.#expiry =
      next === undefined
        ? undefined
        : this.#env.after(Math.max(1, next.sinceMs - oldestMs), () => this.#expire())
  }

  #advance(): void {
    const open = this.#queue[this.#first]
    if (open === undefined) return
    this.#queuedBytes -= open.call.body.length
    this.#first += 1
    if (this.#first < limits.requestsMax || this.#first * 2 < this.#queue.length) return
    this.#queue = this.#queue.slice(this.#first)
    this.#first = 0
  }

  #takeQueue(): OpenCall[] {
    const waiting = this.#queue.slice(this.#first)
    this.#queue = []
    this.#first = 0
    this.#queuedBytes = 0
    this.#expiry?.cancel()
    this.#expiry = undefined
    return waiting
  }

  #settle(open: OpenCall, error: unknown): void {
    if (open.over) return
    open.reject(error)
    this.#forget(open)
  }

  #forget(open: OpenCall): void {
    open.over = true
    open.timer?.cancel()
    this.#sent.delete(open)
  }
}

function unanswered(error: unknown): unknown {
  if (!(error instanceof BlazeError) || error.code !== 'TIMEOUT') return error
  return new BlazeError('TIMEOUT', `${error.message}; a write may have happened`, { cause: error })
}

function notKept(error: unknown): unknown {
  if (!(error instanceof BlazeError)) return error
  return new BlazeError(error.code, `the host stored it, but not the copy here: ${error.message}`, {
    cause: error,
  })
}

function offline(): BlazeError {
  return new BlazeError('OFFLINE', 'there is no connection to the host now; nothing was sent')
}
