/** The writes of a record that take values, by name. `delete` takes none and stands apart. */
import { insertInto, putInto, restoreInto, updateInto } from './record-change.ts'
import type { FieldChanges, RecordName, Tick } from './record-change.ts'
import type { RecordState } from './record.ts'

export type WriteStep = 'insert' | 'put' | 'update' | 'restore'

/** What a write makes of the state that it finds; one that changes nothing returns it. */
export type RecordStep = (
  found: RecordState | undefined,
  name: RecordName,
  values: FieldChanges,
  tick: Tick,
) => RecordState

export const writeSteps: Readonly<Record<WriteStep, RecordStep>> = {
  insert: insertInto,
  put: putInto,
  update: updateInto,
  restore: restoreInto,
}
