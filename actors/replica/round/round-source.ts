/** What a round reads: one moment of a replica. Invariant: everything in it was synced, and belongs together. */
import type { CryptoProvider } from '../../../runtime/index.ts'
import { commitKey, parseCommitRow, parseStored, parseTagRow, rowsOf, tagKey } from '../row.ts'
import type { CommitRow, StoredVectorEntry, TagRow } from '../row.ts'
import type { StoreReader } from '../store.ts'
import { covers } from '../vector.ts'
import type { Vector } from '../vector.ts'

/** One moment of a replica. */
export interface RoundSource {
  readonly lastArrival: number
  /** Each has one arrival. */
  readonly tags: number
  readonly vector: ReadonlyMap<string, StoredVectorEntry>
  tag(tag: Uint8Array): TagRow | undefined
  commit(replicaId: Uint8Array, firstSeq: number): CommitRow | undefined
}

/** A source that was synced as a whole, and is read for longer than a turn. */
export interface SnapshotSource extends RoundSource {
  /**
   * True when `vector` covers every live dot, those included that the own vector does not cover yet. Each of them is signed by a commit
   * that is there, so the newest commit of each replica tells: one row for each instead of one for each tag.
   */
  isCoveredBy(vector: Vector): Promise<boolean>
}

/** A snapshot as a source. `lastArrival` and `vector` are those of its moment. */
export function snapshotSource(
  snapshot: StoreReader,
  moment: Pick<RoundSource, 'lastArrival' | 'tags' | 'vector'>,
  crypto: CryptoProvider,
): SnapshotSource {
  return {
    ...moment,
    async isCoveredBy(vector) {
      const { gte, lt } = rowsOf('c')
      for (let end = lt; ;) {
        const [row] = await snapshot.range({ gte, lt: end, limit: 1, reverse: true })
        if (row === undefined) return true
        const { replicaId, lastSeq } = parseStored('a commit row', () =>
          parseCommitRow(row[1], crypto),
        ).record
        if (!covers(vector, replicaId, lastSeq)) return false
        end = commitKey(replicaId, 0)
      }
    },
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
