/** The shapes that the Stately inspector is sent: those of `@statelyai/inspect`, with less in them. Plain JSON. */
import type { StateValue } from './state-value.ts'

/** Release of `@statelyai/inspect` that these shapes are of. */
export const STATELY_VERSION = '0.7.2'

export interface StatelyBase {
  readonly rootId: string
  readonly sessionId: string
  /** Wall clock, ms since the epoch, as decimal text. */
  readonly createdAt: string
  /** Counts the events of one exporter. */
  readonly id: string
  readonly _version: string
}

/** Fields that are always undefined stand here because the package's types want them; JSON leaves them out. */
interface StatelySnapshotBase {
  readonly value: StateValue
  /** Always empty: it is data. */
  readonly context: object
  readonly output: undefined
}

/** `error`: crashed, and not started again yet; with the code or name of the error, without its text. */
export type StatelySnapshot =
  | (StatelySnapshotBase & { readonly status: 'active' | 'stopped'; readonly error: undefined })
  | (StatelySnapshotBase & { readonly status: 'error'; readonly error: string })

export interface StatelyActorEvent extends StatelyBase {
  readonly type: '@xstate.actor'
  /** Path of the cell; of the root, the name of the system. */
  readonly name: string
  readonly parentId: string | undefined
  /** JSON of the machine's definition; of other cells `{ id: kind }`. */
  readonly definition: string
  readonly snapshot: StatelySnapshot
}

export interface StatelyEventEvent extends StatelyBase {
  readonly type: '@xstate.event'
  readonly event: { readonly type: string }
  /** Unknown: a message does not name its sender. */
  readonly sourceId: undefined
}

export interface StatelySnapshotEvent extends StatelyBase {
  readonly type: '@xstate.snapshot'
  /** What led to this snapshot. */
  readonly event: { readonly type: string }
  readonly snapshot: StatelySnapshot
}

export type StatelyEvent = StatelyActorEvent | StatelyEventEvent | StatelySnapshotEvent
