/**
 * The way back of a misfit: what it leaves behind, under which context its writes are made again, and how far it has come
 * (REPLICATION rules 21–23, PROTOCOL §6.1). Invariant: a context that is made here names of the old id only what all branches share.
 */
import { BlazeError, ByteReader, ByteWriter, equalBytes } from '../../../runtime/index.ts'
import type { ContextEntry } from '../envelope.ts'
import type { Dotted } from '../live-set.ts'
import { confirmedKey, parseConfirmed, rebaseKey } from '../row.ts'
import type { StoreReader } from '../store.ts'

/** A replica id that its device left, and the last seq of it that all branches share. */
export interface LeftReplica {
  readonly replicaId: Uint8Array
  readonly forkPoint: number
}

/** `forked`: another branch of the own history was shown; `damaged`: rows are lost or wrong; `restored`: made from a backup. */
export type RebaseReason = 'forked' | 'damaged' | 'restored'

export interface RebaseOrder {
  readonly reason: RebaseReason
  /** Absent on a relay, which writes nothing. */
  readonly left?: LeftReplica
}

/** `clear`: rows are being put in order; `reissue`: own writes past the fork point are made again; `round`: a peer's round is awaited. */
export type RebaseStep = 'clear' | 'reissue' | 'round'

export interface Rebase extends RebaseOrder {
  readonly step: RebaseStep
}

/** The rebase that the store is in. A row that does not read is as good as none: then rows are lost, and that is found. */
export function readRebase(store: StoreReader): Rebase | undefined {
  const row = store.get(rebaseKey)
  if (row === undefined) return undefined
  try {
    return parseRebase(row)
  } catch (error) {
    if (error instanceof BlazeError) return undefined
    throw error
  }
}

/** The last own seq that every peer has confirmed. Without a row, or with one that does not read, nothing is: that is always safe. */
export function readConfirmed(store: StoreReader): number {
  const row = store.get(confirmedKey)
  return row?.length === 6 ? parseConfirmed(row) : 0
}

/**
 * The last own seq that is certainly shared with whoever showed `shown`, a head that is not ours. `confirmed` is the last that peers
 * held; `contested` says that the same peer shows a head of ours too. Too low a point costs siblings, too high a one writes: so what
 * contradicts itself counts for nothing.
 */
export function forkPointOf(known: {
  readonly confirmed: number
  readonly shown: number
  readonly contested: boolean
}): number {
  return known.contested || known.shown <= known.confirmed ? 0 : known.confirmed
}

/** A write of the old id that another branch may have made differently. */
export function isAbandoned(left: LeftReplica | undefined, envelope: Dotted): boolean {
  return left !== undefined && envelope.seq > left.forkPoint && equalBytes(envelope.replicaId, left.replicaId)
}

/** The context under which an abandoned write is made again: of the old id nothing past the fork point. */
export function contextOfCopy(context: readonly ContextEntry[], left: LeftReplica): ContextEntry[] {
  return context
    .map((entry) =>
      equalBytes(entry.replicaId, left.replicaId)
        ? { replicaId: entry.replicaId, seq: Math.min(entry.seq, left.forkPoint) }
        : entry,
    )
    .filter(({ seq }) => seq > 0)
}

export function sameOrder(a: RebaseOrder, b: RebaseOrder): boolean {
  if (a.reason !== b.reason || a.left?.forkPoint !== b.left?.forkPoint) return false
  if (a.left === undefined || b.left === undefined) return a.left === b.left
  return equalBytes(a.left.replicaId, b.left.replicaId)
}

const STEPS: readonly RebaseStep[] = ['clear', 'reissue', 'round']
const REASONS: readonly RebaseReason[] = ['forked', 'damaged', 'restored']
const NONE: Uint8Array = new Uint8Array(8)

export function encodeRebase({ step, reason, left }: Rebase): Uint8Array {
  return new ByteWriter(16)
    .u8(STEPS.indexOf(step) + 1)
    .u8(REASONS.indexOf(reason) + 1)
    .bytes(left?.replicaId ?? NONE)
    .u48(left?.forkPoint ?? 0)
    .finish()
}

/** Shares nothing with `bytes`. `PROTOCOL_VIOLATION`. */
export function parseRebase(bytes: Uint8Array): Rebase {
  const reader = new ByteReader(bytes, 'rebase row')
  const step = STEPS[reader.u8() - 1]
  const reason = REASONS[reader.u8() - 1]
  if (step === undefined || reason === undefined) throw reader.violation('an unknown step or reason')
  const replicaId = reader.bytes(8).slice()
  const forkPoint = reader.u48()
  reader.end()
  return equalBytes(replicaId, NONE) ? { step, reason } : { step, reason, left: { replicaId, forkPoint } }
}
