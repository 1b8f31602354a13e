/**
 * Commit rows with their counts of live envelopes (REPLICATION rule 5): a block's hashes go with its last live envelope, the record
 * with its last block, but the newest commit of a replica id always stays.
 * Invariant: `committed` shows rows as they were synced; a batch edits copies until it has landed.
 */
import { BlazeError, bytesKey, limits } from '../../runtime/index.ts'
import type { CryptoProvider } from '../../runtime/index.ts'
import type { BlockLists, CommitRecord } from './commit.ts'
import { commitKey, encodeCommitRow, parseCommitRow, parseStored } from './row.ts'
import type { CommitRow } from './row.ts'
import type { StoreOperation, StoreReader } from './store.ts'

interface CommitEdit {
  readonly key: Uint8Array
  readonly base: CommitRow | undefined
  row: CommitRow | undefined
  /** False while the batch has only looked. */
  changed: boolean
}

export class CommitLedger {
  readonly #store: StoreReader
  readonly #crypto: CryptoProvider
  /** Synced rows, oldest first. */
  readonly #cache = new Map<string, CommitRow>()
  #edits = new Map<string, CommitEdit>()
  #inFlight: ReadonlyMap<string, CommitEdit> = new Map()

  constructor(store: StoreReader, crypto: CryptoProvider) {
    this.#store = store
    this.#crypto = crypto
  }

  /** The synced row. */
  committed(replicaId: Uint8Array, firstSeq: number): CommitRow | undefined {
    const text = textOf(replicaId, firstSeq)
    const edit = this.#inFlight.get(text)
    return edit === undefined ? this.#stored(replicaId, firstSeq, text) : edit.base
  }

  /** The row as it will be when all batches landed. */
  newest(replicaId: Uint8Array, firstSeq: number): CommitRow | undefined {
    const text = textOf(replicaId, firstSeq)
    const edit = this.#edits.get(text) ?? this.#inFlight.get(text)
    return edit === undefined ? this.#stored(replicaId, firstSeq, text) : edit.row
  }

  /** Adds a verified commit, or the lists that the stored one has dropped. */
  add(record: CommitRecord, lists: BlockLists): void {
    const edit = this.#edit(record.replicaId, record.firstSeq)
    edit.row ??= { record, live: record.blocks.map(() => 0), lists: record.blocks.map(() => undefined) }
    for (const [block, list] of lists.entries()) edit.row.lists[block] ??= list
    edit.changed = true
  }

  /** One envelope more (1) or less (-1) is live. */
  count(
    dot: { readonly replicaId: Uint8Array; readonly seq: number },
    firstSeq: number,
    change: 1 | -1,
  ): void {
    const edit = this.#edit(dot.replicaId, firstSeq)
    const { row } = edit
    // What is counted was stored with its commit, so only a disk can have lost one of the two.
    if (row === undefined) throw damaged('a live envelope is stored without its commit')
    const block = row.record.blockOf(dot.seq)
    const live = row.live[block]
    if (live === undefined || live + change < 0) throw damaged('a commit counts too few live envelopes')
    row.live[block] = live + change
    edit.changed = true
  }

  /** Makes the batch look at a commit that may no longer be the newest of its replica id. */
  touch(replicaId: Uint8Array, firstSeq: number): void {
    this.#edit(replicaId, firstSeq)
  }

  /** Rows of the batch. `isNewest` answers for the vector after the batch. */
  launch(isNewest: (record: CommitRecord) => boolean): StoreOperation[] {
    const operations: StoreOperation[] = []
    for (const edit of this.#edits.values()) {
      const { row } = edit
      if (row === undefined) continue
      let alive = false
      for (const [block, live] of row.live.entries()) {
        if (live > 0) alive = true
        else row.lists[block] = undefined
      }
      if (alive || isNewest(row.record)) {
        if (edit.changed) operations.push({ type: 'put', key: edit.key, value: encodeCommitRow(row) })
      } else {
        edit.row = undefined
        if (edit.base !== undefined) operations.push({ type: 'del', key: edit.key })
      }
    }
    this.#inFlight = this.#edits
    this.#edits = new Map()
    return operations
  }

  /** What is in flight was synced. */
  land(): void {
    for (const [text, { row }] of this.#inFlight) {
      this.#cache.delete(text)
      if (row !== undefined) this.#remember(text, row)
    }
    this.#inFlight = new Map()
  }

  #edit(replicaId: Uint8Array, firstSeq: number): CommitEdit {
    const text = textOf(replicaId, firstSeq)
    let edit = this.#edits.get(text)
    if (edit === undefined) {
      const flying = this.#inFlight.get(text)
      const base = flying === undefined ? this.#stored(replicaId, firstSeq, text) : flying.row
      const row = base && { record: base.record, live: [...base.live], lists: [...base.lists] }
      edit = { key: commitKey(replicaId, firstSeq), base, row, changed: false }
      this.#edits.set(text, edit)
    }
    return edit
  }

  #stored(replicaId: Uint8Array, firstSeq: number, text: string): CommitRow | undefined {
    const cached = this.#cache.get(text)
    if (cached !== undefined) return cached
    const bytes = this.#store.get(commitKey(replicaId, firstSeq))
    if (bytes === undefined) return undefined
    const row = parseStored('a commit row', () => parseCommitRow(bytes, this.#crypto))
    this.#remember(text, row)
    return row
  }

  #remember(text: string, row: CommitRow): void {
    this.#cache.set(text, row)
    if (this.#cache.size <= limits.commitRowsCachedMax) return
    for (const oldest of this.#cache.keys()) {
      this.#cache.delete(oldest)
      return
    }
  }
}

function damaged(problem: string): BlazeError {
  return new BlazeError('DAMAGED', `the store is damaged: ${problem}; restore from a peer or a backup`, {
    details: { problems: [problem], count: 1 },
  })
}

/** Replica ids have a fixed length, so no two commits share a text. */
function textOf(replicaId: Uint8Array, firstSeq: number): string {
  return `${bytesKey(replicaId)}${firstSeq}`
}
