/** Questions that wait for the reply of one cell. Each ends exactly once: by its reply, its deadline, or the death of the cell. */
import type { Env, Timer } from './env.ts'
import { BlazeError } from './errors.ts'
import { limits } from './limits.ts'
import type { TellResult } from './behaviour.ts'

interface Ask {
  /** The handler has seen the message: a crash from now on takes the reply with it. */
  delivered: boolean
  fail(error: BlazeError): void
}

export class AskTable {
  readonly #env: Env
  readonly #path: string
  /** By message, which `make` has built for this ask alone. */
  readonly #asks = new Map<unknown, Ask>()

  constructor(env: Env, path: string) {
    this.#env = env
    this.#path = path
  }

  open<M, R>(
    tell: (message: M) => TellResult,
    make: (reply: (value: R) => void) => M,
    timeoutMs: number,
  ): Promise<R> {
    return new Promise<R>((resolve, reject) => {
      if (!(timeoutMs > 0 && timeoutMs < Infinity))
        throw new TypeError(`ask: timeoutMs: expected a positive number, got ${timeoutMs}`)
      if (this.#asks.size >= limits.asksMax) throw this.#overloaded()
      let timer: Timer | undefined
      let ended = false
      const end = (): boolean => {
        if (ended) return false
        ended = true
        timer?.cancel()
        this.#asks.delete(message)
        return true
      }
      const message: M = make((value) => {
        if (end()) resolve(value)
      })
      const told = tell(message)
      if (told === 'full') throw this.#overloaded()
      if (told === 'dead') throw this.#down('is stopped')
      const fail = (error: BlazeError): void => {
        if (end()) reject(error)
      }
      this.#asks.set(message, { delivered: false, fail })
      timer = this.#env.after(timeoutMs, () => {
        fail(
          new BlazeError('ASK_TIMEOUT', `no reply from ${this.#path} within ${timeoutMs} ms`, {
            details: { path: this.#path, timeoutMs },
          }),
        )
      })
    })
  }

  deliver(message: unknown): void {
    const ask = this.#asks.get(message)
    if (ask !== undefined) ask.delivered = true
  }

  /** A crash: the state that owed these replies is gone. */
  failDelivered(): void {
    for (const ask of [...this.#asks.values()]) if (ask.delivered) ask.fail(this.#down('crashed'))
  }

  failAll(): void {
    for (const ask of [...this.#asks.values()]) ask.fail(this.#down('is stopped'))
  }

  #down(what: string): BlazeError {
    return new BlazeError('CELL_DOWN', `${this.#path} ${what}`, { details: { path: this.#path } })
  }

  #overloaded(): BlazeError {
    return new BlazeError('OVERLOADED', `the mailbox of ${this.#path} is full`, {
      details: { path: this.#path },
    })
  }
}
