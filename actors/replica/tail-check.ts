/**
 * What every opening looks at (REPLICATION rule 26): batch records, vector, own heads, and the newest arrivals.
 * Invariant: its cost does not grow with the store. A batch that the log lost shows here; what lies in tables is the pass's to find.
 */
import { bytesKey, compareBytes, equalBytes, limits, toHex } from '../../runtime/index.ts'
import type { CryptoProvider } from '../../runtime/index.ts'
import { BatchWindow } from './batch-window.ts'
import { Findings } from './finding.ts'
import { NO_NUMBERS, type ReplicaNumbers } from './replica-state.ts'
import { commitKey, numberOfKey, parseBatch, parseCommitRow, parseVectorRow, rowsOf, tagKey } from './row.ts'
import type { BatchRecord, RowKind, StoredVectorEntry } from './row.ts'
import { SetHash } from './set-hash.ts'
import type { StoreReader, StoreRow } from './store.ts'

export interface CheckOptions {
  readonly store: StoreReader
  readonly crypto: CryptoProvider
  readonly ownReplicaId: Uint8Array | undefined
}

export interface CheckedStore {
  readonly numbers: ReplicaNumbers
  readonly vector: Map<string, StoredVectorEntry>
  readonly heads: Map<number, Uint8Array>
  readonly window: BatchWindow
}

/** Rows that are few, whatever the size of the store. */
export interface SmallRows extends CheckedStore {
  /** Undefined when there is none. */
  readonly newest: { readonly n: number; readonly record: BatchRecord } | undefined
}

/** Rejects with `DAMAGED`: `details.problems` names the first few, `details.count` counts all. */
export async function checkTail(options: CheckOptions): Promise<CheckedStore> {
  const findings = new Findings()
  const rows = await readSmallRows(options, findings)
  await checkArrivals(options.store, rows.numbers, findings)
  await checkOwnCommits(options, rows, findings)
  findings.check()
  return rows
}

/** Calls `look` for each row of a kind in order; `pause` after each page. A row that `look` refuses is a problem. */
export async function walkRows(
  store: StoreReader,
  walk: { readonly kind: RowKind; readonly what: string; readonly findings: Findings },
  look: (key: Uint8Array, value: Uint8Array) => void,
  pause?: { readonly rows: number; readonly after: (rows: readonly StoreRow[]) => Promise<void> },
): Promise<void> {
  const { gte, lt } = rowsOf(walk.kind)
  const limit = pause?.rows ?? limits.rangeRowsMax
  let from = gte
  for (;;) {
    const rows = await store.range({ gte: from, lt, limit })
    for (const [key, value] of rows) walk.findings.attempt(walk.what, key, () => look(key, value))
    const last = rows.at(-1)
    await pause?.after(rows)
    if (last === undefined || rows.length < limit) return
    // The least key after the last one.
    from = new Uint8Array(last[0].length + 1)
    from.set(last[0])
  }
}

/** Reads batch records, vector and own heads, and compares them with each other and with the newest commits. */
export async function readSmallRows(options: CheckOptions, findings: Findings): Promise<SmallRows> {
  const { store } = options
  const batches = new BatchChain(findings)
  await walkRows(store, { kind: 'b', what: 'a batch record', findings }, (key, value) =>
    batches.add(numberOfKey(key), parseBatch(value)),
  )
  const vector = new Map<string, StoredVectorEntry>()
  await walkRows(store, { kind: 'v', what: 'a vector row', findings }, (key, value) => {
    const entry = parseVectorRow(key, value)
    vector.set(bytesKey(entry.replicaId), entry)
  })
  const heads = new Map<number, Uint8Array>()
  await walkRows(store, { kind: 'h', what: 'a head row', findings }, (key, value) => {
    heads.set(numberOfKey(key), value)
  })
  for (const entry of vector.values()) checkNewestCommit(options, entry, findings)
  checkOwnHead(options, { vector, heads }, findings)
  return { ...batches.end(), vector, heads }
}

class BatchChain {
  readonly #findings: Findings
  #first: number | undefined
  #last: SmallRows['newest']
  readonly #bytes: number[] = []

  constructor(findings: Findings) {
    this.#findings = findings
  }

  add(n: number, record: BatchRecord): void {
    const before = this.#last
    this.#first ??= n
    if (before !== undefined && (n !== before.n + 1 || record.firstArrival !== before.record.lastArrival + 1))
      this.#findings.add(`batch records between ${before.n} and ${n} are missing`)
    this.#last = { n, record }
    this.#bytes.push(record.bytes)
  }

  end(): Pick<SmallRows, 'numbers' | 'window' | 'newest'> {
    const newest = this.#last
    if (newest === undefined || this.#first === undefined) {
      this.#findings.add('no batch record')
      const numbers = { ...NO_NUMBERS, setHash: new SetHash() }
      return { numbers, window: new BatchWindow(1), newest }
    }
    const { n, record } = newest
    if (record.firstKept !== this.#first)
      this.#findings.add(`batch records between ${record.firstKept} and ${this.#first} are missing`)
    const { lastArrival, liveEnvelopes, tags, liveBytes } = record
    const setHash = SetHash.of(record.setHash)
    const numbers = { lastArrival, batch: n, setHash, liveEnvelopes, tags, liveBytes }
    return { numbers, window: new BatchWindow(this.#first, this.#bytes), newest }
  }
}

function checkNewestCommit(
  { store, crypto }: CheckOptions,
  entry: StoredVectorEntry,
  findings: Findings,
): void {
  const key = commitKey(entry.replicaId, entry.commitFirstSeq)
  const value = store.get(key)
  const name = `the newest commit of replica ${toHex(entry.replicaId)}`
  if (value === undefined) {
    findings.add(`${name} is missing`)
    return
  }
  findings.attempt(name, key, () => {
    const { record } = parseCommitRow(value, crypto)
    if (record.lastSeq !== entry.seq || !equalBytes(record.hash, entry.commitHash))
      findings.add(`${name} is not the one that its vector row names`)
  })
}

function checkOwnHead(
  { ownReplicaId }: CheckOptions,
  { vector, heads }: Pick<SmallRows, 'vector' | 'heads'>,
  findings: Findings,
): void {
  const newest = [...heads].at(-1)
  const own = ownReplicaId && vector.get(bytesKey(ownReplicaId))
  if (own === undefined && (newest === undefined || ownReplicaId === undefined)) return
  if (
    own === undefined ||
    newest === undefined ||
    newest[0] !== own.seq ||
    !equalBytes(newest[1], own.commitHash)
  )
    findings.add('the newest own head is not the own vector entry')
}

/**
 * The newest arrivals lead to tags that know them; the very newest is always there, and nothing lies behind it. Where these are all, no
 * tag is without one.
 */
async function checkArrivals(
  store: StoreReader,
  { lastArrival, tags }: SmallRows['numbers'],
  findings: Findings,
): Promise<void> {
  const { gte, lt } = rowsOf('a')
  const rows = await store.range({ gte, lt, limit: limits.tailArrivalsMax, reverse: true })
  if (rows.length < Math.min(tags, limits.tailArrivalsMax))
    findings.add(`${rows.length} arrivals lead to ${tags} tags`)
  const newest = rows[0] === undefined ? 0 : numberOfKey(rows[0][0])
  if (newest > lastArrival) findings.add(`arrival ${newest} is newer than the newest batch record`)
  if (newest < lastArrival) findings.add(`arrival ${lastArrival} is missing`)
  for (const [key, tag] of rows) {
    const row = store.get(tagKey(tag))
    // Both begin with the number: an arrival key behind its kind, a tag row at once.
    if (row === undefined || compareBytes(row.subarray(0, key.length - 1), key.subarray(1)) !== 0)
      findings.add(`arrival ${numberOfKey(key)} does not lead to its tag`)
  }
}

/** No own commit lies behind the one that the own vector entry names. */
async function checkOwnCommits(
  { store, ownReplicaId }: CheckOptions,
  { vector }: Pick<SmallRows, 'vector'>,
  findings: Findings,
): Promise<void> {
  if (ownReplicaId === undefined) return
  const first = vector.get(bytesKey(ownReplicaId))?.commitFirstSeq ?? 0
  const later = await store.range({
    gte: commitKey(ownReplicaId, first + 1),
    lt: commitKey(ownReplicaId, 2 ** 48 - 1),
    limit: 1,
  })
  for (const [key] of later) findings.add(`the own commit ${toHex(key)} is newer than the own vector entry`)
}
