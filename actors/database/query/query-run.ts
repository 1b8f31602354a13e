/**
 * One query over a view, while it is answered.
 * Invariant: rows along an index are those of one moment, the last one: a record that changes during the walk is read again at its
 * end. Along every other path each record is looked at once, and as it is then.
 */
import { assert, BlazeError, limits } from '../../../runtime/index.ts'
import { compileQuery, RecordOrder } from '../query.ts'
import type { Query } from '../query.ts'
import type { RecordState } from '../record/record.ts'
import type { RecordView } from '../view/record-view.ts'
import type { Predicate } from './condition.ts'
import type { Pace } from './pace.ts'
import { planQuery } from './plan.ts'
import type { Plan } from './plan.ts'
import { PlanWalk } from './plan-walk.ts'
import { RowCollector } from './row-collector.ts'
import type { Row } from './row-collector.ts'

export interface QueryRunOptions {
  readonly query: Query
  readonly view: RecordView
  readonly pace: Pace
}

export interface FoundRows {
  /** In order, without those of the offset. */
  readonly rows: readonly Row[]
  /** There is one more than the limit. */
  readonly more: boolean
}

export class QueryRun {
  readonly #query: Query
  readonly #view: RecordView
  readonly #pace: Pace
  readonly #matches: Predicate
  #plan: Plan
  #examined = 0
  /** Records that changed while an index is walked. */
  readonly #changed = new Set<string>()

  constructor({ query, view, pace }: QueryRunOptions) {
    this.#query = query
    this.#view = view
    this.#pace = pace
    this.#matches = compileQuery(query)
    this.#plan = planQuery(query, view)
  }

  get plan(): Plan {
    return this.#plan
  }

  get examined(): number {
    return this.#examined
  }

  /** A record of the database changed. */
  note(collection: string, id: string): void {
    if (this.#plan.kind !== 'index' || collection !== this.#query.collection) return
    // One more than the bound says all that is to be said.
    if (this.#changed.size <= limits.queryChangedMax) this.#changed.add(id)
  }

  /** What the plan's paths hold of matches, each when it is met, in no order. */
  async pass(take: (state: RecordState) => boolean): Promise<void> {
    const walk = this.#walk(Infinity)
    try {
      await walk.run(take)
    } finally {
      walk.close()
    }
  }

  /** With `extra`, looks for one more than the limit. */
  async rows(extra = false): Promise<FoundRows> {
    const { limit = Infinity, offset } = this.#query
    if (limit === 0) return { rows: [], more: false }
    const enough = offset + limit + (extra ? 1 : 0)
    let found = await this.#rowsAlong(enough)
    if (found === undefined) {
      this.#withoutIndex()
      found = await this.#rowsAlong(enough)
    }
    assert(found !== undefined, 'along other paths than indexes nothing changes')
    return { rows: found.slice(offset, offset + limit), more: found.length > offset + limit }
  }

  /** Undefined when rows were left out that changes have made room for. */
  async #rowsAlong(enough: number): Promise<Row[] | undefined> {
    const { order, ordered } = this.#plan
    const collector = new RowCollector({ order, ordered, after: this.#query.after, enough })
    const walk = this.#walk(enough)
    try {
      for (;;) {
        const ended = await walk.run((state) => this.#changed.has(state.id) || collector.add(state))
        this.#checkChanged()
        if (!collector.drop(this.#changed)) return undefined
        if (ended || collector.full) return collector.finish(this.#changedMatches())
      }
    } finally {
      this.#examined += walk.examined
      walk.close()
    }
  }

  /** Every match once, in no order; the limit is not looked at. `reset` comes before what was told is told anew. */
  async each(take: (state: RecordState) => boolean, reset: () => void): Promise<void> {
    await this.#eachAlong(take)
    if (this.#changed.size === 0) return
    // Along the index a record that moved was met twice or not at all.
    this.#withoutIndex()
    reset()
    await this.#eachAlong(take)
  }

  async #eachAlong(take: (state: RecordState) => boolean): Promise<void> {
    const { after } = this.#query
    const order = after === undefined ? undefined : new RecordOrder(this.#plan.order)
    const walk = this.#walk(Infinity)
    const isAfter = (state: RecordState): boolean =>
      after === undefined || order === undefined || order.compare(order.placeOf(state), after) > 0
    try {
      await walk.run((state) => this.#changed.size === 0 && (!isAfter(state) || take(state)))
    } finally {
      this.#examined += walk.examined
      walk.close()
    }
  }

  /** Along every other path a record is met once, whatever changes. */
  #withoutIndex(): void {
    this.#changed.clear()
    this.#plan = planQuery(this.#query, { indexes: () => [], hasCutKeys: () => false })
  }

  #walk(enough: number): PlanWalk {
    return new PlanWalk({
      view: this.#view,
      collection: this.#query.collection,
      paths: this.#plan.paths,
      matches: this.#matches,
      pace: this.#pace,
      enough,
    })
  }

  /** Those of the changed records that match now. */
  #changedMatches(): RecordState[] {
    const states: RecordState[] = []
    for (const id of this.#changed) {
      const state = this.#view.peek(this.#query.collection, id)
      if (state !== undefined && this.#matches(state)) states.push(state)
    }
    return states
  }

  #checkChanged(): void {
    if (this.#changed.size <= limits.queryChangedMax) return
    throw new BlazeError('OVERLOADED', 'too many records changed while the query walked along an index')
  }
}
