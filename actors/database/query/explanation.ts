/** What `explain()` tells: how a query was answered, as data and in words. Invariant: plain data; nothing decides by it. */
import { Uuid } from '../../../runtime/index.ts'
import type { Value } from '../../../runtime/index.ts'
import type { Filter } from '../filter.ts'
import { orderWords, sureConditions } from '../query.ts'
import type { Query } from '../query.ts'
import type { Condition } from './condition.ts'
import type { Plan } from './plan.ts'

export interface Explanation {
  readonly collection: string
  /** `ids`: the records named. `records`: all, by id. `store`: all, as they are stored. */
  readonly path: 'ids' | 'records' | 'store' | 'index'
  /** Name of the index that was walked. */
  readonly index: string | undefined
  /** Of the index or the ids, in words. */
  readonly range: string
  /** Who puts the records in order: `path` when they come so, `groups` when only records that share a place are sorted. */
  readonly order: 'none' | 'path' | 'groups' | 'sort'
  /** The order that is kept, in words. */
  readonly by: string
  /** What is left of the filter for each record that is read, in words. */
  readonly filter: string | undefined
  /** Records that were read. */
  readonly examined: number
  readonly returned: number
}

export function explain(
  query: Query,
  plan: Plan,
  counts: Pick<Explanation, 'examined' | 'returned'>,
): Explanation {
  const { kind, index, order } = plan
  return {
    collection: query.collection,
    path: kind,
    index: index?.name,
    range: rangeWords(plan),
    order: orderWord(plan),
    by: orderWords(order),
    filter: restWords(query.filter, plan.ensured),
    ...counts,
  }
}

function orderWord({ order, ordered }: Plan): Explanation['order'] {
  if (order.length === 0) return 'none'
  return ordered >= order.length ? 'path' : ordered > 0 ? 'groups' : 'sort'
}

function rangeWords({ kind, ensured, paths }: Plan): string {
  if (paths.length === 0) return 'nothing can match'
  const backwards = paths.some((path) => 'reverse' in path && path.reverse) ? ', backwards' : ''
  const words = ensured.map(conditionWords).join(' and ')
  const whole = kind === 'index' ? 'all of the index' : 'all records'
  return `${words === '' ? whole : words}${backwards}`
}

function restWords(filter: Filter | undefined, ensured: readonly Condition[]): string | undefined {
  if (filter === undefined) return undefined
  const sure = sureConditions(filter)
  if (sure.length === countParts(filter)) {
    const rest = sure.filter((condition) => !ensured.includes(condition))
    return rest.length === 0 ? undefined : rest.map(conditionWords).join(' and ')
  }
  return filterWords(filter, ensured)
}

/** Parts of the topmost `and`s. */
function countParts(filter: Filter): number {
  return 'and' in filter ? filter.and.reduce((parts, part) => parts + countParts(part), 0) : 1
}

function filterWords(filter: Filter, ensured: readonly Condition[]): string {
  if ('and' in filter) {
    const parts = filter.and.filter((part) => !ensured.includes(part as Condition))
    return parts.map((part) => nested(part, ensured)).join(' and ')
  }
  if ('or' in filter) return filter.or.map((part) => nested(part, [])).join(' or ')
  if ('not' in filter) return `not ${nested(filter.not, [])}`
  return conditionWords(filter)
}

function nested(filter: Filter, ensured: readonly Condition[]): string {
  const words = filterWords(filter, ensured)
  return 'field' in filter ? words : `(${words})`
}

const VALUE_CHARS_SHOWN = 60

function conditionWords({ field, op, value }: Condition): string {
  const text = valueWords(value)
  return `${field} ${op} ${text.length > VALUE_CHARS_SHOWN ? `${text.slice(0, VALUE_CHARS_SHOWN)}…` : text}`
}

function valueWords(value: Value): string {
  if (typeof value === 'bigint') return String(value)
  if (value instanceof Uint8Array) return `${value.length} bytes`
  if (value instanceof Date) return value.toISOString()
  if (value instanceof Uuid) return value.toString()
  if (typeof value === 'number') return String(value)
  if (Array.isArray(value)) return `[${value.map(valueWords).join(', ')}]`
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  const parts = Object.entries(value).map(([name, item]) => `${JSON.stringify(name)}: ${valueWords(item)}`)
  return `{ ${parts.join(', ')} }`
}
