/**
 * The matches of a live query that are shown: all of them, or those within the offset and the limit of its order.
 * Invariant: it tells each id that comes into view or leaves it, at a cost that depends on what changed and not on how many match.
 */
import { RecordOrder } from '../query.ts'
import type { Order, Place } from '../query.ts'
import type { RecordState } from '../record/record.ts'
import { OrderedList } from './ordered-list.ts'

export interface LiveWindow {
  readonly ordered: boolean
  has(id: string): boolean
  /** Where it stands in view; undefined without an order. */
  positionOf(id: string): number | undefined
  /** Ids in view, in order if there is one. */
  ids(): Iterable<string>
  /** A record as it is now; undefined when it does not match. `moved` is called with each id before it comes or goes. */
  set(id: string, state: RecordState | undefined, moved: (id: string) => void): void
}

export interface WindowShape {
  /** Empty for none. */
  readonly order: readonly Order[]
  readonly offset: number
  readonly limit: number
  readonly after: Place | undefined
}

export function createLiveWindow(shape: WindowShape): LiveWindow {
  return shape.order.length === 0 ? new UnorderedWindow() : new OrderedWindow(shape)
}

class UnorderedWindow implements LiveWindow {
  readonly ordered = false
  readonly #ids = new Set<string>()

  has(id: string): boolean {
    return this.#ids.has(id)
  }

  positionOf(): undefined {
    return undefined
  }

  ids(): Iterable<string> {
    return this.#ids
  }

  set(id: string, state: RecordState | undefined, moved: (id: string) => void): void {
    const before = this.#ids.has(id)
    if (before === (state !== undefined)) return
    moved(id)
    if (before) this.#ids.delete(id)
    else this.#ids.add(id)
  }
}

class OrderedWindow implements LiveWindow {
  readonly ordered = true
  readonly #order: RecordOrder
  readonly #after: Place | undefined
  readonly #start: number
  readonly #end: number
  /** All matches. */
  readonly #places = new Map<string, Place>()
  readonly #list: OrderedList<Place>
  readonly #shown = new Set<string>()

  constructor({ order, offset, limit, after }: WindowShape) {
    this.#order = new RecordOrder(order)
    this.#after = after
    this.#start = offset
    this.#end = offset + limit
    this.#list = new OrderedList((a, b) => this.#order.compare(a, b))
  }

  has(id: string): boolean {
    return this.#shown.has(id)
  }

  positionOf(id: string): number | undefined {
    const place = this.#places.get(id)
    return place === undefined ? undefined : this.#list.positionOf(place) - this.#start
  }

  *ids(): Iterable<string> {
    let at = 0
    for (const { id } of this.#list) {
      if (at >= this.#end) return
      if (at >= this.#start) yield id
      at += 1
    }
  }

  set(id: string, state: RecordState | undefined, moved: (id: string) => void): void {
    const before = this.#places.get(id)
    const place = state === undefined ? undefined : this.#order.placeOf(state)
    const after = place !== undefined && this.#isAfter(place) ? place : undefined
    if (before !== undefined && after !== undefined && this.#order.compare(before, after) === 0) return
    if (before !== undefined) this.#take(before, moved)
    if (after !== undefined) this.#put(after, moved)
  }

  #put(place: Place, moved: (id: string) => void): void {
    const { id } = place
    this.#places.set(id, place)
    const at = this.#list.add(place)
    if (at >= this.#end || this.#start === this.#end) return
    // What was the last one in view is pushed out, and the last one before it is pushed in.
    this.#hide(this.#list.at(this.#end)?.id, moved)
    this.#show(at >= this.#start ? id : this.#list.at(this.#start)?.id, moved)
  }

  #take(place: Place, moved: (id: string) => void): void {
    const { id } = place
    this.#places.delete(id)
    const at = this.#list.delete(place)
    if (at >= this.#end || this.#start === this.#end) return
    this.#hide(at >= this.#start ? id : this.#list.at(this.#start - 1)?.id, moved)
    this.#show(this.#list.at(this.#end - 1)?.id, moved)
  }

  #show(id: string | undefined, moved: (id: string) => void): void {
    if (id === undefined || this.#shown.has(id)) return
    moved(id)
    this.#shown.add(id)
  }

  #hide(id: string | undefined, moved: (id: string) => void): void {
    if (id === undefined || !this.#shown.has(id)) return
    moved(id)
    this.#shown.delete(id)
  }

  #isAfter(place: Place): boolean {
    return this.#after === undefined || this.#order.compare(place, this.#after) > 0
  }
}
