/** How a write of this device becomes an envelope. Invariant: no dot is sealed that a stored envelope claims to have merged. */
import { assert, BlazeError } from '../../runtime/index.ts'
import type { CryptoProvider } from '../../runtime/index.ts'
import type { OwnWriter } from './batch-builder.ts'
import { assembleEnvelope, encodeHeader } from './envelope.ts'
import { kills } from './live-set.ts'
import type { OwnDraft } from './replica.ts'
import { forked } from './round/part-check.ts'
import { SIBLINGS_MAX } from './row.ts'
import type { Held } from './row.ts'

export interface SealWorld {
  readonly own: OwnWriter | undefined
  readonly crypto: CryptoProvider
}

/** Seals the draft under a dot and a seal number that were never used. */
export function sealOwn(draft: OwnDraft, seq: number, sealNumber: number, { own, crypto }: SealWorld): Held {
  assert(own !== undefined, 'a write on a replica that has no own id')
  const { tag, life, deleted, context, keyId } = draft
  const { replicaId, bootId } = own
  const header = encodeHeader({ deleted, tag, replicaId, seq, life, keyId, bootId, sealNumber, context })
  const envelope = assembleEnvelope(header, draft.seal(header, sealNumber), crypto)
  return { envelope, commitFirstSeq: 0 }
}

/**
 * Throws `FORKED` for a context that covers a write not made yet: it comes from another copy of this device, or from a liar.
 * `TOO_LARGE` when the tag has no room for one more sibling.
 */
export function refuseSeenDot(
  { tag, context }: OwnDraft,
  seq: number,
  live: readonly Held[],
  { own }: SealWorld,
): void {
  assert(own !== undefined, 'a write on a replica that has no own id')
  const next = { tag, replicaId: own.replicaId, seq, context }
  if (kills(next, next) || live.some(({ envelope }) => kills(envelope, next))) {
    throw forked(own.replicaId, `a stored envelope has merged seq ${seq}, which is new here`, seq)
  }
  if (live.length >= SIBLINGS_MAX && !live.some(({ envelope }) => kills(next, envelope))) {
    throw new BlazeError('TOO_LARGE', `the tag has ${live.length} siblings; merge them with the write`)
  }
}
