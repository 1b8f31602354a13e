/**
 * Answers queries over the records that a view shows, and keeps the live ones going.
 * Invariant: a query sees every write that was called before it, and nothing that the view does not show.
 */
import { BlazeError, limits } from '../../../runtime/index.ts'
import type { Env } from '../../../runtime/index.ts'
import type { Filter } from '../filter.ts'
import type { DatabaseRequest, OpenLiveQuery } from '../message.ts'
import { Aggregation } from '../query/aggregate.ts'
import type { Aggregate, AggregateRow } from '../query/aggregate.ts'
import { encodeCursor } from '../query/cursor.ts'
import { explain } from '../query/explanation.ts'
import type { Explanation } from '../query/explanation.ts'
import { Pace } from '../query/pace.ts'
import { planQuery } from '../query/plan.ts'
import { compileProjection } from '../query/projection.ts'
import { QueryRun } from '../query/query-run.ts'
import type { FoundRows } from '../query/query-run.ts'
import type { Row } from '../query/row-collector.ts'
import { queryOf } from '../query.ts'
import type { Query } from '../query.ts'
import type { Doc } from '../record/document.ts'
import type { RecordState } from '../record/record.ts'
import { answer } from '../reply.ts'
import { LiveQuery } from './live-query.ts'
import type { LiveSink, ShownChange } from './live-query.ts'
import type { RecordView } from './record-view.ts'

export interface RecordQueriesOptions {
  readonly env: Env
  readonly view: RecordView
  /** Resolves when the writes that were called by now are shown; undefined when none waits. */
  settled(): Promise<void> | undefined
}

export interface QueryPage {
  readonly docs: Doc[]
  /** Where the next page begins; undefined when this is the last. */
  readonly cursor: string | undefined
}

type QueryRequest = Extract<DatabaseRequest, { type: `query.${string}` }>

export class RecordQueries {
  readonly #o: RecordQueriesOptions
  readonly #lives = new Set<LiveQuery>()
  readonly #runs = new Set<QueryRun>()
  #closed: { readonly error: unknown } | undefined

  constructor(options: RecordQueriesOptions) {
    this.#o = options
  }

  /** Answers it in time; never throws. */
  handle(request: QueryRequest): void {
    switch (request.type) {
      case 'query.all':
        answer(request.reply, this.all(request.query))
        return
      case 'query.page':
        answer(request.reply, this.page(request.query))
        return
      case 'query.count':
        answer(request.reply, this.count(request.query))
        return
      case 'query.aggregate':
        answer(request.reply, this.aggregate(request.query, request.by, request.aggregates))
        return
      case 'query.explain':
        answer(request.reply, this.explain(request.query))
        return
      case 'query.live':
        answer(request.reply, this.live(request.query, request.sink))
        return
    }
  }

  all(query: Query): Promise<Doc[]> {
    return this.#run(query, async (run, pace) => this.#docs(query, (await run.rows()).rows, pace))
  }

  /** The states instead of copies, and whether there are more. */
  rows(query: Query): Promise<FoundRows> {
    return this.#run(query, (run) => run.rows(true))
  }

  /** The query has an order, and a limit. */
  page(query: Query): Promise<QueryPage> {
    return this.#run(query, async (run, pace) => {
      const { rows, more } = await run.rows(true)
      const docs = await this.#docs(query, rows, pace)
      const last = rows.at(-1)
      const { order } = run.plan
      const { collection } = query
      const cursor =
        more && last !== undefined ? encodeCursor({ collection, order, place: last.place }) : undefined
      return { docs, cursor }
    })
  }

  /** Of what `all` would return. */
  count(query: Query): Promise<number> {
    const { limit = Infinity, offset, filter, after } = query
    const within = (matches: number): number => Math.max(0, Math.min(matches - offset, limit))
    return this.#run(query, async (run) => {
      if (filter === undefined && after === undefined) return within(this.#o.view.count(query.collection))
      let matches = 0
      const take = (): boolean => ++matches < offset + limit
      if (limit > 0) {
        await run.each(take, () => {
          matches = 0
        })
      }
      return within(matches)
    })
  }

  /** Over all matches; one row without `by`. */
  async aggregate(
    query: Query,
    by: readonly string[],
    aggregates: Readonly<Record<string, Aggregate>>,
  ): Promise<AggregateRow[]> {
    const aggregation = new Aggregation(by, aggregates)
    const extreme = by.length === 0 ? this.#asFirst(query, Object.values(aggregates)) : undefined
    if (extreme !== undefined) {
      const { rows } = await this.#run(extreme, (run) => run.rows())
      for (const { state } of rows) aggregation.take(state)
      return aggregation.rows()
    }
    return this.#run(query, async (run) => {
      const take = (state: RecordState): boolean => {
        aggregation.take(state)
        return true
      }
      await run.each(take, () => aggregation.reset())
      return aggregation.rows()
    })
  }

  explain(query: Query): Promise<Explanation> {
    return this.#run(query, async (run) => {
      const { rows } = await run.rows()
      return explain(query, run.plan, { examined: run.examined, returned: rows.length })
    })
  }

  /** Rejects with `OVERLOADED` when there are too many. */
  async live(query: Query, sink: LiveSink): Promise<OpenLiveQuery> {
    if (this.#lives.size >= limits.liveQueriesMax) {
      throw new BlazeError('OVERLOADED', `at most ${limits.liveQueriesMax} live queries at a time`)
    }
    const live = new LiveQuery(query, (id) => this.#o.view.read(query.collection, id), sink)
    // Before the first pass, so that no commit falls between the two.
    this.#lives.add(live)
    try {
      await this.scan(query, (state) => {
        live.offer(state)
        return true
      })
    } catch (error) {
      this.#lives.delete(live)
      throw error
    }
    live.loaded()
    return {
      take: () => live.take(),
      close: () => {
        this.#lives.delete(live)
      },
    }
  }

  /**
   * What fulfils the filter, as it is when the scan comes by, until `take` returns false. Sees all writes that were called before. A
   * record that changes meanwhile may be told twice or not at all.
   */
  scan({ collection, filter }: Query, take: (state: RecordState) => boolean): Promise<void> {
    const query = queryOf(collection, { filter })
    return this.#run(query, (run) => run.pass(take))
  }

  /** Tells live queries, after each change of the view. */
  changed(changes: readonly ShownChange[]): void {
    for (const run of this.#runs) for (const { collection, id } of changes) run.note(collection, id)
    for (const live of this.#lives) {
      for (const change of changes) if (live.concerns(change)) live.note(change)
      live.flush()
    }
  }

  /** Ends live queries, and scans under way, with `error`. Idempotent. */
  close(error: unknown): void {
    if (this.#closed !== undefined) return
    this.#closed = { error }
    for (const live of this.#lives) live.end(error)
    this.#lives.clear()
  }

  async #run<T>(query: Query, work: (run: QueryRun, pace: Pace) => Promise<T>): Promise<T> {
    const { env, view } = this.#o
    const writes = this.#o.settled()
    if (writes !== undefined) await writes
    const ready = view.ready()
    if (ready !== undefined) await ready
    this.#check()
    const pace = new Pace(env, () => this.#check())
    const run = new QueryRun({ query, view, pace })
    this.#runs.add(run)
    try {
      return await work(run, pace)
    } finally {
      this.#runs.delete(run)
    }
  }

  async #docs({ select }: Query, rows: readonly Row[], pace: Pace): Promise<Doc[]> {
    const project = compileProjection(select)
    const docs: Doc[] = []
    for (const { state } of rows) {
      docs.push(project(state))
      if (docs.length % DOCS_PER_LOOK === 0 && pace.spent(DOCS_PER_LOOK)) await pace.breathe()
    }
    return docs
  }

  /** The query whose first row has the extreme, when an index brings it along. */
  #asFirst(query: Query, [aggregate, ...others]: readonly Aggregate[]): Query | undefined {
    if (aggregate?.field === undefined || others.length > 0) return undefined
    const { op, field } = aggregate
    if (op !== 'min' && op !== 'max') return undefined
    const isThere: Filter = { field, op: '>=', value: null }
    const first: Query = {
      ...query,
      filter: query.filter === undefined ? isThere : { and: [query.filter, isThere] },
      order: [{ field, direction: op === 'min' ? 'asc' : 'desc' }],
      limit: 1,
    }
    const { kind, ordered } = planQuery(first, this.#o.view)
    return kind === 'index' && ordered > 0 ? first : undefined
  }

  #check(): void {
    if (this.#closed !== undefined) throw this.#closed.error
  }
}

const DOCS_PER_LOOK = 64
