/**
 * What a guest is told of a record, under one policy.
 * Invariant: of a record that the guest may not see nothing leaves but its mirror tag.
 */
import type { RecordChange } from '../../database/index.ts'
import { encodeItem } from '../mirror/index.ts'
import type { CompiledPolicy } from '../policy/index.ts'

/** A record as it is now. */
export interface ChangedRecord {
  /** Of its envelopes. */
  readonly tag: Uint8Array
  /** Undefined when it is not known what the tag stands for; nothing is shown of it then. */
  readonly collection: string | undefined
  readonly state: RecordChange['state']
}

/** How records are shown: to all guests under one policy alike. */
export interface Showing {
  readonly policy: CompiledPolicy
  mirrorTag(tag: Uint8Array): Uint8Array
}

/** Bytes of an item; undefined when the guest is told nothing. */
export function encodeChanged(
  showing: Showing,
  { tag, collection, state }: ChangedRecord,
): Uint8Array | undefined {
  const { policy } = showing
  if (collection !== undefined && !policy.exports(collection)) return undefined
  const mirrorTag = showing.mirrorTag(tag)
  if (state === undefined) return encodeItem({ kind: 'retracted', tag: mirrorTag })
  if (state.deleted !== undefined) return encodeItem({ kind: 'deleted', tag: mirrorTag })
  if (!policy.visible(state)) return encodeItem({ kind: 'retracted', tag: mirrorTag })
  return encodeItem({ kind: 'record', tag: mirrorTag, state: policy.project(state) })
}
