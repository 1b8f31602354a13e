/**
 * The clocks of one simulated node: a steady one that may run fast or slow, and a wall clock that goes with it and may jump.
 * Invariant: the steady clock never goes back, and undisturbed it shows the time of the world to the bit.
 */

/** What a clock may be off at most; beyond it every timer of the node would be due at once, or never. */
const partsPerMillionMax = 900_000

export class SimulatedClock {
  #rate = 1
  /** World time and own time at the last change of the rate. */
  #fromMs = 0
  #shownMs = 0
  /** A timer that was due has seen this time, whatever rounding says. */
  #reachedMs = 0
  #wallMs = 0

  /** `worldMs` is the time of the world; the same below. */
  steady(worldMs: number): number {
    return Math.max(this.#reachedMs, this.#shownMs + (worldMs - this.#fromMs) * this.#rate)
  }

  wall(worldMs: number): number {
    return this.steady(worldMs) + this.#wallMs
  }

  /** How much world time passes while the steady clock moves so far. */
  worldMs(steadyMs: number): number {
    return steadyMs / this.#rate
  }

  reached(steadyMs: number): void {
    this.#reachedMs = Math.max(this.#reachedMs, steadyMs)
  }

  drift(worldMs: number, partsPerMillion: number): void {
    if (!(Math.abs(partsPerMillion) <= partsPerMillionMax)) {
      throw new TypeError(
        `partsPerMillion: expected -${partsPerMillionMax} to ${partsPerMillionMax}, got ${partsPerMillion}`,
      )
    }
    this.#shownMs = this.steady(worldMs)
    this.#fromMs = worldMs
    this.#rate = 1 + partsPerMillion / 1_000_000
  }

  jump(ms: number): void {
    this.#wallMs += ms
  }
}
