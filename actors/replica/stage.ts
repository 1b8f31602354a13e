/** What the next batch will hold besides live sets. Invariant: it is emptied by building a batch and by nothing else. */
import { bytesKey } from '../../runtime/index.ts'
import type { BlockLists, CommitRecord } from './commit.ts'
import type { Held, StoredVectorEntry } from './row.ts'
import type { StoreOperation } from './store.ts'

export interface VerifiedCommit {
  readonly record: CommitRecord
  readonly lists: BlockLists
}

export class Stage {
  /** Own writes in order of seq, without a commit yet. */
  readonly own: Held[] = []
  /** Verified commits of peers, by `commitName`. */
  readonly commits: Map<string, VerifiedCommit> = new Map()
  /** Entries of finished rounds, by `bytesKey(replicaId)`. */
  readonly vector: Map<string, StoredVectorEntry> = new Map()
  /** Cursors by their row key, and rows of others. */
  readonly cursors: Map<string, StoreOperation> = new Map()
  readonly extra: StoreOperation[] = []
  /** Bytes of envelopes and extra rows. */
  bytes = 0

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
