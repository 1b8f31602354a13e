/**
 * What each write makes of a record, as pure functions of the state it finds.
 * Invariant: a field that keeps its value keeps its stamp, and a write that changes nothing returns its input.
 */
import { BlazeError, equalValue } from '../../../runtime/index.ts'
import type { Value } from '../../../runtime/index.ts'
import type { FieldState, RecordState, Stamp } from './record.ts'

/** Values by field; undefined removes, or is absent where nothing is there to remove. */
export type FieldValues = ReadonlyMap<string, Value | undefined>

export interface RecordName {
  readonly collection: string
  readonly id: string
}

type Found = RecordState | undefined

/** `RECORD_EXISTS` when it is alive. A deleted id starts its next life. */
export function insertInto(
  found: Found,
  name: RecordName,
  values: FieldValues,
  tick: () => Stamp,
): RecordState {
  if (isAlive(found)) throw exists(name)
  return beginLife(found, name, values, tick())
}

/** `NOT_FOUND` for an id that was never there, `RECORD_EXISTS` when it is alive. */
export function restoreInto(
  found: Found,
  name: RecordName,
  values: FieldValues,
  tick: () => Stamp,
): RecordState {
  if (found === undefined) throw missing(name)
  return insertInto(found, name, values, tick)
}

/** Replaces all fields, or starts the next life. */
export function putInto(found: Found, name: RecordName, values: FieldValues, tick: () => Stamp): RecordState {
  if (!isAlive(found)) return beginLife(found, name, values, tick())
  return withValues(found, replacing(found, values), tick)
}

/** `values`, and undefined for the fields that they leave out: all, or those that `concerns` names. */
export function replacing(
  found: RecordState,
  values: FieldValues,
  concerns: (field: string) => boolean = () => true,
): FieldValues {
  const replaced = new Map(values)
  for (const field of found.fields.keys()) {
    if (!replaced.has(field) && concerns(field)) replaced.set(field, undefined)
  }
  return replaced
}

/** Merges fields. `NOT_FOUND` unless it is alive. */
export function updateInto(
  found: Found,
  name: RecordName,
  values: FieldValues,
  tick: () => Stamp,
): RecordState {
  if (!isAlive(found)) throw missing(name)
  return withValues(found, values, tick)
}

/** Ends the life; undefined when there is none to end. */
export function deleteFrom(found: Found, tick: () => Stamp): RecordState | undefined {
  if (!isAlive(found)) return undefined
  const { collection, id, home, life } = found
  return { collection, id, home, life, deleted: tick(), fields: new Map() }
}

export function isAlive(found: Found): found is RecordState {
  return found !== undefined && found.deleted === undefined
}

function beginLife(found: Found, name: RecordName, values: FieldValues, stamp: Stamp): RecordState {
  const fields = new Map<string, FieldState>()
  for (const [field, value] of values) if (value !== undefined) fields.set(field, { value, stamp })
  const { collection, id } = name
  const life = (found?.life ?? 0) + 1
  return { collection, id, home: found?.home ?? null, life, deleted: undefined, fields }
}

function withValues(found: RecordState, values: FieldValues, tick: () => Stamp): RecordState {
  let stamp: Stamp | undefined
  let fields: Map<string, FieldState> | undefined
  for (const [field, value] of values) {
    if (sameValue(found.fields.get(field)?.value, value)) continue
    stamp ??= tick()
    fields ??= new Map(found.fields)
    fields.set(field, { value, stamp })
  }
  return fields === undefined ? found : { ...found, fields }
}

function sameValue(a: Value | undefined, b: Value | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return equalValue(a, b)
}

function exists({ collection, id }: RecordName): BlazeError {
  return new BlazeError('RECORD_EXISTS', 'a record with this id exists already; put or update changes it', {
    details: { collection, id },
  })
}

export function missing({ collection, id }: RecordName): BlazeError {
  return new BlazeError('NOT_FOUND', 'there is no record with this id', { details: { collection, id } })
}
