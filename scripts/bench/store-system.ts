/**
 * A store as group `store` sees it, so that each is asked for the same work in the same loop.
 *
 * Invariant: what resolved is durable, synced by the device as far as the system says so; what is not found is an error.
 */
import type { RowKind, StoreRow } from './store-rows.ts'

export const systemNames = ['blazedb', 'raw classic-level', 'better-sqlite3'] as const
export type SystemName = (typeof systemNames)[number]

/** `Item` is a row as the system takes it, made outside the clock. */
export interface StoreSystem<Item> {
  /** `n` is the number of the row in the run, which gives its id or key. */
  itemOf(row: StoreRow, n: number): Item
  insert(item: Item): Promise<void>
  /** Synced as a whole before it resolves. */
  insertMany(items: readonly Item[]): Promise<void>
  /** Resolves when the index has caught up with what was written. */
  settle(): Promise<void>
  count(): Promise<number>
  /** One row as it was written, to be compared outside the clock. */
  read(n: number): Promise<unknown>
  /** Gets them one after the other and looks at each field. Returns how many bytes, or characters, it looked at. */
  getAll(numbers: readonly number[]): Promise<number>
  /** Up to `count` rows in the order of their field `n`, from that value on, each field looked at; returns their values of `n`. */
  range(n: number, count: number): Promise<readonly number[]>
  /** How many rows are at this latitude or above, which no index tells; all fields of those are looked at. Raw: all rows. */
  scan(lat: number): Promise<number>
  close(): Promise<void>
}

export interface StorePlace {
  readonly at: string
  readonly kind: RowKind
  /** A new store, with an index on `n` where the system has them. */
  readonly make: boolean
}

/** Sum over the fields, so that none is left out. */
export function lookAt(row: object): number {
  let looked = 0
  for (const value of Object.values(row)) looked += typeof value === 'string' ? value.length : 1
  return looked
}
