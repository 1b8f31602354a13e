/**
 * The pass over a whole store at its opening (REPLICATION rule 26): rows parse, belong together, and add up to the set hash.
 * Invariant: a store that passes lost no row in the middle; memory does not grow with its size. Only reads.
 */
import { BlazeError, bytesKey, equalBytes, limits, toHex } from '../../runtime/index.ts'
import type { CryptoProvider } from '../../runtime/index.ts'
import { Checksum } from './checksum.ts'
import type { ReplicaNumbers } from './replica-state.ts'
import type { ReplicaOptions } from './replica.ts'
import {
  commitKey,
  numberOfKey,
  parseBatch,
  parseCommitRow,
  parseTagRow,
  parseVectorRow,
  rowsOf,
} from './row.ts'
import type { BatchRecord, CommitRow, RowKind, StoredVectorEntry } from './row.ts'
import { SetHash } from './set-hash.ts'
import type { OrderedStore, StoreRow } from './store.ts'

export interface AuditOptions {
  readonly store: OrderedStore
  readonly crypto: CryptoProvider
  readonly ownReplicaId: Uint8Array | undefined
  readonly visit: ReplicaOptions['visit']
}

export interface AuditedStore {
  readonly numbers: ReplicaNumbers
  readonly vector: Map<string, StoredVectorEntry>
  readonly heads: Map<number, Uint8Array>
}

/** Rejects with `DAMAGED`: `details.problems` names the first few, `details.count` counts all. */
export async function auditStore(options: AuditOptions): Promise<AuditedStore> {
  const audit = new Audit(options)
  await audit.run()
  return audit.result()
}

class Audit {
  readonly #options: AuditOptions
  readonly #problems: string[] = []
  #count = 0
  readonly #vector = new Map<string, StoredVectorEntry>()
  readonly #heads = new Map<number, Uint8Array>()
  readonly #setHash = new SetHash()
  #liveEnvelopes = 0
  #tags = 0
  #lastBatch: { readonly n: number; readonly record: BatchRecord } | undefined
  /** Rows that name each other, summed from both ends. */
  readonly #arrivals = new Checksum()
  readonly #liveCounts = new Checksum()

  constructor(options: AuditOptions) {
    this.#options = options
  }

  async run(): Promise<void> {
    await this.#rows('b', 'a batch record', (key, value) => this.#batch(numberOfKey(key), parseBatch(value)))
    await this.#rows('v', 'a vector row', (key, value) => {
      const entry = parseVectorRow(key, value)
      this.#vector.set(bytesKey(entry.replicaId), entry)
    })
    await this.#rows('h', 'a head row', (key, value) => {
      this.#heads.set(numberOfKey(key), value)
    })
    await this.#rows('c', 'a commit row', (key, value) => {
      this.#commit(key, parseCommitRow(value, this.#options.crypto))
    })
    await this.#rows('a', 'an arrival row', (key, tag) => this.#arrival(numberOfKey(key), tag))
    await this.#rows('t', 'a tag row', (key, value) => this.#tag(key.subarray(1), value))
    this.#compare()
  }

  result(): AuditedStore {
    if (this.#count > 0) {
      throw new BlazeError(
        'DAMAGED',
        `the store is damaged, ${this.#count} problems, first: ${this.#problems[0]}; restore from a peer or a backup`,
        { details: { problems: this.#problems, count: this.#count } },
      )
    }
    const numbers = {
      lastArrival: this.#lastBatch?.record.lastArrival ?? 0,
      batch: this.#lastBatch?.n ?? 0,
      setHash: this.#setHash,
      liveEnvelopes: this.#liveEnvelopes,
      tags: this.#tags,
    }
    return { numbers, vector: this.#vector, heads: this.#heads }
  }

  async #rows(
    kind: RowKind,
    what: string,
    look: (key: Uint8Array, value: Uint8Array) => void,
  ): Promise<void> {
    const { gte, lt } = rowsOf(kind)
    let from = gte
    for (;;) {
      const rows = await this.#options.store.range({ gte: from, lt, limit: limits.rangeRowsMax })
      for (const [key, value] of rows) this.#try(what, key, () => look(key, value))
      const last: StoreRow | undefined = rows.at(-1)
      if (last === undefined || rows.length < limits.rangeRowsMax) return
      // The least key after the last one.
      from = new Uint8Array(last[0].length + 1)
      from.set(last[0])
    }
  }

  #try(what: string, key: Uint8Array, look: () => void): void {
    try {
      look()
    } catch (error) {
      if (!(error instanceof BlazeError)) throw error
      this.#problem(`${what} (${toHex(key)}): ${error.message}`)
    }
  }

  #problem(problem: string): void {
    this.#count += 1
    if (this.#problems.length < limits.damagesNamedMax) this.#problems.push(problem)
  }

  #batch(n: number, record: BatchRecord): void {
    const before = this.#lastBatch
    if (
      before !== undefined &&
      (n !== before.n + 1 || record.firstArrival !== before.record.lastArrival + 1)
    ) {
      this.#problem(`batch records between ${before.n} and ${n} are missing`)
    }
    this.#lastBatch = { n, record }
  }

  #arrival(arrival: number, tag: Uint8Array): void {
    this.#arrivals.add(1, tag, arrival)
    if (arrival > (this.#lastBatch?.record.lastArrival ?? 0)) {
      this.#problem(`arrival ${arrival} is newer than the newest batch record`)
    }
  }

  #commit(key: Uint8Array, row: CommitRow): void {
    const { record } = row
    if (!equalBytes(key, commitKey(record.replicaId, record.firstSeq))) {
      this.#problem(`the commit row ${toHex(key)} holds another commit`)
    }
    const entry = this.#vector.get(bytesKey(record.replicaId))
    if (entry === undefined || record.lastSeq > entry.seq) {
      if (this.#isOwn(record.replicaId))
        this.#problem(`own commit ${record.firstSeq} is newer than the own vector entry`)
    }
    for (const [block, live] of row.live.entries()) {
      if (live > 0) this.#liveCounts.add(live, key, block)
    }
  }

  #tag(tag: Uint8Array, value: Uint8Array): void {
    const { arrival, live } = parseTagRow(value, tag, this.#options.crypto)
    this.#tags += 1
    this.#arrivals.add(-1, tag, arrival)
    for (const { envelope, commitFirstSeq } of live) {
      this.#liveEnvelopes += 1
      this.#setHash.add(envelope.hash)
      const block = Math.floor((envelope.seq - commitFirstSeq) / limits.commitBlockEnvelopesMax)
      this.#liveCounts.add(-1, commitKey(envelope.replicaId, commitFirstSeq), block)
    }
    this.#options.visit?.(
      tag,
      live.map(({ envelope }) => envelope),
      arrival,
    )
  }

  /** What only the sums of a whole pass can say. */
  #compare(): void {
    const batch = this.#lastBatch
    if (batch === undefined) this.#problem('no batch record')
    else if (!equalBytes(batch.record.setHash, this.#setHash.bytes())) {
      this.#problem(
        `the live set does not add up to the set hash of batch ${batch.n}: rows are lost or changed`,
      )
    }
    if (!this.#arrivals.isZero()) this.#problem('the arrival index does not match the tags')
    if (!this.#liveCounts.isZero())
      this.#problem('the live counts of the commits do not match the live envelopes')
    for (const entry of this.#vector.values()) this.#newestCommit(entry)
    this.#ownHead()
  }

  #newestCommit(entry: StoredVectorEntry): void {
    const { store, crypto } = this.#options
    const key = commitKey(entry.replicaId, entry.commitFirstSeq)
    const value = store.get(key)
    const name = `the newest commit of replica ${toHex(entry.replicaId)}`
    if (value === undefined) this.#problem(`${name} is missing`)
    else {
      this.#try(name, key, () => {
        const { record } = parseCommitRow(value, crypto)
        if (record.lastSeq !== entry.seq || !equalBytes(record.hash, entry.commitHash)) {
          this.#problem(`${name} is not the one that its vector row names`)
        }
      })
    }
  }

  #ownHead(): void {
    const newest = [...this.#heads].at(-1)
    const own = this.#options.ownReplicaId && this.#vector.get(bytesKey(this.#options.ownReplicaId))
    if (own === undefined && (newest === undefined || this.#options.ownReplicaId === undefined)) return
    if (
      own === undefined ||
      newest === undefined ||
      newest[0] !== own.seq ||
      !equalBytes(newest[1], own.commitHash)
    ) {
      this.#problem('the newest own head is not the own vector entry')
    }
  }

  #isOwn(replicaId: Uint8Array): boolean {
    const own = this.#options.ownReplicaId
    return own !== undefined && equalBytes(own, replicaId)
  }
}
