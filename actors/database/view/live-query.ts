/**
 * A query that stays: first all matches as added, then what each commit changed.
 * Invariant: what waits for a slow consumer is one change per record, never one per write; what is in view is exactly what was
 * delivered and what waits.
 */
import { compileQuery, idOfMatches, orderOf, BY_ID } from '../query.ts'
import type { Query } from '../query.ts'
import type { Predicate } from '../query/condition.ts'
import { createLiveWindow } from '../query/live-window.ts'
import type { LiveWindow } from '../query/live-window.ts'
import { compileProjection } from '../query/projection.ts'
import type { Projection } from '../query/projection.ts'
import type { Doc } from '../record/document.ts'
import type { RecordState } from '../record/record.ts'

/** A record whose shown state may have changed; `state` is undefined when nothing of it is shown any more. */
export interface ShownChange {
  readonly collection: string
  readonly id: string
  readonly state: RecordState | undefined
}

export interface LiveDelta<D = Doc> {
  readonly added: D[]
  readonly changed: D[]
  /** Ids. */
  readonly removed: string[]
  /**
   * With an order: where each of `added` and `changed` stands in the result, the first one first. Whoever keeps a list takes `removed`
   * and all of these out of it, and then puts these in, one after the other.
   */
  readonly positions?: readonly LivePosition[]
}

export interface LivePosition {
  readonly id: string
  /** From 0. */
  readonly at: number
}

/** Where the deltas go; told at most once until it takes. */
export interface LiveSink {
  /** Something can be taken. */
  ready(): void
  /** Nothing more will come; an error says why, none that it was closed. */
  ended(error: unknown): void
}

/** What the consumer has not seen of a record. */
interface Pending {
  /** It has the record. */
  readonly known: boolean
  changed: boolean
}

export class LiveQuery {
  readonly #collection: string
  readonly #id: ReturnType<typeof idOfMatches>
  readonly #matches: Predicate
  readonly #project: Projection
  readonly #read: (id: string) => RecordState | undefined
  readonly #sink: LiveSink
  readonly #window: LiveWindow
  #pending = new Map<string, Pending>()
  #loaded = false
  /** While the first pass runs: records that changed since it began, of which it may tell something older. */
  readonly #noted = new Set<string>()
  /** Until the first delta was taken: copies made during the first pass. Undefined when few of the matches will be in view. */
  #docs: Map<string, Doc> | undefined
  #first = true
  /** Something in view changed that the first delta will tell. */
  #stirred = false

  constructor(query: Query, read: (id: string) => RecordState | undefined, sink: LiveSink) {
    const { limit, offset, after } = query
    this.#collection = query.collection
    this.#id = idOfMatches(query)
    this.#matches = compileQuery(query)
    this.#project = compileProjection(query.select)
    this.#read = read
    this.#sink = sink
    const order = orderOf(query)
    this.#window = createLiveWindow({
      // A limit without an order takes the first by id, so that every replica shows the same.
      order: order.length === 0 && limit !== undefined ? BY_ID : order,
      offset,
      limit: limit ?? Infinity,
      after,
    })
    this.#docs = limit === undefined ? new Map() : undefined
  }

  /** A record of the first pass. Not told yet: all of them come together. */
  offer(state: RecordState): void {
    if (this.#noted.has(state.id)) return
    this.#docs?.set(state.id, this.#project(state))
    this.#window.set(state.id, state, NOBODY)
  }

  /** The first pass is complete. */
  loaded(): void {
    this.#loaded = true
    this.#noted.clear()
    this.#sink.ready()
  }

  /** Whether the change can matter here. */
  concerns({ collection, id }: ShownChange): boolean {
    return collection === this.#collection && (this.#id === undefined || this.#id.value === id)
  }

  /** A record that concerns the query changed. */
  note({ id, state }: ShownChange): void {
    const window = this.#window
    const matching = state !== undefined && this.#matches(state) ? state : undefined
    if (this.#first) {
      if (!this.#loaded) this.#noted.add(id)
      this.#docs?.delete(id)
      const before = window.has(id)
      window.set(id, matching, NOBODY)
      this.#stirred ||= before || window.has(id)
      return
    }
    const moved = new Set<string>()
    const mark = (one: string): void => {
      if (!this.#pending.has(one)) this.#pending.set(one, { known: window.has(one), changed: false })
      moved.add(one)
    }
    if (window.has(id)) mark(id)
    window.set(id, matching, mark)
    const own = this.#pending.get(id)
    if (own !== undefined) own.changed = true
    for (const one of moved) this.#settle(one)
  }

  /** After the changes of one commit. */
  flush(): void {
    if (this.#loaded && (this.#pending.size > 0 || this.#stirred)) this.#sink.ready()
    this.#stirred = false
  }

  end(error: unknown): void {
    this.#sink.ended(error)
  }

  /** What the consumer has not seen, as it is now; undefined when there is nothing, or not yet. */
  take(): LiveDelta | undefined {
    if (!this.#loaded || (this.#pending.size === 0 && !this.#first)) return undefined
    return this.#first ? this.#takeFirst() : this.#takeChanges()
  }

  #takeFirst(): LiveDelta {
    this.#first = false
    const docs = this.#docs
    this.#docs = undefined
    const added: Doc[] = []
    const positions: LivePosition[] = []
    for (const id of this.#window.ids()) {
      const doc = docs?.get(id) ?? this.#docOf(id)
      if (doc === undefined) continue
      positions.push({ id, at: added.length })
      added.push(doc)
    }
    return this.#delta({ added, changed: [], removed: [] }, positions)
  }

  #takeChanges(): LiveDelta {
    const pending = this.#pending
    this.#pending = new Map()
    const delta: LiveDelta = { added: [], changed: [], removed: [] }
    const positions: LivePosition[] = []
    for (const [id, { known }] of pending) {
      if (!this.#window.has(id)) {
        delta.removed.push(id)
        continue
      }
      const doc = this.#docOf(id)
      if (doc === undefined) continue
      delta[known ? 'changed' : 'added'].push(doc)
      const at = this.#window.positionOf(id)
      if (at !== undefined) positions.push({ id, at })
    }
    return this.#delta(
      delta,
      positions.sort((a, b) => a.at - b.at),
    )
  }

  #delta(delta: LiveDelta, positions: readonly LivePosition[]): LiveDelta {
    return this.#window.ordered ? { ...delta, positions } : delta
  }

  #docOf(id: string): Doc | undefined {
    const state = this.#read(id)
    return state === undefined ? undefined : this.#project(state)
  }

  /** Forgets what comes to nothing: it came and went again. */
  #settle(id: string): void {
    const waiting = this.#pending.get(id)
    if (waiting === undefined) return
    const shown = this.#window.has(id)
    if (waiting.known === shown && !(shown && waiting.changed)) this.#pending.delete(id)
  }
}

const NOBODY = (): void => undefined
