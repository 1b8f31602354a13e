/**
 * A query that stays: first all matches as added, then what each commit changed.
 * Invariant: what waits for a slow consumer is one change per record, never one per write; ids match exactly what was delivered.
 */
import type { Doc } from '../record/document.ts'
import { docOf } from '../record/document.ts'
import { compileQuery, idOfMatches } from '../query.ts'
import type { Predicate, Query } from '../query.ts'
import type { RecordState } from '../record/record.ts'

/** A record whose shown state may have changed; `state` is undefined when nothing of it is shown any more. */
export interface ShownChange {
  readonly collection: string
  readonly id: string
  readonly state: RecordState | undefined
}

export interface LiveDelta {
  readonly added: Doc[]
  readonly changed: Doc[]
  /** Ids. */
  readonly removed: string[]
}

/** Where the deltas go; told at most once until it takes. */
export interface LiveSink {
  /** Something can be taken. */
  ready(): void
  /** Nothing more will come; an error says why, none that it was closed. */
  ended(error: unknown): void
}

type Kind = 'added' | 'changed' | 'removed'

export class LiveQuery {
  readonly #collection: string
  readonly #id: ReturnType<typeof idOfMatches>
  readonly #matches: Predicate
  readonly #read: (id: string) => RecordState | undefined
  readonly #sink: LiveSink
  /** Ids that match now. */
  readonly #matching = new Set<string>()
  /** What the consumer has not seen, by id. */
  #pending = new Map<string, Kind>()
  #loaded = false
  #first = true

  constructor(query: Query, read: (id: string) => RecordState | undefined, sink: LiveSink) {
    this.#collection = query.collection
    this.#id = idOfMatches(query)
    this.#matches = compileQuery(query)
    this.#read = read
    this.#sink = sink
  }

  /** A record of the first pass. Not told yet: all of them come together. */
  offer(state: RecordState): void {
    if (!this.#matching.has(state.id)) this.#note(state.id, state)
  }

  /** The first pass is complete. */
  loaded(): void {
    this.#loaded = true
    this.#sink.ready()
  }

  /** Whether the change can matter here. */
  concerns({ collection, id }: ShownChange): boolean {
    return collection === this.#collection && (this.#id === undefined || this.#id.value === id)
  }

  /** A record that concerns the query changed. */
  note(change: ShownChange): void {
    this.#note(change.id, change.state)
  }

  /** After the changes of one commit. */
  flush(): void {
    if (this.#loaded && this.#pending.size > 0) this.#sink.ready()
  }

  end(error: unknown): void {
    this.#sink.ended(error)
  }

  /** What the consumer has not seen, as it is now; undefined when there is nothing, or not yet. */
  take(): LiveDelta | undefined {
    if (!this.#loaded || (this.#pending.size === 0 && !this.#first)) return undefined
    this.#first = false
    const pending = this.#pending
    this.#pending = new Map()
    const delta: LiveDelta = { added: [], changed: [], removed: [] }
    for (const [id, kind] of pending) {
      if (kind === 'removed') {
        delta.removed.push(id)
        continue
      }
      const state = this.#read(id)
      if (state !== undefined) delta[kind].push(docOf(state))
    }
    return delta
  }

  #note(id: string, state: RecordState | undefined): void {
    const before = this.#matching.has(id)
    const after = state !== undefined && this.#matches(state)
    if (!before && !after) return
    const waiting = this.#pending.get(id)
    if (after) {
      this.#matching.add(id)
      // A consumer that knew the record before it went and came back sees it changed.
      const known = before ? waiting !== 'added' : waiting === 'removed'
      this.#pending.set(id, known ? 'changed' : 'added')
    } else {
      this.#matching.delete(id)
      if (waiting === 'added') this.#pending.delete(id)
      else this.#pending.set(id, 'removed')
    }
  }
}
