/**
 * Makes a store lose one record without a trace in what it says about itself, as a fault that no opening can see.
 *
 * Invariant: sums, counts and the list of the commit say that the record was never live; the vector says that it was taken.
 */
import { openLevelDirectory } from '../../actors/replica/disk/level-directory.ts'
import type { OrderedStore } from '../../actors/replica/store.ts'
import {
  arrivalKey,
  commitKey,
  encodeBatch,
  encodeCommitRow,
  encodeSoundness,
  parseBatch,
  parseCommitRow,
  parseTagRow,
  rowsOf,
  soundnessKey,
} from '../../actors/replica/row.ts'
import type { Held, CommitRow } from '../../actors/replica/row.ts'
import { SetHash } from '../../actors/replica/set-hash.ts'
import { bytesKey, nodeCrypto } from '../../runtime/index.ts'

const hashBytes = 16

/** Bytes of the row that is gone. Of a store that nobody has open. */
export async function loseRecord(at: string): Promise<number> {
  return withStore(at, async (store) => {
    const { lt } = rowsOf('t')
    // Tags are even: the first one of the upper half.
    const [found] = await store.range({ gte: Uint8Array.of(0x74, 0x80), lt, limit: 1 })
    const [batchRow] = await store.range({ ...rowsOf('b'), limit: 1, reverse: true })
    if (found === undefined || batchRow === undefined) throw new Error(`${at} has no record to lose`)
    const { arrival, live } = parseTagRow(found[1], found[0].subarray(1), nodeCrypto)
    const [held] = live
    if (held === undefined || live.length > 1) throw new Error('expected a record without siblings')
    const { envelope } = held
    const commit = commitKey(envelope.replicaId, held.commitFirstSeq)
    const batch = parseBatch(batchRow[1])
    const sum = SetHash.of(batch.setHash)
    sum.subtract(envelope.hash)
    const after = {
      ...batch,
      setHash: sum.bytes(),
      liveEnvelopes: batch.liveEnvelopes - 1,
      tags: batch.tags - 1,
      liveBytes: batch.liveBytes - envelope.bytes.length,
    }
    await store.batch([
      { type: 'del', key: found[0] },
      { type: 'del', key: arrivalKey(arrival) },
      { type: 'put', key: commit, value: encodeCommitRow(without(store, commit, held)) },
      { type: 'put', key: batchRow[0], value: encodeBatch(after) },
      // Else an opening would look at everything while the repair is measured.
      {
        type: 'put',
        key: soundnessKey,
        value: encodeSoundness({ isOpen: false, isDamaged: false, verifiedAtMs: Date.now() }),
      },
    ])
    return found[1].length
  })
}

/** Live envelopes that the store of a supervisor or device has. */
export function liveOf(at: string): Promise<number> {
  return withStore(at, async (store) => {
    const [row] = await store.range({ ...rowsOf('b'), limit: 1, reverse: true })
    return row === undefined ? 0 : parseBatch(row[1]).liveEnvelopes
  })
}

function without(store: OrderedStore, key: Uint8Array, { envelope }: Held): CommitRow {
  const bytes = store.get(key)
  if (bytes === undefined) throw new Error('the commit of the record is not there')
  const row = parseCommitRow(bytes, nodeCrypto)
  const wanted = bytesKey(envelope.hash)
  const block = row.lists.findIndex((list) => list !== undefined && hashesOf(list).includes(wanted))
  const count = row.live[block]
  if (count === undefined) throw new Error('the commit does not list the record')
  row.live[block] = count - 1
  if (count === 1) row.lists[block] = undefined
  return row
}

function hashesOf(list: Uint8Array): string[] {
  return Array.from({ length: list.length / hashBytes }, (_, n) =>
    bytesKey(list.subarray(n * hashBytes, (n + 1) * hashBytes)),
  )
}

async function withStore<T>(at: string, work: (store: OrderedStore) => Promise<T>): Promise<T> {
  const store = await openLevelDirectory(at)
  try {
    return await work(store)
  } finally {
    await store.close()
  }
}
