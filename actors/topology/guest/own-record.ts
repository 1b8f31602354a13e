/**
 * What a guest shows of a record at home in it that the policy of the host does not show any more: what it wrote itself.
 * Invariant: nothing that another one wrote since is guessed; the host's next word about the record replaces all of it.
 */
import { changeField } from '../../database/index.ts'
import type { FieldValues, RecordName } from '../../database/index.ts'
import type { RecordState } from '../../database/index.ts'
import type { MirrorWrite } from '../mirror/index.ts'

export interface OwnWrite {
  readonly step: MirrorWrite['step']
  readonly name: RecordName
  readonly values: FieldValues
  /** Of the guest. */
  readonly home: Uint8Array
  readonly life: number
  readonly nowMs: number
}

const WRITER_BYTES = 8

/** Undefined when there is nothing that the write could have changed here. */
export function ownRecord(found: RecordState | undefined, write: OwnWrite): RecordState | undefined {
  const { step, name, values, home, life, nowMs } = write
  if (step === 'delete' || (step === 'update' && found === undefined)) return undefined
  // No host orders by this stamp: it is that of a copy.
  const stamp = { ms: nowMs, counter: 0, writer: home.slice(0, WRITER_BYTES) }
  const fields = new Map(step === 'update' ? found?.fields : [])
  for (const [field, input] of values) {
    const state = changeField(fields.get(field), input, { stamp, bootId: home })
    if (state !== undefined) fields.set(field, state)
  }
  return { ...name, home, life, deleted: undefined, fields }
}
