/**
 * Writes of an application that knows a version of its collection's schema.
 * Invariant: a record never goes back to a lower version, and what a newer application wrote is not merged into a write of an older one.
 */
import { BlazeError } from '../../../runtime/index.ts'
import { isAlive } from './record-change.ts'
import type { RecordName } from './record-change.ts'
import { FIRST_SCHEMA_VERSION } from './schema-version.ts'
import type { RecordStep } from './write-step.ts'

/** The step for that version; without one the record keeps what it has. `NOT_SUPPORTED` for a living record of a higher version. */
export function schemaStep(step: RecordStep, version: number | undefined): RecordStep {
  if (version === undefined) return step
  return (found, name, values, tick) => {
    const before = isAlive(found) ? (found.schema ?? FIRST_SCHEMA_VERSION) : FIRST_SCHEMA_VERSION
    if (before > version) throw newerSchema(name, before, version)
    const state = step(found, name, values, tick)
    return state === found || version === FIRST_SCHEMA_VERSION ? state : { ...state, schema: version }
  }
}

export function newerSchema({ collection, id }: RecordName, found: number, known: number): BlazeError {
  return new BlazeError(
    'NOT_SUPPORTED',
    `a record of ${collection} was written by a newer version of this app (schema ${found}, known is ${known}); update the app`,
    { details: { collection, id, found, known } },
  )
}
