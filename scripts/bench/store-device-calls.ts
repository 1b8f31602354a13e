/** What a child of group `store` is asked for; each figure comes from a fresh one. */
import type { OverwritePlan, OverwriteResult } from './store-overwrite-load.ts'
import type { RowKind } from './store-rows.ts'
import type { SystemName } from './store-system.ts'

/** One store with the rows 0 to `records` - 1. */
export interface StoredRows {
  readonly system: SystemName
  readonly at: string
  readonly kind: RowKind
  readonly records: number
  readonly seed: number
}

/** Stated so that both ends agree; all times in milliseconds. */
export interface StoreDeviceCalls {
  /** Makes the store. Progress is in rows. */
  fill(body: StoredRows, progress: (rows: number) => void): Promise<void>
  /** Gets rows by these numbers, one after the other. */
  get(body: StoredRows & { numbers: readonly number[] }): Promise<{ ms: number }>
  /** Reads `count` rows by the index from each of these numbers on; one time each. */
  range(body: StoredRows & { starts: readonly number[]; count: number }): Promise<number[]>
  /** The first scan of the process, and the one after it. */
  scan(body: StoredRows & { lat: number; matches: number }): Promise<{ ms: number; againMs: number }>
  /** From the call to open until the row is there. */
  open(body: StoredRows & { n: number }): Promise<{ ms: number }>
  /** Opens, gets these rows and keeps the store open, so that the caller can look at the memory of the process. */
  hold(body: StoredRows & { numbers: readonly number[] }): Promise<void>
  /** Writes to these rows, one after the other; the time of each until a live query of all rows tells, where there are any. */
  live(body: StoredRows & { numbers: readonly number[] }): Promise<number[]>
  /** Progress is in overwrites. */
  overwrite(body: OverwritePlan, progress: (overwrites: number) => void): Promise<OverwriteResult>
}
