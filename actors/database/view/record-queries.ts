/**
 * Answers queries over the records that a view shows, and keeps the live ones going.
 * Invariant: a query sees every write that was called before it, and nothing that the view does not show.
 */
import { BlazeError, limits } from '../../../runtime/index.ts'
import type { Env } from '../../../runtime/index.ts'
import type { DatabaseRequest, OpenLiveQuery } from '../message.ts'
import { compileQuery, idOfMatches } from '../query.ts'
import type { Query } from '../query.ts'
import { docOf } from '../record/document.ts'
import type { Doc } from '../record/document.ts'
import type { RecordState } from '../record/record.ts'
import { answer } from '../reply.ts'
import type { CollectionIndex } from './collection-index.ts'
import { LiveQuery } from './live-query.ts'
import type { LiveSink, ShownChange } from './live-query.ts'

/** Records as they are shown. */
export interface RecordView {
  readonly index: CollectionIndex
  /** What is shown of a record, deleted ones included; undefined when it is unknown. */
  read(collection: string, id: string): RecordState | undefined
  /** The same for a pass over many records, which leaves what is kept at hand to those that are read one by one. */
  peek(collection: string, id: string): RecordState | undefined
}

export interface RecordQueriesOptions {
  readonly env: Env
  readonly view: RecordView
  /** Resolves when the writes that were called by now are shown; undefined when none waits. */
  settled(): Promise<void> | undefined
}

type QueryRequest = Extract<DatabaseRequest, { type: `query.${string}` }>

export class RecordQueries {
  readonly #o: RecordQueriesOptions
  readonly #lives = new Set<LiveQuery>()
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
      case 'query.count':
        answer(request.reply, this.count(request.query))
        return
      case 'query.live':
        answer(request.reply, this.live(request.query, request.sink))
        return
    }
  }

  async all(query: Query): Promise<Doc[]> {
    const docs: Doc[] = []
    const limit = query.limit ?? Infinity
    await this.scan(query, (state) => docs.length < limit && docs.push(docOf(state)) < limit)
    return docs
  }

  async count(query: Query): Promise<number> {
    let count = 0
    const limit = query.limit ?? Infinity
    await this.scan(query, () => count < limit && ++count < limit)
    return count
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

  /** Every match, as it is when the scan comes by, until `take` returns false. Sees all writes that were called before. */
  async scan(query: Query, take: (state: RecordState) => boolean): Promise<void> {
    const { view } = this.#o
    const writes = this.#o.settled()
    if (writes !== undefined) await writes
    const matches = compileQuery(query)
    // The ids of this moment: records that come later are not part of the answer, records that go are skipped.
    const ids = this.#candidates(query)
    for (let at = 0; at < ids.length; at += 1) {
      if (at % limits.scanSliceRecords === limits.scanSliceRecords - 1) await this.#breathe()
      const state = view.peek(query.collection, ids[at] as string)
      if (state !== undefined && matches(state) && !take(state)) return
    }
  }

  /** Tells live queries, after each change of the view. */
  changed(changes: readonly ShownChange[]): void {
    if (this.#lives.size === 0) return
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

  #candidates(query: Query): string[] {
    const { index } = this.#o.view
    const id = idOfMatches(query)
    if (id === undefined) return [...index.ids(query.collection)]
    return typeof id.value === 'string' && index.isAlive(query.collection, id.value) ? [id.value] : []
  }

  async #breathe(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#o.env.defer(resolve)
    })
    if (this.#closed !== undefined) throw this.#closed.error
  }
}
