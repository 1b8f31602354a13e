/** Watches over a peer that says nothing: pings it, then gives it up; and over the age of the channel. One timer, re-armed only when it fires. */
import { limits } from '../../runtime/index.ts'
import type { Env, Timer } from '../../runtime/index.ts'

export interface KeepAliveHandlers {
  ping(): void
  silent(): void
  /** The keys of the handshake are as old as they may get. */
  aged(): void
}

export class KeepAlive {
  readonly #env: Env
  readonly #handlers: KeepAliveHandlers
  readonly #startedMs: number
  #timer: Timer
  /** Monotonic ms. */
  lastHeardMs: number
  #lastPingMs = -Infinity

  constructor(env: Env, handlers: KeepAliveHandlers) {
    this.#env = env
    this.#handlers = handlers
    this.#startedMs = env.monotonic()
    this.lastHeardMs = this.#startedMs
    this.#timer = env.after(limits.pingIntervalMs, () => this.#check())
  }

  stop(): void {
    this.#timer.cancel()
  }

  #check(): void {
    const nowMs = this.#env.monotonic()
    const silentMs = nowMs - this.lastHeardMs
    if (silentMs >= limits.silenceMs) {
      this.#handlers.silent()
      return
    }
    const leftMs = limits.channelAgeMs - (nowMs - this.#startedMs)
    if (leftMs <= 0) {
      this.#handlers.aged()
      return
    }
    const sincePingMs = nowMs - Math.max(this.#lastPingMs, this.lastHeardMs)
    let nextPingMs = limits.pingIntervalMs - sincePingMs
    if (nextPingMs <= 0) {
      this.#lastPingMs = nowMs
      this.#handlers.ping()
      nextPingMs = limits.pingIntervalMs
    }
    // Whole ms: a remainder too small to move the clock would fire for ever.
    const waitMs = Math.max(1, Math.ceil(Math.min(nextPingMs, limits.silenceMs - silentMs, leftMs)))
    this.#timer = this.#env.after(waitMs, () => this.#check())
  }
}
