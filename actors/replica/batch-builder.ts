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
  encodeBatch,
  encodeTagRow,
  encodeVectorRow,
  headKey,
  tagKey,
  vectorKey,
} from './row.ts'
import type { Held, StoredVectorEntry } from './row.ts'
import { SetHash } from './set-hash.ts'
import type { Stage } from './stage.ts'
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
  readonly vector: readonly StoredVectorEntry[]
  /** Own heads whose rows the batch removes. */
  readonly headsRemoved: readonly number[]
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
  const head = cutOwnCommits(stage.own, context)
  const headsRemoved = head === undefined ? [] : state.heads.surplus()
  if (head !== undefined) {
    vector.set(bytesKey(head.replicaId), entryOf(head))
    for (const seq of headsRemoved) operations.push({ type: 'del', key: headKey(seq) })
    operations.push({ type: 'put', key: headKey(head.lastSeq), value: head.hash })
  }

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
    ...batchRows(numbers, state.numbers.lastArrival + 1),
  )
  return { operations, numbers, vector: moved, headsRemoved }
}

/** Cuts own writes into signed commits and returns the last. */
function cutOwnCommits(writes: readonly Held[], context: BuildContext): CommitRecord | undefined {
  const { own, state, ledger } = context
  if (own === undefined || writes.length === 0) return undefined
  let previous = state.vector.get(bytesKey(own.replicaId))?.commitHash ?? NO_COMMIT
  let last: CommitRecord | undefined
  for (let at = 0; at < writes.length; at += limits.commitBlockEnvelopesMax) {
    const cut = writes.slice(at, at + limits.commitBlockEnvelopesMax)
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
  let { lastArrival, liveEnvelopes, tags } = state.numbers
  const setHash = SetHash.of(state.numbers.setHash.bytes())
  for (const edit of edits.values()) {
    const { base, live, tag } = edit
    for (const held of base.live) {
      if (live.includes(held)) continue
      ledger.count(held.envelope, held.commitFirstSeq, -1)
      setHash.subtract(held.envelope.hash)
    }
    for (const held of live) {
      if (base.live.includes(held)) continue
      ledger.count(held.envelope, held.commitFirstSeq, 1)
      setHash.add(held.envelope.hash)
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
  return { lastArrival, batch: state.numbers.batch + 1, setHash, liveEnvelopes, tags }
}

function batchRows(numbers: ReplicaNumbers, firstArrival: number): StoreOperation[] {
  const { lastArrival, batch, setHash } = numbers
  const record = encodeBatch({ firstArrival, lastArrival, setHash: setHash.bytes() })
  const rows: StoreOperation[] = [{ type: 'put', key: batchKey(batch), value: record }]
  if (batch > limits.batchRecordsMax)
    rows.push({ type: 'del', key: batchKey(batch - limits.batchRecordsMax) })
  return rows
}

/** Rows of a batch that changes no tag: what opening a store writes. */
export function emptyBatchRows(numbers: ReplicaNumbers): StoreOperation[] {
  return batchRows(numbers, numbers.lastArrival + 1)
}

/** The batch was synced. */
export function landBatch(plan: BatchPlan, edits: ReadonlyMap<string, TagEdit>, context: BuildContext): void {
  const { state, own } = context
  state.numbers = plan.numbers
  for (const entry of plan.vector) state.vector.set(bytesKey(entry.replicaId), entry)
  for (const edit of edits.values()) state.recent.add(edit)
  const head = plan.vector.find(
    ({ replicaId }) => own !== undefined && bytesKey(replicaId) === bytesKey(own.replicaId),
  )
  if (head !== undefined) state.heads.landed(head, plan.headsRemoved)
}
