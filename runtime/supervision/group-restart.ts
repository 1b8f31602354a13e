/**
 * One restart of several siblings: stopped right to left, then a wait, then started left to right. Over when all are up, or when
 * one crashes in its start; then its supervisor decides anew.
 */
import type { ChildSpec } from '../behaviour.ts'
import type { Env, Timer } from '../env.ts'
import type { Member } from './member.ts'

/** A child's place in the order of siblings. */
export interface Place {
  readonly spec: ChildSpec<never>
  /** Undefined: it ended by itself, and comes back when its group restarts. */
  member: Member | undefined
  /** The place is given up: its child was stopped from outside, or will never come back. */
  gone: boolean
}

export interface GroupHost {
  readonly env: Env
  /** A new child for a place whose last one ended by itself. */
  refill(place: Place): Member
  /** All were started, or one failed and the supervisor has been told; `rest` were not started. */
  groupEnded(rest: readonly Place[]): void
}

export class GroupRestart {
  readonly places: readonly Place[]
  starting = false
  readonly #host: GroupHost
  #cancelled = false
  #timer: Timer | undefined

  /** `places` in the order of their start. */
  constructor(host: GroupHost, places: readonly Place[]) {
    this.#host = host
    this.places = places
  }

  async run(waitMs: number): Promise<void> {
    for (const { member } of this.places.toReversed()) {
      if (member === undefined || member.state === 'passive' || member.state === 'restarting') continue
      await (member.spec.restart === 'temporary' ? member.stop() : member.suspend())
      if (this.#cancelled) return
    }
    this.#timer = this.#host.env.after(waitMs, () => this.start())
  }

  /** Left to right, until one crashes in its start. */
  start(): void {
    this.starting = true
    let next = 0
    for (let up = true; up && next < this.places.length && !this.#cancelled; next++) {
      const place = this.places[next]
      if (place === undefined || place.gone) continue
      const member = (place.member ??= this.#host.refill(place))
      up = member.state !== 'restarting' || member.begin()
    }
    this.starting = false
    if (!this.#cancelled) this.#host.groupEnded(this.places.slice(next))
  }

  cancel(): void {
    this.#cancelled = true
    this.#timer?.cancel()
  }
}
