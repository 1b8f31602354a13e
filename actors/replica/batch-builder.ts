/**
 * Turns what is staged into one atomic batch of rows (PROTOCOL §6.1) and the state after it.
 * Invariant: every batch writes one batch record with the set hash after it; nothing here reads a peer's bytes unverified.
 */
import { bytesKey, limits } from '../../runtime/index.ts'
import type { CryptoProvider, Signer } from '../../runtime/index.ts'
import type { CommitLedger } from './commit-ledger.ts'
import { signCommit } from './commit.ts'
import type { CommitRecord } from './commit.ts'
import type { ReplicaNumbers, ReplicaState } from './replica-state.ts'
import {
  arrivalKey,
  batchKey,
  confirmedKey,
  encodeBatch,
  encodeConfirmed,
  encodeTagRow,
  encodeVectorRow,
  headKey,
  tagKey,
  vectorKey,
} from './row.ts'
import type { Held, StoredVectorEntry } from './row.ts'
import { SetHash } from './set-hash.ts'
import type { OwnRun, Stage } from './stage.ts'
import type { StoreOperation } from './store.ts'
import type { TagEdit } from './tag-table.ts'

/** The writing side of this opening. */
export interface OwnWriter {
  readonly replicaId: Uint8Array
  readonly signer: Signer
  readonly bootId: Uint8Array
  readonly firstSeqOfBoot: number
}

export interface BuildContext {
  readonly spaceId: Uint8Array
  readonly crypto: CryptoProvider
  readonly own: OwnWriter | undefined
  readonly state: ReplicaState
  readonly ledger: CommitLedger
}

export interface BatchPlan {
  readonly operations: StoreOperation[]
  readonly numbers: ReplicaNumbers
  /** Of the batch, and how many of the oldest batch records it takes away. */
  readonly bytes: number
  readonly dropped: number
  readonly vector: readonly StoredVectorEntry[]
  /** Commits of others that have live envelopes, or are the newest of their replica id. */
  readonly kept: readonly CommitRecord[]
  /** Own heads whose rows the batch removes. */
  readonly headsRemoved: readonly number[]
  /** What the row of the confirmed own head says from then on. */
  readonly confirmed: number | undefined
}

const NO_COMMIT = new Uint8Array(32)

/** The plan takes effect on `state` only when its batch has landed; the ledger and `edits` are marked as in flight. */
export function buildBatch(
  stage: Stage,
  edits: ReadonlyMap<string, TagEdit>,
  context: BuildContext,
): BatchPlan {
  const { state, ledger } = context
  const operations: StoreOperation[] = [...stage.cursors.values(), ...stage.extra]

  const vector = new Map(stage.vector)
  for (const { record, lists } of stage.commits.values()) ledger.add(record, lists)
  const head = cutOwnCommits(stage, context)
  const headsRemoved = head === undefined ? [] : state.heads.surplus()
  if (head !== undefined) {
    vector.set(bytesKey(head.replicaId), entryOf(head))
    for (const seq of headsRemoved) operations.push({ type: 'del', key: headKey(seq) })
    operations.push({ type: 'put', key: headKey(head.lastSeq), value: head.hash })
  }

  const confirmed = state.heads.unstored()
  if (confirmed !== undefined)
    operations.push({ type: 'put', key: confirmedKey, value: encodeConfirmed(confirmed) })

  const numbers = editTags(edits, context, operations)

  const moved: StoredVectorEntry[] = []
  for (const [key, entry] of vector) {
    const before = state.vector.get(key)
    if (before !== undefined && before.seq >= entry.seq) continue
    moved.push(entry)
    operations.push({ type: 'put', key: vectorKey(entry.replicaId), value: encodeVectorRow(entry) })
    if (before !== undefined) ledger.touch(before.replicaId, before.commitFirstSeq)
  }
  const newest = new Map(moved.map((entry) => [bytesKey(entry.replicaId), entry]))
  operations.push(
    ...ledger.launch((record) => {
      const key = bytesKey(record.replicaId)
      return (newest.get(key) ?? state.vector.get(key))?.commitFirstSeq === record.firstSeq
    }),
  )
  const kept = [...stage.commits.values()]
    .map(({ record }) => record)
    .filter(({ replicaId, firstSeq }) => ledger.newest(replicaId, firstSeq) !== undefined)
  const { rows, bytes, dropped } = batchRecord(operations, numbers, state)
  operations.push(...rows)
  return { operations, numbers, bytes, dropped, vector: moved, kept, headsRemoved, confirmed }
}

/** Cuts own writes into signed commits and returns the last. */
function cutOwnCommits(
  { own: writes, transactions }: Stage,
  context: BuildContext,
): CommitRecord | undefined {
  const { own, state, ledger } = context
  if (own === undefined || writes.length === 0) return undefined
  let previous = state.vector.get(bytesKey(own.replicaId))?.commitHash ?? NO_COMMIT
  let last: CommitRecord | undefined
  for (const { from, count } of commitRuns(writes.length, transactions)) {
    const cut = writes.slice(from, from + count)
    const firstSeq = (cut[0] as Held).envelope.seq
    const { record, lists } = signCommit(
      {
        replicaId: own.replicaId,
        bootId: own.bootId,
        firstSeqOfBoot: own.firstSeqOfBoot,
        firstSeq,
        previous,
      },
      cut.map(({ envelope }) => envelope.hash),
      { ...context, signer: own.signer },
    )
    for (const held of cut) held.commitFirstSeq = firstSeq
    ledger.add(record, lists)
    previous = record.hash
    last = record
  }
  return last
}

/** Which writes go into which commit: a transaction is one, what stands between them is cut into blocks. */
function commitRuns(writes: number, transactions: readonly OwnRun[]): OwnRun[] {
  const runs: OwnRun[] = []
  let at = 0
  for (const next of [...transactions, { from: writes, count: 0 }]) {
    while (at < next.from) {
      const count = Math.min(limits.commitBlockEnvelopesMax, next.from - at)
      runs.push({ from: at, count })
      at += count
    }
    if (next.count > 0) runs.push(next)
    at += next.count
  }
  return runs
}

function entryOf(record: CommitRecord): StoredVectorEntry {
  const { replicaId, lastSeq, hash, firstSeq } = record
  return { replicaId, seq: lastSeq, commitHash: hash, commitFirstSeq: firstSeq }
}

/** Gives each changed tag its arrival, moves live counts and the set hash, and appends the rows. */
function editTags(
  edits: ReadonlyMap<string, TagEdit>,
  { state, ledger }: BuildContext,
  operations: StoreOperation[],
): ReplicaNumbers {
  let { lastArrival, liveEnvelopes, tags, liveBytes } = state.numbers
  const setHash = SetHash.of(state.numbers.setHash.bytes())
  for (const edit of edits.values()) {
    const { base, live, tag } = edit
    for (const held of base.live) {
      if (live.includes(held)) continue
      ledger.count(held.envelope, held.commitFirstSeq, -1)
      setHash.subtract(held.envelope.hash)
      liveBytes -= held.envelope.bytes.length
    }
    for (const held of live) {
      if (base.live.includes(held)) continue
      ledger.count(held.envelope, held.commitFirstSeq, 1)
      setHash.add(held.envelope.hash)
      liveBytes += held.envelope.bytes.length
    }
    lastArrival += 1
    edit.arrival = lastArrival
    liveEnvelopes += live.length - base.live.length
    if (base.arrival === 0) tags += 1
    else operations.push({ type: 'del', key: arrivalKey(base.arrival) })
    operations.push(
      { type: 'put', key: arrivalKey(lastArrival), value: tag },
      { type: 'put', key: tagKey(tag), value: encodeTagRow({ arrival: lastArrival, live }) },
    )
  }
  return { lastArrival, batch: state.numbers.batch + 1, setHash, liveEnvelopes, tags, liveBytes }
}

/** Bytes of a record and of what it takes away. */
const RECORD_BYTES = 96
/** Bytes that the store adds to an operation. */
const OPERATION_BYTES = 8

/** The record of a batch that consists of `operations`, and what its record takes away. */
function batchRecord(
  operations: readonly StoreOperation[],
  numbers: ReplicaNumbers,
  state: Pick<ReplicaState, 'numbers' | 'window'>,
): { rows: StoreOperation[]; bytes: number; dropped: number } {
  let bytes = RECORD_BYTES
  for (const operation of operations) {
    bytes += OPERATION_BYTES + operation.key.length
    if (operation.type === 'put') bytes += operation.value.length
  }
  const { lastArrival, batch, setHash, liveEnvelopes, tags, liveBytes } = numbers
  const { firstKept } = state.window
  const dropped = state.window.surplus(bytes)
  const value = encodeBatch({
    firstArrival: state.numbers.lastArrival + 1,
    lastArrival,
    setHash: setHash.bytes(),
    liveEnvelopes,
    tags,
    liveBytes,
    bytes,
    firstKept: firstKept + dropped,
  })
  const rows: StoreOperation[] = [{ type: 'put', key: batchKey(batch), value }]
  for (let n = firstKept; n < firstKept + dropped; n += 1) rows.push({ type: 'del', key: batchKey(n) })
  return { rows, bytes, dropped }
}

/** A batch that changes no tag, and has landed once it was synced: what opening a store writes. */
export function emptyBatch(
  operations: readonly StoreOperation[],
  state: Pick<ReplicaState, 'numbers' | 'window'>,
): { operations: StoreOperation[]; land: () => ReplicaNumbers } {
  const numbers = { ...state.numbers, batch: state.numbers.batch + 1 }
  const { rows, bytes, dropped } = batchRecord(operations, numbers, state)
  const land = (): ReplicaNumbers => {
    state.window.landed(bytes, dropped)
    return numbers
  }
  return { operations: [...operations, ...rows], land }
}

/** The batch was synced. */
export function landBatch(plan: BatchPlan, edits: ReadonlyMap<string, TagEdit>, context: BuildContext): void {
  const { state, own } = context
  state.numbers = plan.numbers
  state.window.landed(plan.bytes, plan.dropped)
  for (const entry of plan.vector) state.vector.set(bytesKey(entry.replicaId), entry)
  if (plan.vector.length > 0) state.vectorMoves += 1
  state.ahead.landed(plan.kept, state.vector)
  for (const edit of edits.values()) state.recent.add(edit)
  const head = plan.vector.find(
    ({ replicaId }) => own !== undefined && bytesKey(replicaId) === bytesKey(own.replicaId),
  )
  if (head !== undefined) state.heads.landed(head, plan.headsRemoved)
  if (plan.confirmed !== undefined) state.heads.stored(plan.confirmed)
}
