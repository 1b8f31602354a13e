/**
 * What group `store` measures: benches, how much of it, and what the issue of the database promises.
 *
 * Invariant: a size is a parameter of its figure, so that figures of different sizes are never taken for one another.
 */
import type { Target } from './headline-table.ts'
import type { GroupOptions } from './report.ts'
import type { RowKind } from './store-rows.ts'
import type { SystemName } from './store-system.ts'

const raw: SystemName = 'raw classic-level'

/** In the order in which they run: `live` changes the rows that others compare. */
export const storeBenches = [
  'insert-batch',
  'insert-single',
  'insert-64',
  'get',
  'range-100',
  'scan',
  'open',
  'open-memory',
  'live',
  'kdf',
  'overwrite-size',
] as const
export type StoreBench = (typeof storeBenches)[number]

/** `overwrite-pause` comes from the load of `overwrite-size`. */
export const storeTargets: readonly Target[] = [
  { bench: 'insert-batch', wanted: 'least', value: 0.2, of: raw },
  { bench: 'insert-single', wanted: 'least', value: 0.8, of: raw },
  { bench: 'insert-64', wanted: 'least', value: 2, of: raw },
  { bench: 'get', wanted: 'least', value: 0.3, of: raw },
  { bench: 'range-100', wanted: 'most', value: 1 },
  { bench: 'scan', wanted: 'least', value: 100_000 },
  { bench: 'live', wanted: 'most', value: 1 },
  { bench: 'open', wanted: 'most', value: 500 },
  { bench: 'open-memory', wanted: 'most', value: 150 },
  { bench: 'overwrite-size', wanted: 'most', value: 3 },
  { bench: 'overwrite-pause', wanted: 'most', value: 100 },
]

/** Each stands for `--records`, as far as there is work for so many. */
export interface StoreSizes {
  /** Of `insert-batch`, `scan` and `live`. */
  readonly records: number
  /** Of `get`, `range-100`, `open` and `open-memory`. */
  readonly manyRecords: number
  readonly singles: number
  readonly inFlight: number
  readonly gets: number
  readonly ranges: number
  readonly liveWrites: number
  readonly memoryGets: number
  readonly overwrites: number
  /** More than are in flight at once, each to another record; fewer would make the ratio that of an empty store. */
  readonly overwritten: number
}

export function storeSizes({ quick, records }: GroupOptions): StoreSizes {
  const size = (full: number, small: number): number => records ?? (quick ? small : full)
  const most = (limit: number, small: number): number => Math.min(limit, size(limit, small))
  return {
    records: size(100_000, 1_000),
    manyRecords: size(1_000_000, 1_000),
    singles: most(2_000, 100),
    inFlight: most(20_000, 200),
    gets: most(100_000, 500),
    ranges: most(1_000, 50),
    liveWrites: most(500, 20),
    memoryGets: 1_000,
    overwrites: size(1_000_000, 2_000),
    overwritten: quick && records === undefined ? 200 : 10_000,
  }
}

/** A group in progress. */
export interface StoreRun extends GroupOptions {
  readonly sizes: StoreSizes
  readonly systems: readonly SystemName[]
  /** Of the benches that begin with stored rows; inserts are measured with all. */
  readonly readKinds: readonly RowKind[]
}
