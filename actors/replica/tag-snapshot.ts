/**
 * The live sets of all tags as they were at one moment, however long reading them takes.
 * Invariant: a few tags are in memory at a time; a row that does not parse ends the reading with `DAMAGED`.
 */
import { limits } from '../../runtime/index.ts'
import type { CryptoProvider } from '../../runtime/index.ts'
import type { RowRange } from './rebase/row-walk.ts'
import type { Replica, ScannedTag } from './replica.ts'
import { parseStored, parseTagRow, rowsOf } from './row.ts'
import type { StoreReader, StoreRow, StoreSnapshot } from './store.ts'

export class TagSnapshot {
  /** How many there are. */
  readonly tags: number
  readonly #snapshot: StoreSnapshot
  readonly #crypto: CryptoProvider

  /** Only for `openTagSnapshot`. */
  constructor(snapshot: StoreSnapshot, tags: number, crypto: CryptoProvider) {
    this.#snapshot = snapshot
    this.tags = tags
    this.#crypto = crypto
  }

  /** Hands out all tags, in no order that means anything. */
  async read(page: (tags: readonly ScannedTag[]) => Promise<void>): Promise<void> {
    await walkLargeRows(this.#snapshot, rowsOf('t'), (rows) =>
      page(
        rows.map(([key, value]) => {
          const tag = key.subarray(1)
          const { live } = parseStored('a tag row', () => parseTagRow(value, tag, this.#crypto))
          return { tag, live: live.map(({ envelope }) => envelope) }
        }),
      ),
    )
  }

  async close(): Promise<void> {
    await this.#snapshot.close()
  }
}

/** Of everything that is staged by now, once it is synced. Must be closed. Rejects with `POISONED`, `CLOSED`. */
export async function openTagSnapshot(replica: Replica, crypto: CryptoProvider): Promise<TagSnapshot> {
  await replica.settled()
  return new TagSnapshot(replica.store.snapshot(), replica.tags, crypto)
}

/** All rows of a range, few at a time, because some may be large. */
export async function walkLargeRows(
  store: StoreReader,
  { gte, lt }: RowRange,
  page: (rows: readonly StoreRow[]) => Promise<void>,
): Promise<void> {
  for (let from = gte; ;) {
    const rows = await store.range({ gte: from, lt, limit: limits.backupPageRows })
    const last = rows.at(-1)
    if (last === undefined) return
    await page(rows)
    // The least key after the last one.
    from = new Uint8Array(last[0].length + 1)
    from.set(last[0])
  }
}
