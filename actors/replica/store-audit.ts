/**
 * The pass over a whole store (REPLICATION rule 26): rows parse, belong together, and add up to the set hash.
 * Invariant: a store that passes lost no row in the middle; memory does not grow with its size. Only reads.
 */
import { bytesKey, equalBytes, limits, toHex } from '../../runtime/index.ts'
import { Checksum } from './checksum.ts'
import { verifyCommit } from './commit.ts'
import type { CommitRecord } from './commit.ts'
import type { Envelope } from './envelope.ts'
import { Findings } from './finding.ts'
import type { Authority } from './replica.ts'
import { commitKey, numberOfKey, parseCommitRow, parseTagRow } from './row.ts'
import type { CommitRow } from './row.ts'
import { SetHash } from './set-hash.ts'
import type { StoreRow } from './store.ts'
import { readSmallRows, walkRows } from './tail-check.ts'
import type { CheckedStore, CheckOptions, SmallRows } from './tail-check.ts'

export interface AuditOptions extends CheckOptions {
  /** Sees every tag; a `BlazeError` of it is a problem of the tag. */
  readonly visit?: ((tag: Uint8Array, live: readonly Envelope[], arrival: number) => void) | undefined
  /** Verifies the signatures of all commits, too. */
  readonly signed?: { readonly spaceId: Uint8Array; readonly authority: Authority } | undefined
  /** Called after each page of so many rows; the pass goes on when it resolves, and ends with it when it rejects. */
  readonly pause?: { readonly rows: number; readonly after: (counts: AuditCounts) => Promise<void> }
}

/** What a pass has seen so far. */
export interface AuditCounts {
  readonly rows: number
  readonly bytes: number
  readonly commits: number
  readonly tags: number
  readonly envelopes: number
}

export interface AuditResult {
  readonly checked: CheckedStore
  readonly counts: AuditCounts
  readonly findings: Findings
}

/** Reads everything. `store` stands still meanwhile, or is a snapshot. */
export async function auditStore(options: AuditOptions): Promise<AuditResult> {
  const findings = new Findings()
  const small = await readSmallRows(options, findings)
  const audit = new Audit(options, small, findings)
  await audit.run()
  return { checked: small, counts: audit.counts(), findings }
}

class Audit {
  readonly #options: AuditOptions
  readonly #small: SmallRows
  readonly #findings: Findings
  readonly #setHash = new SetHash()
  #rows = 0
  #bytes = 0
  #commits = 0
  #tags = 0
  #envelopes = 0
  #liveBytes = 0
  /** Rows that name each other, summed from both ends. */
  readonly #arrivals = new Checksum()
  readonly #liveCounts = new Checksum()

  constructor(options: AuditOptions, small: SmallRows, findings: Findings) {
    this.#options = options
    this.#small = small
    this.#findings = findings
  }

  async run(): Promise<void> {
    const { crypto } = this.#options
    await this.#walk('c', 'a commit row', (key, value) => this.#commit(key, parseCommitRow(value, crypto)))
    await this.#walk('a', 'an arrival row', (key, tag) => this.#arrival(numberOfKey(key), tag))
    await this.#walk('t', 'a tag row', (key, value) => this.#tag(key.subarray(1), value))
    this.#compare()
  }

  counts(): AuditCounts {
    return {
      rows: this.#rows,
      bytes: this.#bytes,
      commits: this.#commits,
      tags: this.#tags,
      envelopes: this.#envelopes,
    }
  }

  #walk(
    kind: 'c' | 'a' | 't',
    what: string,
    look: (key: Uint8Array, value: Uint8Array) => void,
  ): Promise<void> {
    const { store, pause } = this.#options
    const after = async (rows: readonly StoreRow[]): Promise<void> => {
      this.#rows += rows.length
      for (const [key, value] of rows) this.#bytes += key.length + value.length
      await pause?.after(this.counts())
    }
    const pages = { rows: pause?.rows ?? limits.rangeRowsMax, after }
    return walkRows(store, { kind, what, findings: this.#findings }, look, pages)
  }

  #arrival(arrival: number, tag: Uint8Array): void {
    this.#arrivals.add(1, tag, arrival)
    if (arrival > this.#small.numbers.lastArrival)
      this.#findings.add(`arrival ${arrival} is newer than the newest batch record`)
  }

  #commit(key: Uint8Array, row: CommitRow): void {
    const { record } = row
    this.#commits += 1
    if (!equalBytes(key, commitKey(record.replicaId, record.firstSeq)))
      this.#findings.add(`the commit row ${toHex(key)} holds another commit`)
    this.#signature(record)
    const entry = this.#small.vector.get(bytesKey(record.replicaId))
    if (this.#isOwn(record.replicaId) && (entry === undefined || record.lastSeq > entry.seq))
      this.#findings.add(`own commit ${record.firstSeq} is newer than the own vector entry`)
    for (const [block, live] of row.live.entries()) {
      if (live > 0) this.#liveCounts.add(live, key, block)
    }
  }

  #signature(record: CommitRecord): void {
    const { signed } = this.#options
    if (signed === undefined) return
    const device = signed.authority.device(record.replicaId)
    const name = `commit ${record.firstSeq} of replica ${toHex(record.replicaId)}`
    if (device === undefined) this.#findings.add(`${name} is of no announced device`)
    else if (!verifyCommit(record, signed.spaceId, device)) this.#findings.add(`${name} does not verify`)
  }

  #tag(tag: Uint8Array, value: Uint8Array): void {
    const { arrival, live } = parseTagRow(value, tag, this.#options.crypto)
    this.#tags += 1
    this.#arrivals.add(-1, tag, arrival)
    for (const { envelope, commitFirstSeq } of live) {
      this.#envelopes += 1
      this.#liveBytes += envelope.bytes.length
      this.#setHash.add(envelope.hash)
      const block = Math.floor((envelope.seq - commitFirstSeq) / limits.commitBlockEnvelopesMax)
      this.#liveCounts.add(-1, commitKey(envelope.replicaId, commitFirstSeq), block)
    }
    const { visit } = this.#options
    if (visit === undefined) return
    const envelopes = live.map(({ envelope }) => envelope)
    visit(tag, envelopes, arrival)
  }

  /** What only the sums of a whole pass can say. */
  #compare(): void {
    const { newest } = this.#small
    if (newest !== undefined) {
      const { n, record } = newest
      if (!equalBytes(record.setHash, this.#setHash.bytes()))
        this.#findings.add(
          `the live set does not add up to the set hash of batch ${n}: rows are lost or changed`,
        )
      if (record.liveEnvelopes !== this.#envelopes || record.tags !== this.#tags)
        this.#findings.add(
          `batch ${n} counts ${record.liveEnvelopes} envelopes on ${record.tags} tags, there are ${this.#envelopes} on ${this.#tags}`,
        )
    }
    if (newest !== undefined && newest.record.liveBytes !== this.#liveBytes)
      this.#findings.add(
        `batch ${newest.n} counts ${newest.record.liveBytes} bytes of envelopes, there are ${this.#liveBytes}`,
      )
    if (!this.#arrivals.isZero()) this.#findings.add('the arrival index does not match the tags')
    if (!this.#liveCounts.isZero())
      this.#findings.add('the live counts of the commits do not match the live envelopes')
  }

  #isOwn(replicaId: Uint8Array): boolean {
    const own = this.#options.ownReplicaId
    return own !== undefined && equalBytes(own, replicaId)
  }
}
