/**
 * Makes a store whose rows are lost or wrong consistent again with what is left (REPLICATION rules 21 and 22): every envelope that stays
 * is the one that its commit signed. Invariant: it may be cut off anywhere and begun again; memory does not grow with the store.
 */
import { Breath, bytesKey, equalBytes, limits } from '../../../runtime/index.ts'
import type { CryptoProvider, Env } from '../../../runtime/index.ts'
import { verifyCommit } from '../commit.ts'
import type { CommitRecord } from '../commit.ts'
import type { Authority } from '../replica.ts'
import {
  arrivalKey,
  batchKey,
  commitKey,
  encodeBatch,
  encodeCommitRow,
  encodeTagRow,
  parseCommitRow,
  parseTagRow,
  rowsOf,
  soundnessKey,
} from '../row.ts'
import type { CommitRow, Held } from '../row.ts'
import { SetHash } from '../set-hash.ts'
import type { OrderedStore, StoreOperation, StoreRow } from '../store.ts'
import { removeRows, tryParse, walk } from './row-walk.ts'

export interface SalvageOptions {
  readonly store: OrderedStore
  readonly spaceId: Uint8Array
  readonly crypto: CryptoProvider
  readonly env: Env
  /** Who may have signed what, whether it is a member or not. */
  readonly authority: Authority
}

export interface Salvaged {
  /** Rows of tags and commits that could not be kept, and envelopes that were left out of kept ones. */
  readonly lost: number
  readonly tags: number
}

interface Numbers {
  readonly setHash: SetHash
  arrival: number
  liveEnvelopes: number
  liveBytes: number
  lost: number
}

/** Batch records and soundness are written anew; vector, cursors and incarnations are the caller's. */
export async function salvage(options: SalvageOptions): Promise<Salvaged> {
  const { store } = options
  for (const kind of ['a', 'b'] as const) await removeRows(store, rowsOf(kind))
  await store.batch([{ type: 'del', key: soundnessKey }])
  const numbers: Numbers = { setHash: new SetHash(), arrival: 0, liveEnvelopes: 0, liveBytes: 0, lost: 0 }
  await dropWrongCommits(options, numbers)
  await renumberTags(options, numbers)
  await recountCommits(options)
  const { arrival, liveEnvelopes, liveBytes, setHash, lost } = numbers
  const record = {
    firstArrival: 1,
    lastArrival: arrival,
    setHash: setHash.bytes(),
    liveEnvelopes,
    tags: arrival,
    liveBytes,
    bytes: 0,
    firstKept: 1,
  }
  await store.batch([{ type: 'put', key: batchKey(1), value: encodeBatch(record) }])
  return { lost, tags: arrival }
}

/** A commit that nobody can verify here goes: its device, or whoever brought it, still has it. */
async function dropWrongCommits(options: SalvageOptions, numbers: Numbers): Promise<void> {
  const { store, crypto, env, authority, spaceId } = options
  const breath = new Breath(env)
  await walk(store, rowsOf('c'), async (rows) => {
    const operations: StoreOperation[] = []
    for (const [key, value] of rows) {
      const record = tryParse(() => parseCommitRow(value, crypto))?.record
      const device = record && authority.device(record.replicaId)
      const right =
        record !== undefined &&
        equalBytes(key, commitKey(record.replicaId, record.firstSeq)) &&
        device !== undefined &&
        verifyCommit(record, spaceId, device)
      if (!right) operations.push({ type: 'del', key })
      const pause = breath.pause()
      if (pause !== undefined) await pause
    }
    numbers.lost += operations.length
    if (operations.length > 0) await store.batch(operations)
  })
}

/** Each tag gets the next arrival, and keeps the envelopes that its commits have signed. */
async function renumberTags(options: SalvageOptions, numbers: Numbers): Promise<void> {
  const { store, crypto, env } = options
  const breath = new Breath(env)
  const commits = new RecentCommits(options)
  await walk(store, rowsOf('t'), async (rows) => {
    const operations: StoreOperation[] = []
    for (const row of rows) {
      operations.push(...renumbered(row, numbers, commits, crypto))
      const pause = breath.pause()
      if (pause !== undefined) await pause
    }
    await store.batch(operations)
  })
}

function renumbered(
  [key, value]: StoreRow,
  numbers: Numbers,
  commits: RecentCommits,
  crypto: CryptoProvider,
): StoreOperation[] {
  const tag = key.subarray(1)
  const row = tryParse(() => parseTagRow(value, tag, crypto))
  const live = row?.live.filter((held) => commits.signed(held)) ?? []
  numbers.lost += row === undefined ? 1 : row.live.length - live.length
  if (live.length === 0) return [{ type: 'del', key }]
  numbers.arrival += 1
  numbers.liveEnvelopes += live.length
  for (const { envelope } of live) {
    numbers.setHash.add(envelope.hash)
    numbers.liveBytes += envelope.bytes.length
  }
  const arrival = numbers.arrival
  return [
    { type: 'put', key: arrivalKey(arrival), value: tag },
    { type: 'put', key, value: encodeTagRow({ arrival, live }) },
  ]
}

/** Rows of commits by name, the last few of them at hand. */
class RecentCommits {
  readonly #options: SalvageOptions
  readonly #rows = new Map<string, CommitRow | undefined>()

  constructor(options: SalvageOptions) {
    this.#options = options
  }

  /** Whether the commit of the envelope is here and signed these bytes. */
  signed({ envelope, commitFirstSeq }: Held): boolean {
    const { store, crypto } = this.#options
    const key = commitKey(envelope.replicaId, commitFirstSeq)
    const name = bytesKey(key)
    if (!this.#rows.has(name)) {
      if (this.#rows.size >= limits.commitRowsCachedMax) this.#rows.clear()
      const value = store.get(key)
      this.#rows.set(name, value && tryParse(() => parseCommitRow(value, crypto)))
    }
    const row = this.#rows.get(name)
    if (row === undefined) return false
    const { record, lists } = row
    if (envelope.seq < record.firstSeq || envelope.seq > record.lastSeq) return false
    const list = lists[record.blockOf(envelope.seq)]
    return (
      list !== undefined &&
      equalBytes(record.hashIn(list, envelope.seq), envelope.hash) &&
      equalBytes(record.bootId, envelope.bootId)
    )
  }
}

/** Counts live envelopes by block, so many commits at a time as memory allows, with one pass over the tags for each lot. */
async function recountCommits(options: SalvageOptions): Promise<void> {
  const { store } = options
  let after: Uint8Array | undefined
  for (;;) {
    const lot = await nextLot(options, after)
    if (lot.last === undefined) return
    after = lot.last
    await countLive(options, lot.live)
    await walk(store, { ...lot.range, lt: successorOf(lot.last) }, (rows) =>
      store.batch(recounted(rows, lot.live, options)),
    )
  }
}

interface Lot {
  /** Live envelopes by block, by key of the commit row. */
  readonly live: Map<string, Uint8Array>
  readonly range: { readonly gte: Uint8Array; readonly lt: Uint8Array }
  readonly last: Uint8Array | undefined
}

async function nextLot({ store, crypto }: SalvageOptions, after: Uint8Array | undefined): Promise<Lot> {
  const rows = rowsOf('c')
  const range = after === undefined ? rows : { ...rows, gte: successorOf(after) }
  const live = new Map<string, Uint8Array>()
  let last: Uint8Array | undefined
  await walk(store, range, async (page) => {
    for (const [key, value] of page) {
      const record: CommitRecord | undefined = tryParse(() => parseCommitRow(value, crypto))?.record
      if (record !== undefined) live.set(bytesKey(key), new Uint8Array(record.blocks.length))
      last = key
    }
    return live.size < limits.salvagedCommitsMax
  })
  return { live, range, last }
}

async function countLive({ store, crypto, env }: SalvageOptions, live: Lot['live']): Promise<void> {
  const breath = new Breath(env)
  await walk(store, rowsOf('t'), async (rows) => {
    for (const [key, value] of rows) {
      const row = tryParse(() => parseTagRow(value, key.subarray(1), crypto))
      for (const { envelope, commitFirstSeq } of row?.live ?? []) {
        const counts = live.get(bytesKey(commitKey(envelope.replicaId, commitFirstSeq)))
        const block = Math.floor((envelope.seq - commitFirstSeq) / limits.commitBlockEnvelopesMax)
        if (counts !== undefined) counts[block] = (counts[block] ?? 0) + 1
      }
      const pause = breath.pause()
      if (pause !== undefined) await pause
    }
  })
}

/** Commits without a live envelope go: the vector, which kept the newest ones, begins empty. */
function recounted(
  rows: readonly StoreRow[],
  live: Lot['live'],
  { crypto }: SalvageOptions,
): StoreOperation[] {
  return rows.map(([key, value]): StoreOperation => {
    const row = tryParse(() => parseCommitRow(value, crypto))
    const counts = live.get(bytesKey(key))
    if (row === undefined || counts === undefined || counts.every((count) => count === 0)) {
      return { type: 'del', key }
    }
    const lists = row.lists.map((list, block) => (counts[block] === 0 ? undefined : list))
    return { type: 'put', key, value: encodeCommitRow({ record: row.record, live: [...counts], lists }) }
  })
}

function successorOf(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1)
  next.set(key)
  return next
}
