/**
 * Matches put into the order of a query, as they come along a path that follows some first fields of that order.
 * Invariant: never holds more than was asked for, nor sorts more than `querySortedMax` in memory.
 */
import { BlazeError, limits } from '../../../runtime/index.ts'
import type { Order, Place } from '../query.ts'
import { RecordOrder } from '../query.ts'
import type { RecordState } from '../record/record.ts'
import { OrderedList } from './ordered-list.ts'

export interface Row {
  readonly place: Place
  readonly state: RecordState
}

export interface RowCollectorOptions {
  /** Empty for none. */
  readonly order: readonly Order[]
  /** How many first fields of it the path follows. */
  readonly ordered: number
  readonly after: Place | undefined
  /** Rows that are enough. */
  readonly enough: number
}

const NO_VALUES: readonly undefined[] = []

export class RowCollector {
  readonly #o: RowCollectorOptions
  readonly #order: RecordOrder | undefined
  /** Places that agree in the fields which the path follows differ in others. */
  readonly #sorts: boolean
  /** In order. */
  #rows: Row[] = []
  /** Those after `#rows`, which agree in the fields that the path follows. */
  #group: OrderedList<Row> | undefined
  /** Rows were left out because enough come before them. */
  #cut = false

  constructor(options: RowCollectorOptions) {
    this.#o = options
    this.#order = options.order.length === 0 ? undefined : new RecordOrder(options.order)
    this.#sorts = options.ordered < options.order.length
  }

  /** Returns whether more are wanted. */
  add(state: RecordState): boolean {
    const row = this.#rowOf(state)
    if (row === undefined) return true
    if (!this.#sorts) {
      this.#rows.push(row)
      return !this.full
    }
    const first = this.#group?.at(0)
    if (first !== undefined && this.#order?.compareFirst(first.place, row.place, this.#o.ordered) !== 0) {
      this.#endGroup()
      if (this.full) {
        this.#cut = true
        return false
      }
    }
    this.#sort(row)
    return true
  }

  get full(): boolean {
    return this.#rows.length >= this.#o.enough
  }

  /** Takes rows out whose records changed. Returns false when others would follow that were not kept. */
  drop(ids: ReadonlySet<string>): boolean {
    this.#endGroup()
    if (ids.size === 0) return true
    const kept = this.#rows.filter(({ place }) => !ids.has(place.id))
    const dropped = kept.length < this.#rows.length
    this.#rows = kept
    return !dropped || !this.#cut
  }

  /** Puts records in that the walk has left out, and returns the rows: the walk has ended, or they are enough. */
  finish(states: readonly RecordState[]): Row[] {
    this.#endGroup()
    const { enough } = this.#o
    const order = this.#order
    const rows = this.#rows.length > enough ? this.#rows.slice(0, enough) : this.#rows
    const missed = states.flatMap((state) => this.#rowOf(state) ?? [])
    if (missed.length === 0) return rows
    if (order === undefined) return [...rows, ...missed].slice(0, enough)
    rows.push(...missed)
    return rows.sort((a, b) => order.compare(a.place, b.place)).slice(0, enough)
  }

  #rowOf(state: RecordState): Row | undefined {
    if (this.#order === undefined) return { place: { values: NO_VALUES, id: state.id }, state }
    const place = this.#order.placeOf(state)
    const { after } = this.#o
    return after !== undefined && this.#order.compare(place, after) <= 0 ? undefined : { place, state }
  }

  #sort(row: Row): void {
    const order = this.#order
    if (order === undefined) return
    this.#group ??= new OrderedList((a, b) => order.compare(a.place, b.place))
    const group = this.#group
    const room = this.#o.enough - this.#rows.length
    const last = group.last()
    if (group.size >= room && last !== undefined && order.compare(row.place, last.place) >= 0) {
      this.#cut = true
      return
    }
    group.add(row)
    if (group.size > room) {
      this.#cut = true
      group.deleteLast()
    } else if (group.size > limits.querySortedMax) throw tooMany()
  }

  #endGroup(): void {
    if (this.#group === undefined) return
    for (const row of this.#group) this.#rows.push(row)
    this.#group = undefined
  }
}

function tooMany(): BlazeError {
  return new BlazeError(
    'TOO_LARGE',
    `a query sorts at most ${limits.querySortedMax} records in memory: create an index on the fields of orderBy, or set a limit`,
    { details: { limit: limits.querySortedMax } },
  )
}
