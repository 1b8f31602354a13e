/** Passes over rows of a store that is not open as a replica. Invariant: one page of rows is in memory at a time. */
import { BlazeError, limits } from '../../../runtime/index.ts'
import type { OrderedStore, StoreOperation, StoreReader, StoreRow } from '../store.ts'

export interface RowRange {
  readonly gte: Uint8Array
  readonly lt: Uint8Array
}

/** `page` may change the rows that it was given, and says false to end the pass. */
export async function walk(
  store: StoreReader,
  { gte, lt }: RowRange,
  page: (rows: readonly StoreRow[]) => Promise<boolean | void>,
): Promise<void> {
  for (let from = gte; ;) {
    const rows = await store.range({ gte: from, lt, limit: limits.rangeRowsMax })
    const last = rows.at(-1)
    if (last === undefined) return
    if ((await page(rows)) === false || rows.length < limits.rangeRowsMax) return
    // The least key after the last one.
    from = new Uint8Array(last[0].length + 1)
    from.set(last[0])
  }
}

export async function removeRows(store: OrderedStore, range: RowRange): Promise<void> {
  await walk(store, range, (rows) => store.batch(rows.map(([key]): StoreOperation => ({ type: 'del', key }))))
}

/** Undefined for a row that does not parse. */
export function tryParse<T>(parse: () => T): T | undefined {
  try {
    return parse()
  } catch (error) {
    if (error instanceof BlazeError) return undefined
    throw error
  }
}
