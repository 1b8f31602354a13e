/**
 * Walks the paths of a plan, one after the other, in slices.
 * Invariant: a record that is told is alive and fulfils the filter at that moment; the walk can go on where it stopped.
 */
import type { RecordState } from '../record/record.ts'
import type { AccessPath, RecordView, RecordWalk } from '../view/record-view.ts'
import type { Predicate } from './condition.ts'
import type { Pace } from './pace.ts'

export interface PlanWalkOptions {
  readonly view: RecordView
  readonly collection: string
  readonly paths: readonly AccessPath[]
  readonly matches: Predicate
  readonly pace: Pace
  /** Records that are enough, if all match. */
  readonly enough: number
}

/** Few enough that one step stays far below a slice, many enough that stepping costs nothing. */
const STEP_RECORDS = 64
/** Along the store a step is a read of its own. */
const STORE_STEP_RECORDS = 256

export class PlanWalk {
  readonly #o: PlanWalkOptions
  #next = 0
  #walk: RecordWalk | undefined
  /** Of the last step; those from `#at` on have not been told. */
  #states: readonly RecordState[] = []
  #at = 0
  #examined = 0
  #stepRecords = STEP_RECORDS

  constructor(options: PlanWalkOptions) {
    this.#o = options
  }

  /** Records looked at so far. */
  get examined(): number {
    return this.#examined
  }

  /** Tells matches until `take` returns false, and then returns false; true at the end. */
  async run(take: (state: RecordState) => boolean): Promise<boolean> {
    const { matches, pace } = this.#o
    for (;;) {
      while (this.#at < this.#states.length) {
        const state = this.#states[this.#at] as RecordState
        this.#at += 1
        if (matches(state) && !take(state)) return false
      }
      const walk = this.#walk ?? this.#open()
      if (walk === undefined) return true
      // Before the step, because what it returns is told as it is now.
      if (pace.spent(this.#states.length)) await pace.breathe()
      const left = this.#o.enough - this.#examined
      const step = walk.next(left > 0 ? Math.min(this.#stepRecords, left) : this.#stepRecords)
      if (step instanceof Promise) {
        this.#states = await step
        pace.resume()
      } else {
        this.#states = step
      }
      this.#at = 0
      this.#examined += this.#states.length
      if (this.#states.length === 0) this.close()
    }
  }

  /** Idempotent. */
  close(): void {
    this.#walk?.close()
    this.#walk = undefined
  }

  #open(): RecordWalk | undefined {
    const path = this.#o.paths[this.#next]
    if (path === undefined) return undefined
    this.#next += 1
    this.#stepRecords = path.kind === 'store' ? STORE_STEP_RECORDS : STEP_RECORDS
    this.#walk = this.#o.view.walk(this.#o.collection, path)
    return this.#walk
  }
}
