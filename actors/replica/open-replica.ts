/**
 * Opens a store as a replica: checks its tail, begins a new incarnation, and hands out the replica.
 * Invariant: the new incarnation is synced before anything else can happen, on a store that passed its check.
 */
import { BlazeError, equalBytes, limits, toHex } from '../../runtime/index.ts'
import type { Env } from '../../runtime/index.ts'
import { findAhead } from './ahead.ts'
import { emptyBatch } from './batch-builder.ts'
import { BatchWindow } from './batch-window.ts'
import { BOOT_ID_BYTES } from './envelope.ts'
import { LocalReplica } from './local-replica.ts'
import { OwnHeads } from './own-heads.ts'
import { NO_NUMBERS, RecentArrivals } from './replica-state.ts'
import type { ReplicaState } from './replica-state.ts'
import type { Replica, ReplicaOptions } from './replica.ts'
import { readConfirmed, readRebase } from './rebase/rebase.ts'
import {
  encodeFormat,
  encodeIncarnations,
  encodeSoundness,
  FORMAT,
  formatKey,
  incarnationsKey,
  parseIncarnations,
  parseSoundness,
  parseStored,
  rowsOf,
  soundnessKey,
} from './row.ts'
import type { Incarnation, SoundnessRow } from './row.ts'
import { SetHash } from './set-hash.ts'
import { auditStore } from './store-audit.ts'
import type { AuditOptions } from './store-audit.ts'
import type { OrderedStore } from './store.ts'
import { checkTail } from './tail-check.ts'
import type { CheckedStore } from './tail-check.ts'

const SPACE_ID_BYTES = 16

/**
 * Rejects with `DAMAGED` when rows are missing or changed or the store is of another space, `NOT_SUPPORTED` for another format,
 * `POISONED` when the disk fails. The store stays open then; closing it is the caller's.
 */
export async function openReplica(options: ReplicaOptions): Promise<Replica> {
  const { store, spaceId, env } = options
  if (spaceId.length !== SPACE_ID_BYTES)
    throw new TypeError(`spaceId: expected 16 bytes, got ${spaceId.length}`)
  // Its rows are half way between two orders.
  if (readRebase(store)?.step === 'clear') throw damaged('a rebase was cut off; it has to be begun again')
  const found = (await isNew(store, spaceId)) ? freshStore(env) : await openedBefore(options)

  const incarnation = env.entropy(BOOT_ID_BYTES)
  const incarnations: Incarnation[] = [
    ...found.incarnations.slice(1 - limits.incarnationsMax),
    { id: incarnation, firstArrival: found.numbers.lastArrival + 1 },
  ]
  const soundness: SoundnessRow = { ...found.soundness, isOpen: true, isDamaged: false }
  const first = emptyBatch(
    [
      { type: 'put', key: formatKey, value: encodeFormat(spaceId) },
      { type: 'put', key: incarnationsKey, value: encodeIncarnations(incarnations) },
      { type: 'put', key: soundnessKey, value: encodeSoundness(soundness) },
    ],
    found,
  )
  await store.batch(first.operations)
  const numbers = first.land()

  const recent = new RecentArrivals(numbers.lastArrival)
  const heads = new OwnHeads(found.heads, readConfirmed(store))
  const { vector, window } = found
  const rebase = readRebase(store)
  const ahead = await findAhead(store, vector, options.own?.replicaId)
  const moving = { vectorMoves: 0, numbers, rebase }
  const state: ReplicaState = { ...moving, vector, heads, ahead, incarnations, recent, window, soundness }
  return new LocalReplica(options, state, incarnation)
}

type FoundStore = CheckedStore & {
  readonly incarnations: readonly Incarnation[]
  readonly soundness: Pick<SoundnessRow, 'verifiedAtMs'>
}

function freshStore(env: Env): FoundStore {
  const numbers = { ...NO_NUMBERS, setHash: new SetHash() }
  // There is nothing that a pass could look at.
  const soundness = { verifiedAtMs: env.now() }
  return {
    numbers,
    vector: new Map(),
    heads: new Map(),
    window: new BatchWindow(1),
    incarnations: [],
    soundness,
  }
}

async function openedBefore(options: ReplicaOptions): Promise<FoundStore> {
  const { store, spaceId, authority, crypto, own, env } = options
  const incarnations = parseStored('the row of incarnations', () => {
    const found = parseIncarnations(store.get(incarnationsKey) ?? new Uint8Array())
    if (found.length === 0) throw new BlazeError('PROTOCOL_VIOLATION', 'it is missing')
    return found
  })
  const { isOpen, isDamaged, verifiedAtMs } = readSoundness(store)
  const check = { store, crypto, ownReplicaId: own?.replicaId }
  // Known damage does not heal by itself, but a false alarm would.
  const signed = isDamaged ? { spaceId, authority } : undefined
  const checked = isDamaged ? await checkWhole({ ...check, signed }) : await checkTail(check)
  const newest = incarnations.at(-1)
  if (newest !== undefined && newest.firstArrival > checked.numbers.lastArrival + 1) {
    throw damaged(`the newest incarnation begins after arrival ${checked.numbers.lastArrival}`)
  }
  const soundness = { verifiedAtMs: isDamaged ? env.now() : isOpen ? 0 : verifiedAtMs }
  return { ...checked, incarnations, soundness }
}

function readSoundness(store: OrderedStore): SoundnessRow {
  const row = store.get(soundnessKey)
  if (row === undefined) return { isOpen: true, isDamaged: false, verifiedAtMs: 0 }
  return parseStored('the soundness row', () => parseSoundness(row))
}

async function checkWhole(options: AuditOptions): Promise<CheckedStore> {
  const { checked, findings } = await auditStore(options)
  findings.check()
  return checked
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
  if (!equalBytes(format, encodeFormat(spaceId))) {
    throw damaged(`it belongs to space ${toHex(format.subarray(1))}, not ${toHex(spaceId)}`)
  }
  return false
}

function damaged(problem: string): BlazeError {
  return new BlazeError('DAMAGED', `the store is damaged: ${problem}; restore from a peer or a backup`, {
    details: { problems: [problem], count: 1 },
  })
}
