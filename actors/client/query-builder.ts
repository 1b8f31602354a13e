/**
 * A query under construction; every step returns a new one, so a query can be kept and narrowed in several ways.
 * Invariant: what it holds is checked data; the database sees it only when an ending method is called.
 */
import { BlazeError, copyValue } from '../../runtime/index.ts'
import type { Value } from '../../runtime/index.ts'
import { conditionProblem, QUERY_CONDITIONS_MAX } from '../database/index.ts'
import type { Condition, Doc, LiveDelta, Operator, Query, RecordDatabase } from '../database/index.ts'
import { bounded } from './deadline.ts'
import type { WaitOptions } from './deadline.ts'
import { LiveResults } from './live-results.ts'

export class QueryBuilder {
  readonly #database: RecordDatabase
  readonly #query: Query

  constructor(database: RecordDatabase, collection: string, query?: Query) {
    this.#database = database
    this.#query = query ?? { collection, conditions: [], limit: undefined }
  }

  /**
   * Narrows down; all conditions hold together. `field` is a dotted path. Values of different types compare by
   * null < boolean < number < text < bytes < date < UUID < array < map; an absent field matches `!=` only.
   */
  where(field: string, op: Operator, value: Value): QueryBuilder {
    const copied = copyValue(value, 'value')
    const problem = conditionProblem(field, op, copied)
    if (problem !== undefined) throw new TypeError(problem)
    if (this.#query.conditions.length >= QUERY_CONDITIONS_MAX) {
      throw new BlazeError('TOO_LARGE', `a query has at most ${QUERY_CONDITIONS_MAX} conditions`)
    }
    const condition: Condition = { field, op, value: copied }
    return this.#with({ conditions: [...this.#query.conditions, condition] })
  }

  /** At most so many records; which ones is not promised. */
  limit(records: number): QueryBuilder {
    if (!Number.isSafeInteger(records) || records < 0) {
      throw new TypeError(`limit: expected a whole number from 0, got ${records}`)
    }
    return this.#with({ limit: records })
  }

  /** Not in this version: throws `NOT_SUPPORTED`. */
  orderBy(field: string): never {
    throw new BlazeError('NOT_SUPPORTED', `orderBy(${field}) is not in this version`)
  }

  /** Copies of all matches, in no promised order. Each is as it was when the scan passed it. */
  async all(options: WaitOptions = {}): Promise<Doc[]> {
    const query = this.#query
    const work = query.limit === 0 ? Promise.resolve([]) : this.#all(query)
    return bounded(this.#database.env, 'query', options, work)
  }

  /** Some match, or undefined. */
  async first(options: WaitOptions = {}): Promise<Doc | undefined> {
    const [doc] = await this.limit(Math.min(1, this.#query.limit ?? 1)).all(options)
    return doc
  }

  async count(options: WaitOptions = {}): Promise<number> {
    const query = this.#query
    const work =
      query.limit === 0
        ? Promise.resolve(0)
        : this.#database.request<number>((reply) => ({ type: 'query.count', query, reply }))
    return bounded(this.#database.env, 'query', options, work)
  }

  /**
   * Follows the matches: first all of them as `added`, then what each commit changed. With a callback, it is called with every
   * delta; without, iterate. `NOT_SUPPORTED` together with `limit`.
   */
  live(callback?: (delta: LiveDelta) => void): LiveResults {
    if (this.#query.limit !== undefined) {
      throw new BlazeError('NOT_SUPPORTED', 'live() together with limit() is not in this version')
    }
    return new LiveResults(this.#database, this.#query, callback)
  }

  #all(query: Query): Promise<Doc[]> {
    return this.#database.request<Doc[]>((reply) => ({ type: 'query.all', query, reply }))
  }

  #with(change: Partial<Query>): QueryBuilder {
    return new QueryBuilder(this.#database, this.#query.collection, { ...this.#query, ...change })
  }
}
