/**
 * The replica ids of which writes are here that the vector does not cover: the round that brings them has not ended, so one of their
 * transactions may be here in part (REPLICATION rules 12 and 18). A round may be cut and go on days later, with another peer, after
 * any number of openings; what is here tells the same.
 * Invariant: an id is listed while a commit of it above the vector is kept. When others have overwritten all that was in it, the id may
 * stay until the vector covers it, or until the next opening.
 */
import { bytesKey, equalBytes, readU48 } from '../../runtime/index.ts'
import type { CommitRecord } from './commit.ts'
import { commitKey, rowsOf } from './row.ts'
import type { StoreReader } from './store.ts'
import type { Vector } from './vector.ts'

type FirstOfCommit = Pick<CommitRecord, 'replicaId' | 'firstSeq'>

export class Ahead {
  readonly #own: Uint8Array | undefined
  /** The newest commit of each, by `bytesKey(replicaId)`. */
  readonly #newest = new Map<string, FirstOfCommit>()

  /** `own` is never listed: nobody else brings it. */
  constructor(own: Uint8Array | undefined) {
    this.#own = own
  }

  get ids(): readonly Uint8Array[] {
    return this.#newest.size === 0 ? [] : [...this.#newest.values()].map(({ replicaId }) => replicaId)
  }

  /** The commits were kept, and the vector is that after them. */
  landed(kept: Iterable<FirstOfCommit>, vector: Vector): void {
    for (const commit of kept) {
      if (this.#own !== undefined && equalBytes(commit.replicaId, this.#own)) continue
      const key = bytesKey(commit.replicaId)
      if (commit.firstSeq > (this.#newest.get(key)?.firstSeq ?? 0)) this.#newest.set(key, commit)
    }
    for (const [key, { firstSeq }] of this.#newest)
      if ((vector.get(key)?.seq ?? 0) >= firstSeq) this.#newest.delete(key)
  }
}

/** Of a store that is opened: one row for each replica id. */
export async function findAhead(
  store: Pick<StoreReader, 'range'>,
  vector: Vector,
  own: Uint8Array | undefined,
): Promise<Ahead> {
  const ahead = new Ahead(own)
  const { gte, lt } = rowsOf('c')
  for (let end = lt; ;) {
    const [row] = await store.range({ gte, lt: end, limit: 1, reverse: true })
    if (row === undefined) return ahead
    const replicaId = row[0].slice(1, 9)
    ahead.landed([{ replicaId, firstSeq: readU48(row[0], 9) }], vector)
    end = commitKey(replicaId, 0)
  }
}
