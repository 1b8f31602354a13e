/** A child, as its supervision sees it. */
import type { ChildSpec } from '../behaviour.ts'
import type { CellInfo } from '../tap.ts'
import type { RestartHistory } from './restart-history.ts'

export interface Member {
  readonly id: number
  readonly path: string
  readonly spec: ChildSpec<never>
  readonly state: 'running' | 'closing' | 'restarting' | 'passive' | 'stopping' | 'stopped'
  /** Begins a life. False: it crashed in its start, and siblings that depend on it must wait. */
  begin(): boolean
  /** Ends the life in an orderly way and leaves the cell waiting; resolves when all is disposed. Also for one that is down already. */
  suspend(): Promise<void>
  /** Looks whether mail waits for a cell that sleeps. */
  rouse(): void
  stop(): Promise<void>
  kill(): Promise<void>
  info(): CellInfo
  readonly children: Iterable<Member>
  /** Its own restarts, where each child's are counted alone. */
  readonly history: RestartHistory
}

/** What follows when a child has ended by itself. A number: a restart after so many ms. `group`: the restart of a group that is under way already. */
export type Verdict = number | 'final' | 'exceeded' | 'group'
