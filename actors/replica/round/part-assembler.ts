/**
 * Collects the live sets of a part together with the commits that verify them (REPLICATION rule 10).
 * Invariant: a tag is in a part whole, with all its commits, or not at all. The first may exceed the size, and so may what shares a
 * commit with what is in the part: a transaction arrives in one part while its records stand together (rule 18).
 */
import { BlazeError, limits, toHex } from '../../../runtime/index.ts'
import { encodeCommitItem } from '../commit.ts'
import { itemBytes } from './part.ts'
import type { PartItem } from './part.ts'
import type { RoundSource } from './round-source.ts'
import type { CommitRow, Held, StoredVectorEntry } from '../row.ts'
import { commitName } from '../stage.ts'

interface WantedCommit {
  readonly row: CommitRow
  /** Hashes of the blocks that the part needs. */
  readonly lists: (Uint8Array | undefined)[]
}

/** Kind, length and bitmap of a commit item. */
const COMMIT_ITEM_BYTES = 9

export class PartAssembler {
  readonly #source: Pick<RoundSource, 'commit'>
  readonly #commits = new Map<string, WantedCommit>()
  readonly #envelopes: PartItem[] = []
  readonly #vector: PartItem[] = []
  #bytes = 0

  constructor(source: Pick<RoundSource, 'commit'>) {
    this.#source = source
  }

  /** False, and nothing added, when it does not fit any more. */
  add(live: readonly Held[], bytesMax: number): boolean {
    const items = live.map(({ envelope, commitFirstSeq }): PartItem => {
      return { kind: 'envelope', commitFirstSeq, bytes: envelope.bytes }
    })
    const wanted = live.map(({ envelope, commitFirstSeq }) => {
      return { replicaId: envelope.replicaId, firstSeq: commitFirstSeq, seq: envelope.seq }
    })
    const begun = wanted.some((want) => this.#commits.has(commitName(want)))
    if (!this.#fits(items, wanted, begun ? Math.max(bytesMax, limits.partBytesMax) : bytesMax)) return false
    this.#envelopes.push(...items)
    return true
  }

  /** Entries for the end of the round, with their commits. Like `add`. */
  addVector(entries: readonly StoredVectorEntry[], bytesMax: number): boolean {
    const items = entries.map((entry): PartItem => {
      return { kind: 'vector', entry, commitFirstSeq: entry.commitFirstSeq }
    })
    const wanted = entries.map(({ replicaId, commitFirstSeq }) => ({ replicaId, firstSeq: commitFirstSeq }))
    if (!this.#fits(items, wanted, bytesMax)) return false
    this.#vector.push(...items)
    return true
  }

  /** Commits first, so that a receiver can verify what follows. */
  items(): PartItem[] {
    const commits = [...this.#commits.values()].map(({ row, lists }): PartItem => {
      return { kind: 'commit', bytes: encodeCommitItem(row.record, lists) }
    })
    return [...commits, ...this.#envelopes, ...this.#vector]
  }

  /** Counts the items and what they want, and takes the wanted commits over when all of it fits. */
  #fits(items: readonly PartItem[], wanted: readonly Wanted[], bytesMax: number): boolean {
    let bytes = this.#bytes
    for (const item of items) bytes += itemBytes(item)
    const news: { commit: WantedCommit; name: string; block: number | undefined }[] = []
    for (const want of wanted) {
      const name = commitName(want)
      const known = this.#commits.get(name) ?? news.find((found) => found.name === name)?.commit
      const commit = known ?? this.#commitOf(want)
      if (known === undefined) bytes += COMMIT_ITEM_BYTES + commit.row.record.bytes.length
      const block = want.seq === undefined ? undefined : commit.row.record.blockOf(want.seq)
      if (block !== undefined && commit.row.lists[block] === undefined) throw missing(want)
      if (block !== undefined && commit.lists[block] === undefined)
        bytes += commit.row.record.listBytes(block)
      if (known === undefined || block !== undefined) news.push({ commit, name, block })
    }
    if (bytes > bytesMax && this.#bytes > 0) return false
    this.#bytes = bytes
    for (const { commit, name, block } of news) {
      this.#commits.set(name, commit)
      if (block !== undefined) commit.lists[block] = commit.row.lists[block]
    }
    return true
  }

  #commitOf(want: Wanted): WantedCommit {
    const row = this.#source.commit(want.replicaId, want.firstSeq)
    if (row === undefined) throw missing(want)
    return { row, lists: row.record.blocks.map(() => undefined) }
  }
}

function missing(want: Wanted): BlazeError {
  const problem = `commit ${want.firstSeq} of replica ${toHex(want.replicaId)} is missing`
  return new BlazeError('DAMAGED', `the store is damaged: ${problem}; restore from a peer or a backup`, {
    details: { problems: [problem], count: 1 },
  })
}

interface Wanted {
  readonly replicaId: Uint8Array
  readonly firstSeq: number
  /** Absent when only the record is wanted. */
  readonly seq?: number
}
