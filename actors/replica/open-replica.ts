/**
 * Opens a store as a replica: audits it, begins a new incarnation, and hands out the replica.
 * Invariant: the new incarnation is synced before anything else can happen, on a store that passed its audit.
 */
import { BlazeError, equalBytes, limits, toHex } from '../../runtime/index.ts'
import { emptyBatchRows } from './batch-builder.ts'
import { BOOT_ID_BYTES } from './envelope.ts'
import { LocalReplica } from './local-replica.ts'
import { OwnHeads } from './own-heads.ts'
import { RecentArrivals } from './replica-state.ts'
import type { ReplicaState } from './replica-state.ts'
import type { Replica, ReplicaOptions } from './replica.ts'
import {
  encodeIncarnations,
  FORMAT,
  formatKey,
  incarnationsKey,
  parseIncarnations,
  parseStored,
  rowsOf,
} from './row.ts'
import type { Incarnation } from './row.ts'
import { SetHash } from './set-hash.ts'
import { auditStore } from './store-audit.ts'
import type { AuditedStore } from './store-audit.ts'
import type { OrderedStore } from './store.ts'

const SPACE_ID_BYTES = 16

/**
 * Rejects with `DAMAGED` when rows are missing or changed or the store is of another space, `NOT_SUPPORTED` for a newer format,
 * `POISONED` when the disk fails. The store stays open then; closing it is the caller's.
 */
export async function openReplica(options: ReplicaOptions): Promise<Replica> {
  const { store, spaceId, env } = options
  if (spaceId.length !== SPACE_ID_BYTES)
    throw new TypeError(`spaceId: expected 16 bytes, got ${spaceId.length}`)
  const audited = (await isNew(store, spaceId)) ? freshStore() : await openedBefore(options)

  const incarnation = env.entropy(BOOT_ID_BYTES)
  const incarnations: Incarnation[] = [
    ...audited.incarnations.slice(1 - limits.incarnationsMax),
    { id: incarnation, firstArrival: audited.numbers.lastArrival + 1 },
  ]
  const numbers = { ...audited.numbers, batch: audited.numbers.batch + 1 }
  await store.batch([
    { type: 'put', key: formatKey, value: formatRow(spaceId) },
    { type: 'put', key: incarnationsKey, value: encodeIncarnations(incarnations) },
    ...emptyBatchRows(numbers),
  ])

  const recent = new RecentArrivals(numbers.lastArrival)
  const heads = new OwnHeads(audited.heads)
  const state: ReplicaState = { vector: audited.vector, heads, numbers, incarnations, recent }
  return new LocalReplica(options, state, incarnation)
}

type FoundStore = AuditedStore & { readonly incarnations: readonly Incarnation[] }

function freshStore(): FoundStore {
  const numbers = { lastArrival: 0, batch: 0, setHash: new SetHash(), liveEnvelopes: 0, tags: 0 }
  return { numbers, vector: new Map(), heads: new Map(), incarnations: [] }
}

async function openedBefore(options: ReplicaOptions): Promise<FoundStore> {
  const { store, crypto, own, visit } = options
  const incarnations = parseStored('the row of incarnations', () => {
    const found = parseIncarnations(store.get(incarnationsKey) ?? new Uint8Array())
    if (found.length === 0) throw new BlazeError('PROTOCOL_VIOLATION', 'it is missing')
    return found
  })
  const audited = await auditStore({ store, crypto, ownReplicaId: own?.replicaId, visit })
  const newest = incarnations.at(-1)
  if (newest !== undefined && newest.firstArrival > audited.numbers.lastArrival + 1) {
    throw damaged(`the newest incarnation begins after arrival ${audited.numbers.lastArrival}`)
  }
  return { ...audited, incarnations }
}

/** Whether the store has never been opened as a replica. Rows without a format row are what is left of one. */
async function isNew(store: OrderedStore, spaceId: Uint8Array): Promise<boolean> {
  const format = store.get(formatKey)
  if (format === undefined) {
    for (const kind of ['a', 't', 'c', 'v', 'h', 'b'] as const) {
      const rows = await store.range({ ...rowsOf(kind), limit: 1 })
      if (rows.length > 0) throw damaged('the format row is missing')
    }
    if (store.get(incarnationsKey) !== undefined) throw damaged('the format row is missing')
    return true
  }
  if (format[0] !== FORMAT)
    throw new BlazeError('NOT_SUPPORTED', `the store has format ${format[0]}, this version reads ${FORMAT}`)
  if (!equalBytes(format, formatRow(spaceId))) {
    throw damaged(`it belongs to space ${toHex(format.subarray(1))}, not ${toHex(spaceId)}`)
  }
  return false
}

function formatRow(spaceId: Uint8Array): Uint8Array {
  const row = new Uint8Array(1 + SPACE_ID_BYTES)
  row[0] = FORMAT
  row.set(spaceId, 1)
  return row
}

function damaged(problem: string): BlazeError {
  return new BlazeError('DAMAGED', `the store is damaged: ${problem}; restore from a peer or a backup`, {
    details: { problems: [problem], count: 1 },
  })
}
