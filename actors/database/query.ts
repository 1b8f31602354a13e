/**
 * Queries as data, and what they match.
 * Invariant: a query holds no code and nothing of its caller; a field that is absent matches no condition but `!=`.
 */
import { isPlainObject, limits, Uuid } from '../../runtime/index.ts'
import type { Value } from '../../runtime/index.ts'
import type { RecordState } from './record/record.ts'
import { compareValues } from './record/value-order.ts'

export const operators = ['=', '!=', '<', '<=', '>', '>=', 'in', 'prefix', 'contains'] as const
export type Operator = (typeof operators)[number]

/** `field` is a path through maps, its names separated by dots; `id` is the record's id. */
export interface Condition {
  readonly field: string
  readonly op: Operator
  /** For `in` a list. For `prefix` a text. */
  readonly value: Value
}

/** All conditions hold. */
export interface Query {
  readonly collection: string
  readonly conditions: readonly Condition[]
  readonly limit: number | undefined
}

/** Why these are no condition, or undefined. */
export function conditionProblem(field: unknown, op: unknown, value: Value): string | undefined {
  if (typeof field !== 'string' || field.length === 0) return 'field: expected a path as text'
  if (!operators.includes(op as Operator)) return `op: expected one of ${operators.join(' ')}`
  if (op === 'in' && !Array.isArray(value)) return 'value: `in` takes an array'
  if (op === 'prefix' && typeof value !== 'string') return 'value: `prefix` takes a text'
  return undefined
}

/** The value that the id of every match has, when a condition says so: then only one record has to be looked at. */
export function idOfMatches({ conditions }: Query): { readonly value: Value } | undefined {
  return conditions.find(({ field, op }) => field === 'id' && op === '=')
}

export const QUERY_CONDITIONS_MAX: number = limits.queryConditionsMax

export type Predicate = (state: RecordState) => boolean

/** True when the record is alive and all conditions hold. */
export function compileQuery(query: Query): Predicate {
  const checks = query.conditions.map(compileCondition)
  return (state) => state.deleted === undefined && checks.every((check) => check(state))
}

/** Looks at values only: a deleted record has none. */
export function compileCondition(condition: Condition): Predicate {
  const path = condition.field.split('.')
  return (state) => matches(valueAt(state, path), condition)
}

function valueAt(state: RecordState, path: readonly string[]): Value | undefined {
  const [first, ...rest] = path
  if (first === 'id' && rest.length === 0) return state.id
  let value = first === undefined ? undefined : state.fields.get(first)?.value
  for (const name of rest) {
    if (!isMap(value) || !Object.hasOwn(value, name)) return undefined
    value = value[name]
  }
  return value
}

function matches(found: Value | undefined, { op, value }: Condition): boolean {
  if (found === undefined) return op === '!='
  switch (op) {
    case '=':
      return compareValues(found, value) === 0
    case '!=':
      return compareValues(found, value) !== 0
    case '<':
      return compareValues(found, value) < 0
    case '<=':
      return compareValues(found, value) <= 0
    case '>':
      return compareValues(found, value) > 0
    case '>=':
      return compareValues(found, value) >= 0
    case 'in':
      return Array.isArray(value) && value.some((item) => compareValues(found, item) === 0)
    case 'prefix':
      return typeof found === 'string' && typeof value === 'string' && found.startsWith(value)
    case 'contains':
      if (typeof found === 'string') return typeof value === 'string' && found.includes(value)
      return Array.isArray(found) && found.some((item) => compareValues(item, value) === 0)
  }
}

function isMap(value: Value | undefined): value is { [name: string]: Value } {
  return isPlainObject(value) && !((value as unknown) instanceof Uuid)
}
