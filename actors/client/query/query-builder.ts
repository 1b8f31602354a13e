/**
 * A query under construction; every step returns a new one, so a query can be kept and narrowed in several ways.
 * Invariant: what it holds is checked data; the database sees it only when an ending method is called.
 */
import { BlazeError, copyValue, limits } from '../../../runtime/index.ts'
import type { Value } from '../../../runtime/index.ts'
import {
  BY_ID,
  conditionProblem,
  countConditions,
  cursorProblem,
  decodeCursor,
  orderOf,
  parseFilter,
} from '../../database/index.ts'
import type {
  AggregateOp,
  AggregateRow,
  Cursor,
  Doc,
  Explanation,
  Filter,
  LiveDelta,
  Operator,
  Query,
  QueryPage,
  RecordRequest,
  Reply,
} from '../../database/index.ts'
import { bounded } from '../deadline.ts'
import type { WaitOptions } from '../deadline.ts'
import { fetchLarge } from '../large-values.ts'
import { checkPath, checkPaths } from './field-path.ts'
import { GroupedQuery } from './grouped-query.ts'
import { LiveResults } from './live-results.ts'
import type { QuerySource } from './query-source.ts'

/** What `page` answers. */
export interface Page<D> {
  readonly docs: D[]
  /** For `after`; undefined when this is the last page. */
  readonly cursor: string | undefined
}

/** `D` is what a record reads as. */
export class QueryBuilder<D = Doc> {
  readonly #source: QuerySource<D>
  readonly #query: Query
  readonly #cursor: Cursor | undefined

  /** For `Collection.query`. */
  constructor(source: QuerySource<D>, query: Query, cursor?: Cursor) {
    this.#source = source
    this.#query = query
    this.#cursor = cursor
  }

  /**
   * Narrows down; all calls hold together. Takes a condition, or a filter as data:
   * `{ field, op, value }`, `{ and: […] }`, `{ or: […] }`, `{ not: … }`. `field` is a dotted path. Values of different types compare by
   * null < boolean < number < text < bytes < date < UUID < array < map; an absent field matches `!=` only.
   */
  where(field: string, op: Operator, value: Value): QueryBuilder<D>
  where(filter: Filter): QueryBuilder<D>
  where(input: string | Filter, op?: Operator, value?: Value): QueryBuilder<D> {
    const isText = typeof input === 'string'
    const filter = isText ? conditionOf(input, op, value) : parseFilter(input, 'filter')
    const { filter: before } = this.#query
    const parts = before === undefined ? [] : 'and' in before ? before.and : [before]
    const whole: Filter = { and: [...parts, filter] }
    if (countConditions(whole) > limits.queryConditionsMax) {
      throw new BlazeError('TOO_LARGE', `a query has at most ${limits.queryConditionsMax} conditions`)
    }
    return this.#with({ filter: whole })
  }

  /** Sorts by a path, and by further ones where records agree. An absent field comes before null; the id decides last. */
  orderBy(field: string, direction: 'asc' | 'desc' = 'asc'): QueryBuilder<D> {
    const { order } = this.#query
    checkPath('orderBy', field)
    if (direction !== 'asc' && direction !== 'desc') {
      throw new TypeError(`orderBy: expected the direction asc or desc, got ${String(direction)}`)
    }
    if (order.some((known) => known.field === field))
      throw new TypeError(`orderBy: ${field} stands there already`)
    if (order.length >= limits.queryFieldsMax) {
      throw new TypeError(`orderBy: expected at most ${limits.queryFieldsMax} fields`)
    }
    return this.#with({ order: [...order, { field, direction }] })
  }

  /** At most so many records: the first in the order, or any without one. */
  limit(records: number): QueryBuilder<D> {
    return this.#with({ limit: checkCount('limit', records) })
  }

  /** Leaves out so many of the first records; without an order by id. What is left out is read too: pages go by `after`. */
  offset(records: number): QueryBuilder<D> {
    return this.#with({ offset: checkCount('offset', records) })
  }

  /**
   * Goes on after the record that a page ended with, also when it has changed or is gone. `TypeError` for a text that `page()` has not
   * returned, or that belongs to another collection or order.
   */
  after(cursor: string): QueryBuilder<D> {
    const parsed = decodeCursor(cursor)
    return new QueryBuilder(this.#source, { ...this.#query, after: parsed.place }, parsed)
  }

  /** Returns these paths of each record, and its id; what is not there is left out. */
  select(...fields: readonly string[]): QueryBuilder {
    checkPaths('select', fields)
    const { database } = this.#source
    return new QueryBuilder({ database, read: asIs }, { ...this.#query, select: [...fields] }, this.#cursor)
  }

  /** Copies of all matches. Without an order, in none that is promised. */
  async all(options: WaitOptions = {}): Promise<D[]> {
    const query = this.#checked()
    const { env } = this.#source.database
    const docs = await bounded(env, 'query', options, this.#all(query))
    return docs.map(this.#source.read)
  }

  /** The first match, or undefined. */
  async first(options: WaitOptions = {}): Promise<D | undefined> {
    const [doc] = await this.limit(Math.min(1, this.#query.limit ?? 1)).all(options)
    return doc
  }

  /**
   * As many matches as the limit says (default 100) and a cursor: `after(cursor)` goes on there, undefined says that there are no more.
   * Without an order the pages go by id. Records that are inserted or deleted meanwhile shift nothing.
   */
  async page(options: WaitOptions = {}): Promise<Page<D>> {
    const checked = this.#checked()
    const { order, limit = limits.queryPageRecords } = checked
    const query: Query = { ...checked, limit, order: order.length === 0 ? BY_ID : order }
    const { env } = this.#source.database
    const { docs, cursor } = await bounded(env, 'query', options, this.#page(query))
    return { docs: docs.map(this.#source.read), cursor }
  }

  /** How many records `all()` would return. */
  async count(options: WaitOptions = {}): Promise<number> {
    const query = this.#checked()
    return this.#ask(options, (reply) => ({ type: 'query.count', query, reply }))
  }

  /** Of all numbers there, 0 without any: exact while they are integers (a bigint beyond 2^53), else a double. */
  async sum(field: string, options: WaitOptions = {}): Promise<number | bigint> {
    const sum = await this.#aggregate('sum', field, options)
    return typeof sum === 'number' || typeof sum === 'bigint' ? sum : 0
  }

  /** Of all numbers there; undefined without any. */
  async avg(field: string, options: WaitOptions = {}): Promise<number | undefined> {
    const average = await this.#aggregate('avg', field, options)
    return typeof average === 'number' ? average : undefined
  }

  /** The least value of any type that is there; undefined without any. */
  async min(field: string, options: WaitOptions = {}): Promise<Value | undefined> {
    return this.#aggregate('min', field, options)
  }

  /** The greatest value of any type that is there; undefined without any. */
  async max(field: string, options: WaitOptions = {}): Promise<Value | undefined> {
    return this.#aggregate('max', field, options)
  }

  /** One group for each combination of values, to be aggregated. */
  groupBy(...fields: readonly string[]): GroupedQuery {
    checkPaths('groupBy', fields)
    const by = [...fields]
    const query = this.#unbounded('groupBy')
    return new GroupedQuery(by, (aggregates, options) =>
      this.#ask<AggregateRow[]>(options, (reply) => ({
        type: 'query.aggregate',
        query,
        by,
        aggregates,
        reply,
      })),
    )
  }

  /** Answers the query and tells how: along which path or index, what was sorted, what was looked at. */
  async explain(options: WaitOptions = {}): Promise<Explanation> {
    const query = this.#checked()
    return this.#ask(options, (reply) => ({ type: 'query.explain', query, reply }))
  }

  /**
   * Follows the matches: first all of them as `added`, then what each commit changed. With a callback, it is called with every
   * delta; without, iterate. With an order, deltas carry positions; with a limit, what is pushed out is removed and what moves up added.
   */
  live(callback?: (delta: LiveDelta<D>) => void): LiveResults<D> {
    return new LiveResults(this.#source, this.#checked(), callback)
  }

  async #all(query: Query): Promise<Doc[]> {
    const { database } = this.#source
    const docs = await database.request<Doc[]>((reply) => ({ type: 'query.all', query, reply }))
    await fetchLarge(database, docs)
    return docs
  }

  async #page(query: Query): Promise<QueryPage> {
    const { database } = this.#source
    const page = await database.request<QueryPage>((reply) => ({ type: 'query.page', query, reply }))
    await fetchLarge(database, page.docs)
    return page
  }

  async #aggregate(op: AggregateOp, field: string, options: WaitOptions): Promise<Value | undefined> {
    checkPath(op, field)
    const query = this.#unbounded(op)
    const aggregates = { value: { op, field } }
    const [row] = await this.#ask<AggregateRow[]>(options, (reply) => ({
      type: 'query.aggregate',
      query,
      by: [],
      aggregates,
      reply,
    }))
    return row?.['value']
  }

  #unbounded(what: string): Query {
    const { limit, offset, after } = this.#query
    if (limit !== undefined || offset > 0 || after !== undefined) {
      throw new TypeError(`${what}: takes all matches, without limit, offset and after`)
    }
    return this.#query
  }

  /** What is asked, when the cursor belongs to it. */
  #checked(): Query {
    const query = this.#query
    const problem =
      this.#cursor === undefined ? undefined : cursorProblem(this.#cursor, query.collection, orderOf(query))
    if (problem !== undefined) throw new TypeError(problem)
    return query
  }

  #ask<R>(options: WaitOptions, make: (reply: Reply<R>) => RecordRequest): Promise<R> {
    const { database } = this.#source
    return bounded(database.env, 'query', options, database.request<R>(make))
  }

  #with(change: Partial<Query>): QueryBuilder<D> {
    return new QueryBuilder(this.#source, { ...this.#query, ...change }, this.#cursor)
  }
}

function asIs(doc: Doc): Doc {
  return doc
}

function conditionOf(field: string, op: Operator | undefined, value: Value | undefined): Filter {
  const copied = copyValue(value, 'value')
  const problem = conditionProblem(field, op, copied)
  if (problem !== undefined || op === undefined) throw new TypeError(problem ?? 'op: expected one')
  return { field, op, value: copied }
}

function checkCount(what: string, records: number): number {
  if (Number.isSafeInteger(records) && records >= 0) return records
  throw new TypeError(`${what}: expected a whole number from 0, got ${String(records)}`)
}
