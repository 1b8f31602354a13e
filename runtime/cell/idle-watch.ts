/** Notices when a cell has been idle for long enough, or was asked to rest, so that its life can end until the next message. */
import type { Env, Timer } from '../env.ts'

export interface IdleHost {
  readonly env: Env
  /** No mail, no work under way, no reply owed, nothing put aside. */
  readonly isIdle: boolean
  /** At the next turn, if it is still idle then. */
  requestRest(): void
}

export class IdleWatch {
  /** Rest as soon as the cell is idle. */
  asked = false
  readonly #host: IdleHost
  /** Undefined: only when asked. */
  readonly #afterMs: number | undefined
  #lastActiveMs = 0
  #timer: Timer | undefined

  constructor(host: IdleHost, afterMs: number | undefined) {
    this.#host = host
    this.#afterMs = afterMs
  }

  /** After each turn. `active`: something was handled. */
  turned(active: boolean): void {
    if (this.asked && this.#host.isIdle) this.#host.requestRest()
    const afterMs = this.#afterMs
    if (afterMs === undefined) return
    if (active) this.#lastActiveMs = this.#host.env.monotonic()
    if (this.#timer === undefined) this.#arm(afterMs, afterMs)
  }

  /** The life ends, in whichever way. */
  end(): void {
    this.asked = false
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #arm(waitMs: number, afterMs: number): void {
    this.#timer = this.#host.env.after(waitMs, () => {
      const restMs = this.#lastActiveMs + afterMs - this.#host.env.monotonic()
      if (restMs <= 0 && this.#host.isIdle) this.#host.requestRest()
      this.#arm(restMs > 0 ? restMs : afterMs, afterMs)
    })
  }
}
