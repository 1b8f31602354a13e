/** What all cells of a system share. */
import type { DeadLetterRing } from './dead-letter.ts'
import type { Deadlines } from './deadline.ts'
import type { Env, Log } from '../env.ts'
import type { GroupTable } from '../group.ts'
import type { QuarantineRing } from './quarantine.ts'
import type { NameTable } from '../registry.ts'
import type { Scheduler } from './scheduler.ts'
import type { Tap } from '../tap.ts'

/** The turn that runs now; turns never nest. */
export interface Turn {
  cell: object | undefined
  /** The cell whose handler or start is innermost on the stack: a start runs within the handler that spawns. */
  running: object | undefined
  /** What is being handled, as it came; undefined for system mail without a message. */
  mail: unknown
  /** The handler has put it aside. */
  aside: boolean
}

export interface Kernel {
  readonly env: Env
  /** That of `env`, but never throwing: a log that fails must not crash what it reports. */
  readonly log: Log
  /** Wall clock, ms, of the beginning; cells count from it, in numbers small enough to cost no memory of their own. */
  readonly startedAt: number
  readonly scheduler: Scheduler
  readonly deadlines: Deadlines
  readonly tap: Tap
  readonly deadLetters: DeadLetterRing
  readonly quarantine: QuarantineRing
  readonly registry: NameTable
  readonly groups: GroupTable
  readonly turn: Turn
  nextId(): number
}
