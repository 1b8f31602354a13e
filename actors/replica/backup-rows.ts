/**
 * What of a store goes into a backup: its log, announcements, commits and live envelopes, as they were at one moment.
 * Invariant: rows that do not parse, or do not add up to the set hash of that moment, end the reading with `DAMAGED`: a backup is made of a
 * sound store or not at all. One page of rows is in memory at a time.
 */
import { BlazeError, equalBytes } from '../../runtime/index.ts'
import type { CryptoProvider } from '../../runtime/index.ts'
import { removeRows, walk } from './rebase/row-walk.ts'
import type { RowRange } from './rebase/row-walk.ts'
import type { Replica } from './replica.ts'
import {
  encodeFormat,
  formatKey,
  parseBatch,
  parseCommitRow,
  parseStored,
  parseTagRow,
  parseVectorRow,
  rowsOf,
  vectorKey,
} from './row.ts'
import type { BatchRecord } from './row.ts'
import { SetHash } from './set-hash.ts'
import type { OrderedStore, StoreRow, StoreSnapshot } from './store.ts'
import { walkLargeRows } from './tag-snapshot.ts'

/** Everything that a store may hold. */
const ALL_ROWS: RowRange = { gte: new Uint8Array(0), lt: Uint8Array.of(0xff) }
const LOG_AND_ANNOUNCEMENTS: readonly RowRange[] = [
  { gte: Uint8Array.of(0x6d), lt: Uint8Array.of(0x6e) },
  { gte: Uint8Array.of(0x72), lt: Uint8Array.of(0x73) },
]

export interface BackupRowsOptions {
  readonly replica: Replica
  readonly crypto: CryptoProvider
  readonly ownReplicaId: Uint8Array
  /** Rows of others in this store that go along. */
  readonly others: readonly RowRange[]
}

export class BackupRows {
  readonly #o: BackupRowsOptions
  readonly #snapshot: StoreSnapshot
  readonly #batch: BatchRecord
  /** The last own write that is in it; 0 without any. */
  readonly lastOwnSeq: number

  /** Only for `openBackupRows`. */
  constructor(options: BackupRowsOptions, snapshot: StoreSnapshot, batch: BatchRecord) {
    this.#o = options
    this.#snapshot = snapshot
    this.#batch = batch
    const key = vectorKey(options.ownReplicaId)
    const row = snapshot.get(key)
    this.lastOwnSeq =
      row === undefined ? 0 : parseStored('the own vector row', () => parseVectorRow(key, row)).seq
  }

  get tags(): number {
    return this.#batch.tags
  }

  get envelopes(): number {
    return this.#batch.liveEnvelopes
  }

  /** Hands out all rows, a page at a time. */
  async read(page: (rows: readonly StoreRow[]) => Promise<void>): Promise<void> {
    const { crypto, others } = this.#o
    for (const range of [...LOG_AND_ANNOUNCEMENTS, ...others]) await walk(this.#snapshot, range, page)
    await walkLargeRows(this.#snapshot, rowsOf('c'), async (rows) => {
      for (const [, value] of rows) parseStored('a commit row', () => parseCommitRow(value, crypto))
      await page(rows)
    })
    const setHash = new SetHash()
    await walkLargeRows(this.#snapshot, rowsOf('t'), async (rows) => {
      for (const [key, value] of rows) {
        const row = parseStored('a tag row', () => parseTagRow(value, key.subarray(1), crypto))
        for (const { envelope } of row.live) setHash.add(envelope.hash)
      }
      await page(rows)
    })
    if (!equalBytes(setHash.bytes(), this.#batch.setHash)) {
      throw damaged('the live set does not add up to its set hash: rows are lost or changed')
    }
  }

  async close(): Promise<void> {
    await this.#snapshot.close()
  }
}

/** Of everything that is staged by now, once it is synced. Rejects with `DAMAGED`, `POISONED`, `CLOSED`. */
export async function openBackupRows(options: BackupRowsOptions): Promise<BackupRows> {
  const { replica } = options
  await replica.settled()
  const snapshot = replica.store.snapshot()
  try {
    const [newest] = await snapshot.range({ ...rowsOf('b'), limit: 1, reverse: true })
    if (newest === undefined) throw damaged('there is no batch record')
    const batch = parseStored('the newest batch record', () => parseBatch(newest[1]))
    return new BackupRows(options, snapshot, batch)
  } catch (error) {
    await snapshot.close()
    throw error
  }
}

/** Empties a store for the rows of a backup. From its format row on, nobody takes it for a new one. */
export async function beginRestoredStore(store: OrderedStore, spaceId: Uint8Array): Promise<void> {
  await removeRows(store, ALL_ROWS)
  await store.batch([{ type: 'put', key: formatKey, value: encodeFormat(spaceId) }])
}

function damaged(problem: string): BlazeError {
  return new BlazeError('DAMAGED', `the store is damaged: ${problem}; no backup was made`, {
    details: { problems: [problem], count: 1 },
  })
}
