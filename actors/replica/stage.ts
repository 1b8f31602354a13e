/** What the next batch will hold besides live sets. Invariant: it is emptied by building a batch and by nothing else. */
import { BlazeError, bytesKey, limits } from '../../runtime/index.ts'
import type { BlockLists, CommitRecord } from './commit.ts'
import type { Held, StoredVectorEntry } from './row.ts'
import type { StoreOperation } from './store.ts'

export interface VerifiedCommit {
  readonly record: CommitRecord
  readonly lists: BlockLists
}

/** Some own writes that follow each other. */
export interface OwnRun {
  /** Where in `Stage.own` the first one stands. */
  readonly from: number
  readonly count: number
}

export class Stage {
  /** Own writes in order of seq, without a commit yet. */
  readonly own: Held[] = []
  /** Runs of `own` that belong into one commit each, in order. */
  readonly transactions: OwnRun[] = []
  /** Verified commits of peers, by `commitName`. */
  readonly commits: Map<string, VerifiedCommit> = new Map()
  /** Entries of finished rounds, by `bytesKey(replicaId)`. */
  readonly vector: Map<string, StoredVectorEntry> = new Map()
  /** Cursors by their row key, and rows of others. */
  readonly cursors: Map<string, StoreOperation> = new Map()
  readonly extra: StoreOperation[] = []
  /** The end of the round that a misfit waited for. */
  endsRebase = false
  /** Bytes of envelopes and extra rows. */
  bytes = 0

  /** Adds own writes; `atomic` ones go into one commit: `TOO_LARGE` above its size, and then nothing is added. */
  addOwn(writes: readonly Held[], atomic: boolean): void {
    let bytes = 0
    for (const { envelope } of writes) bytes += envelope.bytes.length
    if (atomic) {
      checkCommitBytes(bytes)
      this.transactions.push({ from: this.own.length, count: writes.length })
    }
    for (const held of writes) this.own.push(held)
    this.bytes += bytes
  }

  addCommit(commit: VerifiedCommit): void {
    const name = commitName(commit.record)
    const known = this.commits.get(name)
    // Two parts may carry different blocks of one commit.
    const lists =
      known === undefined ? commit.lists : commit.lists.map((list, block) => list ?? known.lists[block])
    this.commits.set(name, { record: commit.record, lists })
  }

  /** Keeps the higher one. */
  raise(entry: StoredVectorEntry): void {
    const key = bytesKey(entry.replicaId)
    const known = this.vector.get(key)
    if (known === undefined || known.seq < entry.seq) this.vector.set(key, entry)
  }
}

/** Text that names a commit, for keys of a Map. */
export function commitName(commit: { readonly replicaId: Uint8Array; readonly firstSeq: number }): string {
  return `${bytesKey(commit.replicaId)}${commit.firstSeq}`
}

function checkCommitBytes(bytes: number): void {
  if (bytes <= limits.commitBytesMax) return
  throw new BlazeError(
    'TOO_LARGE',
    `the transaction has ${bytes} sealed bytes, at most ${limits.commitBytesMax} fit into one commit; write less in one transaction`,
    { details: { bytes, bytesMax: limits.commitBytesMax } },
  )
}

/** `TOO_LARGE` for more envelopes than one commit holds. */
export function checkCommitCount(count: number): void {
  if (count <= limits.commitEnvelopesMax) return
  throw new BlazeError(
    'TOO_LARGE',
    `the transaction writes ${count} records, at most ${limits.commitEnvelopesMax} fit into one commit; write less in one transaction`,
    { details: { records: count, recordsMax: limits.commitEnvelopesMax } },
  )
}
