/**
 * How a query is answered: which records are walked, and what of its order the walk brings along.
 * Invariant: pure. Every match is on one of the paths, and on one only; whoever walks them checks the filter again.
 */
import { limits } from '../../../runtime/index.ts'
import type { Value } from '../../../runtime/index.ts'
import type { Filter } from '../filter.ts'
import { isEmptyRange, keyRange } from '../index/index-key.ts'
import type { KeyBound } from '../index/index-key.ts'
import { orderOf, sureConditions } from '../query.ts'
import type { Order, Query } from '../query.ts'
import { compareValues } from '../record/value-order.ts'
import type { AccessPath, IndexDefinition, RecordView } from '../view/record-view.ts'
import type { Condition } from './condition.ts'
import { beginAfter, orderAlong } from './index-order.ts'

export interface Plan {
  /** Walked one after the other. None: nothing can match. */
  readonly paths: readonly AccessPath[]
  readonly kind: AccessPath['kind']
  readonly index: IndexDefinition | undefined
  /** What is kept in the end, the id last; empty for none. */
  readonly order: readonly Order[]
  /** How many first fields of the order the paths follow; records that agree in them are still to be sorted by the others. */
  readonly ordered: number
  /** Conditions that the paths ensure as long as no record changes meanwhile. */
  readonly ensured: readonly Condition[]
}

export type PlannedView = Pick<RecordView, 'indexes' | 'hasCutKeys'>

interface Candidate extends Omit<Plan, 'order'> {
  readonly score: number
}

/** What the sure conditions say about one field. */
interface FieldFacts {
  /** Values of which the field has one, in order, each once. */
  readonly equal: readonly Value[] | undefined
  readonly equalCondition: Condition | undefined
  readonly bounds: readonly (Condition & KeyBound)[]
}

type Facts = ReadonlyMap<string, FieldFacts>

/** What each thing that a path does is worth; sums are compared. */
const WORTH = { equal: 100, among: 60, range: 40, halfRange: 25, orderWithLimit: 30, order: 15 } as const

export function planQuery(query: Query, view: PlannedView): Plan {
  const order = orderOf(query)
  const facts = factsOf(query.filter)
  const ids = planIds(facts, order)
  if (ids !== undefined) return { ...ids, order }
  let best = planRecords(query, facts, order)
  for (const index of view.indexes(query.collection)) {
    const candidate = planIndex({ query, facts, order, index, exact: !view.hasCutKeys(index) })
    if (candidate.score > best.score) best = candidate
  }
  const { paths, kind, index, ordered, ensured } = best
  return { paths, kind, index, order, ordered, ensured }
}

function factsOf(filter: Filter | undefined): Facts {
  const byField = new Map<string, Condition[]>()
  for (const condition of [...sureConditions(filter), ...eitherConditions(filter)]) {
    const list = byField.get(condition.field)
    if (list === undefined) byField.set(condition.field, [condition])
    else list.push(condition)
  }
  const facts = new Map<string, FieldFacts>()
  for (const [field, conditions] of byField) facts.set(field, factsOfField(conditions))
  return facts
}

/** An `or` of equalities of one field, as `in`. */
function eitherConditions(filter: Filter | undefined): Condition[] {
  if (filter === undefined || 'not' in filter || 'field' in filter) return []
  if ('and' in filter) return filter.and.flatMap(eitherConditions)
  const [first] = filter.or
  if (first === undefined || !('field' in first)) return []
  const values: Value[] = []
  for (const part of filter.or) {
    if (!('field' in part) || part.field !== first.field || (part.op !== '=' && part.op !== 'in')) return []
    values.push(...valuesOf(part))
  }
  return [{ field: first.field, op: 'in', value: values }]
}

function factsOfField(conditions: readonly Condition[]): FieldFacts {
  const equalCondition =
    conditions.find(({ op }) => op === '=') ??
    conditions.find(({ op, value }) => op === 'in' && Array.isArray(value))
  return {
    equal: equalCondition === undefined ? undefined : valuesOf(equalCondition),
    equalCondition,
    bounds: conditions.filter(isBound),
  }
}

function valuesOf({ op, value }: Condition): readonly Value[] {
  if (op === '=' || !Array.isArray(value)) return [value]
  const sorted = [...value].sort(compareValues)
  return sorted.filter((item, at) => at === 0 || compareValues(item, sorted[at - 1] as Value) !== 0)
}

function isBound(condition: Condition): condition is Condition & KeyBound {
  return ['<', '<=', '>', '>=', 'prefix'].includes(condition.op)
}

function planIds(facts: Facts, order: readonly Order[]): Omit<Plan, 'order'> | undefined {
  const { equal, equalCondition } = facts.get('id') ?? NO_FACTS
  if (equal === undefined || equalCondition === undefined) return undefined
  const ids = equal.filter((value) => typeof value === 'string')
  const [first] = order
  if (first?.field === 'id' && first.direction === 'desc') ids.reverse()
  const ordered = ids.length < 2 ? order.length : first?.field === 'id' ? 1 : 0
  const paths: AccessPath[] = ids.length === 0 ? [] : [{ kind: 'ids', ids }]
  return { paths, kind: 'ids', index: undefined, ordered, ensured: [equalCondition] }
}

const NO_FACTS: FieldFacts = { equal: undefined, equalCondition: undefined, bounds: [] }

/** All records of the collection: by id when that helps, else as they come. */
function planRecords(query: Query, facts: Facts, order: readonly Order[]): Candidate {
  const byId = order[0]?.field === 'id'
  const reverse = byId && order[0]?.direction === 'desc'
  const { bounds } = facts.get('id') ?? NO_FACTS
  const ensured: Condition[] = []
  let prefix: string | undefined
  let after: string | undefined
  for (const bound of bounds) {
    const { op, value } = bound
    if (typeof value !== 'string') continue
    if (op === 'prefix' && (prefix === undefined || value.length > prefix.length)) prefix = value
    else if (op === (reverse ? '<' : '>') && isFurther(value, after, reverse)) after = value
    else continue
    ensured.push(bound)
  }
  let score = byId ? orderWorth(query) : 0
  if (prefix !== undefined) score += WORTH.range
  if (after !== undefined) score += WORTH.halfRange
  if (byId && query.after !== undefined && isFurther(query.after.id, after, reverse)) after = query.after.id
  if (score === 0) {
    return { paths: [{ kind: 'store' }], kind: 'store', index: undefined, ordered: 0, ensured: [], score }
  }
  const path: AccessPath = {
    kind: 'records',
    reverse,
    ...(prefix === undefined ? {} : { prefix }),
    ...(after === undefined ? {} : { after }),
  }
  return { paths: [path], kind: 'records', index: undefined, ordered: byId ? 1 : 0, ensured, score }
}

function isFurther(id: string, than: string | undefined, reverse: boolean): boolean {
  return than === undefined || (reverse ? id < than : id > than)
}

interface IndexQuestion {
  readonly query: Query
  readonly facts: Facts
  readonly order: readonly Order[]
  readonly index: IndexDefinition
  /** No key was cut: the order of the index is that of the values. */
  readonly exact: boolean
}

function planIndex(question: IndexQuestion): Candidate {
  const { query, facts, order, index, exact } = question
  const { prefixes, ensured, bounds } = indexPrefixes(index, facts)
  const constant = (field: string): Value | undefined => constantOf(facts.get(field))
  const along = orderAlong(index, exact ? order : [], constant)
  const { ordered, reverse } = along
  let score = 0
  for (const { op } of ensured) score += op === '=' ? WORTH.equal : WORTH.among
  if (bounds.length > 0)
    score += bounds.length > 1 || bounds[0]?.op === 'prefix' ? WORTH.range : WORTH.halfRange
  if (score === 0 && ordered === 0) return { ...NOTHING, score: -1 }
  if (ordered > 0 && ordered === order.length) score += orderWorth(query)
  else if (ordered > 0) score += WORTH.order / 2
  const paths: AccessPath[] = []
  const seen = new Set<string>()
  for (const prefix of prefixes) {
    const range = beginAfter(query.after, keyRange(prefix, bounds), along)
    // Two long values may be cut to the same key.
    if (isEmptyRange(range) || seen.has(range.gte)) continue
    seen.add(range.gte)
    paths.push({ kind: 'index', index, ...range, reverse })
  }
  if (reverse) paths.reverse()
  return { paths, kind: 'index', index, ordered, ensured: [...ensured, ...bounds], score }
}

const NOTHING: Omit<Candidate, 'score'> = {
  paths: [],
  kind: 'index',
  index: undefined,
  ordered: 0,
  ensured: [],
}

/** The values that the first fields of a match have, in order of keys, and what is known of the field after them. */
function indexPrefixes(
  { fields }: IndexDefinition,
  facts: Facts,
): { prefixes: Value[][]; ensured: Condition[]; bounds: FieldFacts['bounds'] } {
  let prefixes: Value[][] = [[]]
  const ensured: Condition[] = []
  for (const field of fields) {
    const { equal, equalCondition, bounds } = facts.get(field) ?? NO_FACTS
    const tooMany = equal !== undefined && equal.length * prefixes.length > limits.queryRangesMax
    if (equal === undefined || equalCondition === undefined || tooMany) return { prefixes, ensured, bounds }
    prefixes = prefixes.flatMap((prefix) => equal.map((value) => [...prefix, value]))
    ensured.push(equalCondition)
  }
  return { prefixes, ensured, bounds: [] }
}

function constantOf(facts: FieldFacts | undefined): Value | undefined {
  return facts?.equal?.length === 1 ? facts.equal[0] : undefined
}

function orderWorth({ limit }: Query): number {
  return limit === undefined ? WORTH.order : WORTH.orderWithLimit
}
