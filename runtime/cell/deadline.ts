/**
 * Deadlines of one system: many waits of the same length share one timer. Adding and removing one is a link in a list, because most
 * waits end long before their time.
 */
import type { Env, Timer } from '../env.ts'

export abstract class Deadline {
  dueMs = 0
  lane: Lane | undefined
  earlier: Deadline | undefined
  later: Deadline | undefined

  /** Its time has come; it is not in the list any more. */
  abstract expire(): void
}

/** All waits of one length; the first to end stands first. */
interface Lane {
  readonly waitMs: number
  first: Deadline | undefined
  last: Deadline | undefined
  timer: Timer | undefined
}

export class Deadlines {
  readonly #env: Env
  readonly #lanes = new Map<number, Lane>()
  /** Lanes that ran empty; a timer that nobody waits for must not keep the process alive. */
  readonly #empty = new Set<Lane>()
  /** True while cells have their turns: then lanes that run empty are swept at the end, since most are filled again at once. */
  #busy = false

  constructor(env: Env) {
    this.#env = env
  }

  add(deadline: Deadline, waitMs: number): void {
    let lane = this.#lanes.get(waitMs)
    if (lane === undefined) {
      lane = { waitMs, first: undefined, last: undefined, timer: undefined }
      this.#lanes.set(waitMs, lane)
    }
    deadline.dueMs = this.#env.monotonic() + waitMs
    deadline.lane = lane
    deadline.earlier = lane.last
    if (lane.last === undefined) lane.first = deadline
    else lane.last.later = deadline
    lane.last = deadline
    lane.timer ??= this.#arm(lane, waitMs)
  }

  /** Harmless for one that is not waiting. */
  remove(deadline: Deadline): void {
    const { lane, earlier, later } = deadline
    if (lane === undefined) return
    if (earlier === undefined) lane.first = later
    else earlier.later = later
    if (later === undefined) lane.last = earlier
    else later.earlier = earlier
    deadline.lane = undefined
    deadline.earlier = undefined
    deadline.later = undefined
    if (lane.first !== undefined) return
    if (this.#busy) this.#empty.add(lane)
    else this.#drop(lane)
  }

  /** Around every slice of turns. */
  enterSlice(): void {
    this.#busy = true
  }

  leaveSlice(): void {
    this.#busy = false
    if (this.#empty.size === 0) return
    for (const lane of this.#empty) if (lane.first === undefined) this.#drop(lane)
    this.#empty.clear()
  }

  #arm(lane: Lane, waitMs: number): Timer {
    return this.#env.after(waitMs, () => {
      lane.timer = undefined
      this.#expire(lane)
    })
  }

  #expire(lane: Lane): void {
    // A simulated or jittery timer may be a hair early; what is due within it must not wait for another round.
    const nowMs = this.#env.monotonic()
    for (let first = lane.first; first !== undefined && first.dueMs <= nowMs; first = lane.first) {
      this.remove(first)
      first.expire()
    }
    if (lane.first !== undefined) lane.timer ??= this.#arm(lane, Math.max(lane.first.dueMs - nowMs, 0))
  }

  #drop(lane: Lane): void {
    lane.timer?.cancel()
    lane.timer = undefined
    if (this.#lanes.get(lane.waitMs) === lane) this.#lanes.delete(lane.waitMs)
  }
}
