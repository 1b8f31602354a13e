/**
 * When another channel is due beside the one in use, and over which endpoint: before its hour is over, when a ping is missed, and when a
 * preferred endpoint may work again. Pure but for its clock and chance. Invariant: what failed is not due again at once.
 */
import { limits, type Env } from '../../runtime/index.ts'
import type { Endpoint } from '../../transports/index.ts'
import { ceilingOf } from './fault.ts'
import type { Route } from './route.ts'

export class Health {
  readonly #env: Env
  readonly #route: Route
  /** Monotonic ms. */
  #securedMs = 0
  #renewAtMs = Infinity
  #probeAtMs = Infinity
  #probes = 0

  constructor(env: Env, route: Route) {
    this.#env = env
    this.#route = route
  }

  /** A channel over the present endpoint is in use from now on. */
  secured(): void {
    this.#securedMs = this.#env.monotonic()
    this.#renewAtMs = this.#securedMs + limits.channelRenewMs * (1 - this.#env.random() / 10)
    this.#probes = 0
    this.#probeLater()
  }

  /** The endpoint of a new channel that is due now. `lastHeardMs`: of the channel in use, monotonic. */
  due(lastHeardMs: number): Endpoint | undefined {
    const nowMs = this.#env.monotonic()
    if (nowMs >= this.#renewAtMs) return this.#route.current
    // Not at the pace of probes, which grow rare: with each look until the link counts as dead.
    if (nowMs - lastHeardMs >= limits.pingMissedMs) return this.#route.other()
    return nowMs < this.#probeAtMs ? undefined : this.#route.better()
  }

  /** Something that only a new hello tells is wrong: a new channel is due soon. */
  hurry(): void {
    this.#renewAtMs = Math.min(this.#renewAtMs, this.#securedMs + limits.clockRetryMs)
  }

  failed(): void {
    const againMs = this.#env.monotonic() + limits.channelRenewRetryMs
    this.#renewAtMs = Math.max(this.#renewAtMs, againMs)
    this.#probeLater()
  }

  #probeLater(): void {
    const ceilingMs = ceilingOf(limits.failbackFirstMs, limits.failbackMaxMs, this.#probes)
    this.#probes += 1
    this.#probeAtMs = this.#env.monotonic() + ceilingMs * (0.5 + this.#env.random() / 2)
  }
}
