/**
 * Records as applications see them, `{ id, ...fields }`, from and to field values.
 * Invariant: what goes in is checked and copied, what comes out is the caller's own copy; `id` is never a field.
 */
import { cloneValue, copyValue, isPlainObject, limits, setOwn } from '../../../runtime/index.ts'
import type { Value } from '../../../runtime/index.ts'
import { fieldNameProblem, idProblem } from './name.ts'
import { FieldOperation } from './field-operation.ts'
import type { FieldInput } from './record-change.ts'
import { partialError, PartialBytes } from './partial-bytes.ts'
import type { FieldState, RecordState } from './record.ts'
import { setSchemaVersion } from './schema-version.ts'

/** A record as it is read. A byte value of over 48 KiB stands there as `PartialBytes` while it is not all here. */
export interface Doc {
  id: string
  [field: string]: Value
}

/** A record as it is written. A field that is undefined is absent, or removed by `update`. */
export interface DocInput {
  readonly id?: string
  readonly [field: string]: FieldInput
}

/** `DocInput` for the type of an application: an interface has no index signature. */
export type DocFields<T> = { readonly [K in keyof T]: FieldInput }

export interface ParsedDoc {
  readonly id: string | undefined
  readonly values: ReadonlyMap<string, FieldInput>
}

/** `TypeError` for something that is no plain object or has a bad id, `BAD_VALUE` for a value that cannot be stored. */
export function parseDoc(input: unknown): ParsedDoc {
  if (!isPlainObject(input)) throw new TypeError('doc: expected a plain object')
  if (Object.getOwnPropertySymbols(input).length > 0)
    throw new TypeError('doc: a symbol is no name of a field')
  const values = new Map<string, FieldInput>()
  for (const name of Object.keys(input)) {
    if (name === 'id') continue
    const problem = fieldNameProblem(name)
    if (problem !== undefined) throw new TypeError(`field ${name.slice(0, 100)}: ${problem}`)
    values.set(name, parseField(name, input[name]))
  }
  const id = Object.hasOwn(input, 'id') ? input['id'] : undefined
  return { id: id === undefined ? undefined : checkId(id), values }
}

/** Whether it fits beside the others is known when the record is made; a byte value has chunks of its own. */
function parseField(name: string, value: unknown): FieldInput {
  if (value === undefined || value instanceof FieldOperation) return value
  if (value instanceof PartialBytes) throw partialError(name)
  const bytesMax = value instanceof Uint8Array ? limits.largeBytesMax : limits.recordCborBytesMax
  return copyValue(value, `field ${name}`, bytesMax + 1)
}

/** `TypeError` unless it can be an id. */
export function checkId(id: unknown): string {
  if (typeof id !== 'string') throw new TypeError(`id: expected text, got ${typeof id}`)
  const problem = idProblem(id)
  if (problem !== undefined) throw new TypeError(`id: ${problem}`)
  return id
}

/** A copy of what is shown of a field; undefined when that is nothing. */
export function shownField({ value, merge }: FieldState): Value | undefined {
  if (value !== undefined) return cloneValue(value)
  // The type of a document does not name it: nearly none has one, and every reader of a field would have to look.
  return merge?.kind === 'large' ? (new PartialBytes(merge) as unknown as Value) : undefined
}

/** A deep copy; large values are named, not fetched. */
export function docOf(state: RecordState): Doc {
  const doc: Doc = { id: state.id }
  for (const [name, field] of state.fields) {
    const shown = shownField(field)
    if (shown !== undefined) setOwn(doc, name, shown)
  }
  if (state.schema !== undefined) setSchemaVersion(doc, state.schema)
  return doc
}
