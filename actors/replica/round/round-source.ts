/** What a round reads: one moment of a replica. Invariant: everything in it was synced, and belongs together. */
import type { CryptoProvider } from '../../../runtime/index.ts'
import { commitKey, parseCommitRow, parseStored, parseTagRow, tagKey } from '../row.ts'
import type { CommitRow, StoredVectorEntry, TagRow } from '../row.ts'
import type { StoreReader } from '../store.ts'

/** One moment of a replica. */
export interface RoundSource {
  readonly lastArrival: number
  /** Each has one arrival. */
  readonly tags: number
  readonly vector: ReadonlyMap<string, StoredVectorEntry>
  tag(tag: Uint8Array): TagRow | undefined
  commit(replicaId: Uint8Array, firstSeq: number): CommitRow | undefined
}

/** A snapshot as a source. `lastArrival` and `vector` are those of its moment. */
export function snapshotSource(
  snapshot: StoreReader,
  moment: Pick<RoundSource, 'lastArrival' | 'tags' | 'vector'>,
  crypto: CryptoProvider,
): RoundSource {
  return {
    ...moment,
    tag(tag) {
      const bytes = snapshot.get(tagKey(tag))
      return bytes && parseStored('a tag row', () => parseTagRow(bytes, tag, crypto))
    },
    commit(replicaId, firstSeq) {
      const bytes = snapshot.get(commitKey(replicaId, firstSeq))
      return bytes && parseStored('a commit row', () => parseCommitRow(bytes, crypto))
    },
  }
}
