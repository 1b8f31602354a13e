/** Gives ready cells their turns, round robin. Never nested: a send only enqueues, so no chain of sends can overflow the stack. */
import type { Deadlines } from './deadline.ts'
import type { Env } from '../env.ts'
import { limits } from '../limits.ts'
import { Ring } from './ring.ts'

/** A cell, as the scheduler sees it. */
export interface Runnable {
  /** Handles up to `messagesMax` messages and returns how many; asks to be enqueued again through `hasWork`. */
  turn(messagesMax: number): number
  readonly hasWork: boolean
  /** Owned by the scheduler: true while the cell stands in the queue. */
  queued: boolean
}

export class Scheduler {
  readonly #env: Env
  readonly #deadlines: Deadlines
  readonly #ready = new Ring<Runnable>()
  readonly #slice: () => void
  #armed = false

  constructor(env: Env, deadlines: Deadlines) {
    this.#env = env
    this.#deadlines = deadlines
    this.#slice = () => this.#runSlice()
  }

  enqueue(cell: Runnable): void {
    if (cell.queued) return
    cell.queued = true
    this.#ready.push(cell)
    if (this.#armed) return
    this.#armed = true
    this.#env.defer(this.#slice)
  }

  #runSlice(): void {
    this.#deadlines.enterSlice()
    try {
      this.#giveTurns()
    } finally {
      this.#deadlines.leaveSlice()
      // Still armed while cells wait: timers and sockets run between two slices.
      if (this.#ready.length > 0) this.#env.defer(this.#slice)
      else this.#armed = false
    }
  }

  #giveTurns(): void {
    const env = this.#env
    const deadline = env.monotonic() + limits.sliceMs
    let handled = 0
    let nextCheck: number = limits.clockCheckMessages
    for (let cell = this.#ready.shift(); cell !== undefined; cell = this.#ready.shift()) {
      // At least one, so that a ring of cells without work cannot hold the thread.
      try {
        handled += cell.turn(limits.turnMessagesMax) + 1
      } finally {
        // Also after a fault of the kernel itself: one cell must not take the turns of all others with it.
        cell.queued = false
        if (cell.hasWork) this.enqueue(cell)
      }
      if (handled < nextCheck) continue
      if (handled >= limits.sliceMessagesMax || env.monotonic() >= deadline) break
      nextCheck = handled + limits.clockCheckMessages
    }
  }
}
