/** When restarts were granted, and how long the next one waits: of one child, or of all children of a supervisor. */
import type { Supervision } from '../behaviour.ts'

export class RestartHistory {
  /** Monotonic ms of the restarts granted within the period, oldest first; never longer than the intensity. */
  readonly #granted: number[] = []
  #consecutive = 0
  #lastMs = -Infinity

  /** Wait in ms before the restart, or `exceeded`. `chance` in [0, 1) spreads the wait over its upper half. */
  next(rules: Supervision, nowMs: number, chance: number): number | 'exceeded' {
    const { intensity, periodMs, backoff } = rules
    const granted = this.#granted
    while (granted[0] !== undefined && nowMs - granted[0] >= periodMs) granted.shift()
    if (granted.length >= intensity) return 'exceeded'
    granted.push(nowMs)
    this.#consecutive = nowMs - this.#lastMs < periodMs ? this.#consecutive + 1 : 0
    this.#lastMs = nowMs
    // 2^30 is beyond every sensible maximum and still an exact integer.
    const full = Math.min(backoff.maxMs, backoff.firstMs * 2 ** Math.min(this.#consecutive, 30))
    return full * (0.5 + chance / 2)
  }
}
