/**
 * Conditions as data, and what they match.
 * Invariant: a condition holds no code and nothing of its caller; a field that is absent matches no condition but `!=`.
 */
import { isPlainObject, Uuid } from '../../../runtime/index.ts'
import type { Value } from '../../../runtime/index.ts'
import type { RecordState } from '../record/record.ts'
import { compareValues } from '../record/value-order.ts'

export const operators = ['=', '!=', '<', '<=', '>', '>=', 'in', 'prefix', 'contains'] as const
export type Operator = (typeof operators)[number]

/** `field` is a path through maps, its names separated by dots; `id` is the record's id. */
export interface Condition {
  readonly field: string
  readonly op: Operator
  /** For `in` a list. For `prefix` a text. */
  readonly value: Value
}

export type Predicate = (state: RecordState) => boolean
/** The value of one path; undefined when it is absent. */
export type FieldReader = (state: RecordState) => Value | undefined

/** Why these are no condition, or undefined. */
export function conditionProblem(field: unknown, op: unknown, value: Value): string | undefined {
  if (typeof field !== 'string' || field.length === 0) return 'field: expected a path as text'
  if (!operators.includes(op as Operator)) return `op: expected one of ${operators.join(' ')}`
  if (op === 'in' && !Array.isArray(value)) return 'value: `in` takes an array'
  if (op === 'prefix' && typeof value !== 'string') return 'value: `prefix` takes a text'
  return undefined
}

/** Looks at values only: a deleted record has none. */
export function compileCondition(condition: Condition): Predicate {
  const read = fieldReader(condition.field)
  const matches = compileMatch(condition)
  return (state) => matches(read(state))
}

/** For a path that is looked at in many records. */
export function fieldReader(field: string): FieldReader {
  if (field === 'id') return (state) => state.id
  const path = field.split('.')
  const [first] = path
  if (path.length === 1 && first !== undefined) return (state) => state.fields.get(first)?.value
  return (state) => valueAt(state, path)
}

export function valueAt(state: RecordState, path: readonly string[]): Value | undefined {
  const [first, ...rest] = path
  if (first === 'id' && rest.length === 0) return state.id
  let value = first === undefined ? undefined : state.fields.get(first)?.value
  for (const name of rest) {
    if (!isMap(value) || !Object.hasOwn(value, name)) return undefined
    value = value[name]
  }
  return value
}

export function isMap(value: Value | undefined): value is { [name: string]: Value } {
  return isPlainObject(value) && !((value as unknown) instanceof Uuid)
}

function compileMatch({ op, value }: Condition): (found: Value | undefined) => boolean {
  switch (op) {
    case '=':
      return (found) => found !== undefined && compareValues(found, value) === 0
    case '!=':
      return (found) => found === undefined || compareValues(found, value) !== 0
    case '<':
      return (found) => found !== undefined && compareValues(found, value) < 0
    case '<=':
      return (found) => found !== undefined && compareValues(found, value) <= 0
    case '>':
      return (found) => found !== undefined && compareValues(found, value) > 0
    case '>=':
      return (found) => found !== undefined && compareValues(found, value) >= 0
    case 'in':
      return matchIn(Array.isArray(value) ? value : [])
    case 'prefix':
      return (found) => typeof found === 'string' && typeof value === 'string' && found.startsWith(value)
    case 'contains':
      return (found) => {
        if (typeof found === 'string') return typeof value === 'string' && found.includes(value)
        return Array.isArray(found) && found.some((item) => compareValues(item, value) === 0)
      }
  }
}

function matchIn(items: readonly Value[]): (found: Value | undefined) => boolean {
  const sorted = [...items].sort(compareValues)
  return (found) => {
    if (found === undefined) return false
    let [low, high] = [0, sorted.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      const order = compareValues(found, sorted[middle] as Value)
      if (order === 0) return true
      if (order < 0) high = middle
      else low = middle + 1
    }
    return false
  }
}
