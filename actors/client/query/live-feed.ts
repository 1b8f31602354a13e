/**
 * What a live query tells, by iteration or callback, one delta at a time.
 * Invariant: one consumer; deltas come in order of commits; what a slow consumer has not taken is merged, one change per record.
 */
import type { LiveDelta, OpenLiveQuery, Query, RecordDatabase } from '../../database/index.ts'
import { fetchLarge } from '../large-values.ts'

export interface LiveFeedOptions<T> {
  readonly database: RecordDatabase
  readonly query: Query
  /** What the consumer gets of a delta. */
  readonly told: (delta: LiveDelta) => T
  /** Called with each; without it the consumer iterates. */
  readonly callback: ((value: T) => void) | undefined
}

export class LiveFeed<T> implements AsyncIterable<T> {
  /** Resolves after `close()`; rejects with why the database ended it, or with what the callback threw. */
  readonly closed: Promise<void>
  readonly #database: RecordDatabase
  readonly #told: (delta: LiveDelta) => T
  #open: OpenLiveQuery | undefined
  #end: { readonly error: Error | undefined } | undefined
  #settle: { resolve(): void; reject(error: unknown): void } | undefined
  #wake: (() => void) | undefined
  #consumed = false

  constructor({ database, query, told, callback }: LiveFeedOptions<T>) {
    if (callback !== undefined && typeof callback !== 'function') {
      throw new TypeError('callback: expected a function, or none')
    }
    this.#database = database
    this.#told = told
    this.closed = new Promise<void>((resolve, reject) => {
      this.#settle = { resolve, reject }
    })
    // Whoever does not ask how it ended is not told.
    this.closed.catch(() => undefined)
    const sink = {
      ready: () => this.#wake?.(),
      ended: (error: unknown) => this.#finish(error),
    }
    database
      .request<OpenLiveQuery>((reply) => ({ type: 'query.live', query, sink, reply }))
      .then(
        (open) => {
          if (this.#end !== undefined) open.close()
          else this.#open = open
          this.#wake?.()
        },
        (error: unknown) => this.#finish(error),
      )
    if (callback !== undefined) void this.#pump(callback)
  }

  /** Ends it; an iteration that waits ends too. Idempotent. */
  close(): void {
    this.#finish(undefined)
  }

  /** `TypeError` for a second consumer. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    if (this.#consumed) throw new TypeError('a live query has one consumer')
    this.#consumed = true
    try {
      for (;;) {
        const delta = this.#end === undefined ? this.#open?.take() : undefined
        if (delta !== undefined) {
          const fetching = fetchLarge(this.#database, [...delta.added, ...delta.changed])
          if (fetching !== undefined) await this.#fetched(fetching)
          yield this.#tell(delta)
          continue
        }
        if (this.#end !== undefined) {
          if (this.#end.error !== undefined) throw this.#end.error
          return
        }
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
      }
    } finally {
      this.close()
    }
  }

  async #fetched(fetching: Promise<void>): Promise<void> {
    try {
      await fetching
    } catch (error) {
      this.#finish(error)
      throw error
    }
  }

  /** What it throws ends the feed with that error. */
  #tell(delta: LiveDelta): T {
    try {
      return this.#told(delta)
    } catch (error) {
      this.#finish(error)
      throw error
    }
  }

  async #pump(callback: (value: T) => unknown): Promise<void> {
    try {
      for await (const value of this) {
        try {
          // One that is async is waited for, so that what it rejects with is not lost.
          await callback(value)
        } catch (error) {
          this.#finish(error)
        }
      }
    } catch (error) {
      // Why the database ended it: told already.
      this.#finish(error)
    }
  }

  #finish(error: unknown): void {
    if (this.#end !== undefined) return
    const reason =
      error === undefined || error instanceof Error
        ? error
        : new Error('a live query ended', { cause: error })
    this.#end = { error: reason }
    this.#open?.close()
    if (reason === undefined) this.#settle?.resolve()
    else this.#settle?.reject(reason)
    this.#wake?.()
  }
}
