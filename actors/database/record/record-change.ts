/**
 * What each write makes of a record, as pure functions of the state it finds.
 * Invariant: a field that keeps its value keeps its stamp, and a write that changes nothing returns its input.
 */
import { BlazeError, equalValue } from '../../../runtime/index.ts'
import type { Value } from '../../../runtime/index.ts'
import { FieldOperation } from './field-operation.ts'
import type { WriteMark } from './field-operation.ts'
import { LargeReference } from './partial-bytes.ts'
import type { FieldState, RecordState, Stamp } from './record.ts'

/** A value or an operation; undefined removes, or is absent where nothing is there to remove. */
export type FieldInput = Value | FieldOperation | undefined
/** What a write is made of; the chunks of a reference are stored. */
export type FieldChange = FieldInput | LargeReference
export type FieldValues = ReadonlyMap<string, FieldInput>
export type FieldChanges = ReadonlyMap<string, FieldChange>

/** Takes stamps for the writes of one opening of a store. */
export interface Tick {
  (): Stamp
  /** Of that opening, 16 bytes. */
  readonly bootId: Uint8Array
}

/** A `Tick` made of its two parts. */
export function createTick(bootId: Uint8Array, take: () => Stamp): Tick {
  return Object.assign(take, { bootId })
}

export interface RecordName {
  readonly collection: string
  readonly id: string
}

type Found = RecordState | undefined

/** `RECORD_EXISTS` when it is alive. A deleted id starts its next life. */
export function insertInto(found: Found, name: RecordName, values: FieldChanges, tick: Tick): RecordState {
  if (isAlive(found)) throw exists(name)
  return beginLife(found, name, values, tick)
}

/** `NOT_FOUND` for an id that was never there, `RECORD_EXISTS` when it is alive. */
export function restoreInto(found: Found, name: RecordName, values: FieldChanges, tick: Tick): RecordState {
  if (found === undefined) throw missing(name)
  return insertInto(found, name, values, tick)
}

/** Replaces all fields, or starts the next life. */
export function putInto(found: Found, name: RecordName, values: FieldChanges, tick: Tick): RecordState {
  if (!isAlive(found)) return beginLife(found, name, values, tick)
  return withValues(found, replacing(found, values), tick)
}

/** `values`, and undefined for the fields that they leave out: all, or those that `concerns` names. */
export function replacing(
  found: RecordState,
  values: FieldChanges,
  concerns: (field: string) => boolean = () => true,
): FieldChanges {
  const replaced = new Map<string, FieldChange>(values)
  for (const field of found.fields.keys()) {
    if (!replaced.has(field) && concerns(field)) replaced.set(field, undefined)
  }
  return replaced
}

/** Merges fields. `NOT_FOUND` unless it is alive. */
export function updateInto(found: Found, name: RecordName, values: FieldChanges, tick: Tick): RecordState {
  if (!isAlive(found)) throw missing(name)
  return withValues(found, values, tick)
}

/** Ends the life; undefined when there is none to end. */
export function deleteFrom(found: Found, tick: Tick): RecordState | undefined {
  if (!isAlive(found)) return undefined
  const { collection, id, home, life } = found
  return { collection, id, home, life, deleted: tick(), fields: new Map() }
}

export function isAlive(found: Found): found is RecordState {
  return found !== undefined && found.deleted === undefined
}

function beginLife(found: Found, name: RecordName, values: FieldChanges, tick: Tick): RecordState {
  const mark = { stamp: tick(), bootId: tick.bootId }
  const fields = new Map<string, FieldState>()
  for (const [field, input] of values) {
    const state = changeField(undefined, input, mark)
    if (state !== undefined) fields.set(field, state)
  }
  const { collection, id } = name
  const life = (found?.life ?? 0) + 1
  return { collection, id, home: found?.home ?? null, life, deleted: undefined, fields }
}

function withValues(found: RecordState, values: FieldChanges, tick: Tick): RecordState {
  let mark: WriteMark | undefined
  let fields: Map<string, FieldState> | undefined
  for (const [field, input] of values) {
    const before = found.fields.get(field)
    if (isKept(before, input)) continue
    mark ??= { stamp: tick(), bootId: tick.bootId }
    const after = changeField(before, input, mark)
    if (after === before || after === undefined) continue
    fields ??= new Map(found.fields)
    fields.set(field, after)
  }
  return fields === undefined ? found : { ...found, fields }
}

/** What a write makes of one field; the field itself when it changes nothing. */
export function changeField(
  found: FieldState | undefined,
  input: FieldChange,
  mark: WriteMark,
): FieldState | undefined {
  if (input instanceof FieldOperation || input instanceof LargeReference) return input.applyTo(found, mark)
  return isKept(found, input) ? found : { value: input, stamp: mark.stamp }
}

/** Whether the field shows what is to be written. */
function isKept(found: FieldState | undefined, input: FieldChange): boolean {
  return found?.merge?.kind !== 'large' && sameInput(found?.value, input)
}

/** An operation is the same as nothing else, and neither is a reference. */
export function sameInput(a: FieldChange, b: FieldChange): boolean {
  return isValue(a) && isValue(b) ? equalValue(a, b) : a === b
}

function isValue(input: FieldChange): input is Value {
  return input !== undefined && !(input instanceof FieldOperation) && !(input instanceof LargeReference)
}

function exists({ collection, id }: RecordName): BlazeError {
  return new BlazeError('RECORD_EXISTS', 'a record with this id exists already; put or update changes it', {
    details: { collection, id },
  })
}

export function missing({ collection, id }: RecordName): BlazeError {
  return new BlazeError('NOT_FOUND', 'there is no record with this id', { details: { collection, id } })
}
