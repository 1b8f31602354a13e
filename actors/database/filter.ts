/**
 * Filters as data: conditions of queries, joined by `and`, `or` and `not`.
 * Invariant: what `parseFilter` returned shares nothing with the caller, holds no code, and is small enough to walk on the stack.
 */
import {
  BlazeError,
  cloneValue,
  copyValue,
  isPlainObject,
  isWellFormed,
  limits,
} from '../../runtime/index.ts'
import type { Value } from '../../runtime/index.ts'
import { compileCondition, conditionProblem } from './query/condition.ts'
import type { Condition, Operator, Predicate } from './query/condition.ts'

export type Filter =
  | Condition
  | { readonly and: readonly Filter[] }
  | { readonly or: readonly Filter[] }
  | { readonly not: Filter }

const FORMS = '{ field, op, value }, { and: […] }, { or: […] } or { not: … }'
/** Characters of a key of the caller that an error repeats. */
const KEY_CHARS_SHOWN = 40

/** A frozen deep copy. `TypeError` names the place, which begins with `what`: `filter.bugs.and[1].op: expected one of …`. */
export function parseFilter(input: unknown, what: string): Filter {
  return new FilterParser(what).parse(input, what, 1)
}

export function countConditions(filter: Filter): number {
  if ('not' in filter) return countConditions(filter.not)
  const parts = 'and' in filter ? filter.and : 'or' in filter ? filter.or : undefined
  return parts === undefined ? 1 : parts.reduce((sum, part) => sum + countConditions(part), 0)
}

/** Says whether the filter holds for the fields of a record; whether it is deleted is not looked at. */
export function compileFilter(filter: Filter): Predicate {
  if ('and' in filter) {
    const parts = filter.and.map(compileFilter)
    return (state) => parts.every((holds) => holds(state))
  }
  if ('or' in filter) {
    const parts = filter.or.map(compileFilter)
    return (state) => parts.some((holds) => holds(state))
  }
  if ('not' in filter) {
    const holds = compileFilter(filter.not)
    return (state) => !holds(state)
  }
  // Bytes and dates cannot be frozen; what was compiled must not change with them.
  return compileCondition({ ...filter, value: cloneValue(filter.value) })
}

class FilterParser {
  readonly #what: string
  #conditions = 0

  constructor(what: string) {
    this.#what = what
  }

  parse(input: unknown, place: string, depth: number): Filter {
    if (depth > limits.filterDepthMax) {
      throw new TypeError(`${this.#what}: nested deeper than ${limits.filterDepthMax}`)
    }
    if (!isPlainObject(input)) throw new TypeError(`${place}: expected ${FORMS}`)
    const keys = Object.keys(input)
    const [key] = keys
    if (keys.length === 1 && key !== undefined) {
      if (key === 'and') return Object.freeze({ and: this.#list(input[key], `${place}.and`, depth) })
      if (key === 'or') return Object.freeze({ or: this.#list(input[key], `${place}.or`, depth) })
      if (key === 'not') return Object.freeze({ not: this.parse(input[key], `${place}.not`, depth + 1) })
    }
    const names = ['field', 'op', 'value']
    if (keys.length !== names.length || !names.every((name) => Object.hasOwn(input, name))) {
      throw new TypeError(`${place}: expected ${FORMS}, got ${describeKeys(keys)}`)
    }
    return this.#condition(input, place)
  }

  #list(input: unknown, place: string, depth: number): readonly Filter[] {
    if (!Array.isArray(input)) throw new TypeError(`${place}: expected a list of filters`)
    if (input.length === 0) throw new TypeError(`${place}: expected at least one filter`)
    const items: Filter[] = []
    // Each item holds a condition, so their count bounds the lists too.
    for (let at = 0; at < input.length; at += 1) {
      items.push(this.parse(input[at], `${place}[${at}]`, depth + 1))
    }
    return Object.freeze(items)
  }

  #condition(input: { [name: string]: unknown }, place: string): Condition {
    this.#conditions += 1
    if (this.#conditions > limits.queryConditionsMax) {
      throw new TypeError(`${this.#what}: more than ${limits.queryConditionsMax} conditions`)
    }
    const { field, op } = input
    const value = readValue(input['value'], `${place}.value`)
    const problem = conditionProblem(field, op, value)
    if (problem !== undefined) throw new TypeError(`${place}.${problem}`)
    const path = field as string
    if (!isWellFormed(path)) throw new TypeError(`${place}.field: it has a lone surrogate`)
    return Object.freeze({ field: path, op: op as Operator, value })
  }
}

function readValue(input: unknown, place: string): Value {
  try {
    return freeze(copyValue(input, place))
  } catch (cause) {
    if (cause instanceof BlazeError && cause.code === 'BAD_VALUE')
      throw new TypeError(cause.message, { cause })
    throw cause
  }
}

function freeze(value: Value): Value {
  if (Array.isArray(value)) for (const item of value) freeze(item)
  else if (isPlainObject(value)) for (const item of Object.values(value)) freeze(item as Value)
  // Bytes, dates and UUIDs stay as they are: freezing the first two throws or does nothing.
  if (Array.isArray(value) || isPlainObject(value)) Object.freeze(value)
  return value
}

function describeKeys(keys: readonly string[]): string {
  if (keys.length === 0) return 'an empty object'
  const shown = keys.slice(0, 4).map((key) => JSON.stringify(key.slice(0, KEY_CHARS_SHOWN)))
  return `the keys ${shown.join(', ')}${keys.length > shown.length ? ', …' : ''}`
}
