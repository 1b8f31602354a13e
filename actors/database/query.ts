/**
 * Queries as data: which records, in what order, and what of them.
 * Invariant: a query holds no code and nothing of its caller. Every order ends with the id, so that no two records share a place.
 */
import type { Value } from '../../runtime/index.ts'
import { compileFilter } from './filter.ts'
import type { Filter } from './filter.ts'
import { fieldReader } from './query/condition.ts'
import type { Condition, FieldReader, Predicate } from './query/condition.ts'
import type { RecordState } from './record/record.ts'
import { compareValues } from './record/value-order.ts'

export { valueAt } from './query/condition.ts'

export interface Order {
  /** A path, as in conditions. An absent field comes before null. */
  readonly field: string
  readonly direction: 'asc' | 'desc'
}

/** A place in the order of a query: that of the record which had these values. */
export interface Place {
  /** One for each field of the order; undefined where it was absent. */
  readonly values: readonly (Value | undefined)[]
  readonly id: string
}

export interface Query {
  readonly collection: string
  /** Undefined for all records. */
  readonly filter: Filter | undefined
  /** Without any, `limit` takes whichever come first, and `offset` and `after` go by id. */
  readonly order: readonly Order[]
  readonly limit: number | undefined
  readonly offset: number
  /** Only what comes after this place. */
  readonly after: Place | undefined
  /** Paths that are returned besides the id; undefined for whole records. */
  readonly select: readonly string[] | undefined
}

/** All records of the collection, or those that a query is made into. */
export function queryOf(collection: string, change: Partial<Query> = {}): Query {
  return {
    collection,
    filter: undefined,
    order: [],
    limit: undefined,
    offset: 0,
    after: undefined,
    select: undefined,
    ...change,
  }
}

/** True when the record is alive and the filter holds; the place to begin after is not looked at. */
export function compileQuery({ filter }: Pick<Query, 'filter'>): Predicate {
  if (filter === undefined) return (state) => state.deleted === undefined
  const holds = compileFilter(filter)
  return (state) => state.deleted === undefined && holds(state)
}

/** Conditions that all matches fulfil: those that are not within an `or` or a `not`. */
export function sureConditions(filter: Filter | undefined): Condition[] {
  if (filter === undefined || 'not' in filter || 'or' in filter) return []
  return 'and' in filter ? filter.and.flatMap(sureConditions) : [filter]
}

/** The value that the id of every match has, when a condition says so: then only one record has to be looked at. */
export function idOfMatches({ filter }: Pick<Query, 'filter'>): { readonly value: Value } | undefined {
  return sureConditions(filter).find(({ field, op }) => field === 'id' && op === '=')
}

/** The order that is kept: up to the id, which is added in the direction of the last field. Empty when none was asked for. */
export function orderOf({
  order,
  after,
  offset,
}: Pick<Query, 'order' | 'after' | 'offset'>): readonly Order[] {
  const last = order.at(-1)
  if (last === undefined) return after === undefined && offset === 0 ? [] : BY_ID
  const id = order.findIndex(({ field }) => field === 'id')
  return id >= 0 ? order.slice(0, id + 1) : [...order, { field: 'id', direction: last.direction }]
}

/** `a asc, b desc`. */
export function orderWords(order: readonly Order[]): string {
  return order.map(({ field, direction }) => `${field} ${direction}`).join(', ')
}

export const BY_ID: readonly Order[] = [{ field: 'id', direction: 'asc' }]

/** Records by place in an order. */
export class RecordOrder {
  readonly #readers: readonly FieldReader[]
  /** 1 or −1 for each field, and for the id. */
  readonly #signs: readonly number[]
  readonly #idSign: number

  /** Takes what `orderOf` returned, and that is not empty. */
  constructor(order: readonly Order[]) {
    const fields = order.slice(0, -1)
    this.#readers = fields.map(({ field }) => fieldReader(field))
    this.#signs = fields.map(({ direction }) => (direction === 'asc' ? 1 : -1))
    this.#idSign = order.at(-1)?.direction === 'desc' ? -1 : 1
  }

  placeOf(state: RecordState): Place {
    return { values: this.#readers.map((read) => read(state)), id: state.id }
  }

  /** Negative, zero or positive. */
  compare(a: Place, b: Place): number {
    const order = this.compareFirst(a, b, this.#signs.length)
    if (order !== 0) return order
    return a.id === b.id ? 0 : a.id < b.id ? -this.#idSign : this.#idSign
  }

  /** By the first fields only. */
  compareFirst(a: Place, b: Place, fields: number): number {
    for (let at = 0; at < fields; at += 1) {
      const order = compareOptional(a.values[at], b.values[at])
      if (order !== 0) return order * (this.#signs[at] as number)
    }
    return 0
  }
}

function compareOptional(a: Value | undefined, b: Value | undefined): number {
  if (a === undefined || b === undefined) return Number(a !== undefined) - Number(b !== undefined)
  return compareValues(a, b)
}
