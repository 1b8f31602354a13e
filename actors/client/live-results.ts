/**
 * The deltas of a live query, by iteration or callback.
 * Invariant: one consumer; deltas come in order of commits; what a slow consumer has not taken is merged, one change per record.
 */
import type { Database, LiveDelta, OpenLiveQuery, Query } from '../database/index.ts'

export class LiveResults implements AsyncIterable<LiveDelta> {
  /** Resolves after `close()`; rejects with why the database ended it, or with what the callback threw. */
  readonly closed: Promise<void>
  #open: OpenLiveQuery | undefined
  #end: { readonly error: Error | undefined } | undefined
  #settle: { resolve(): void; reject(error: unknown): void } | undefined
  #wake: (() => void) | undefined
  #consumed = false

  /** For `QueryBuilder.live`. */
  constructor(database: Database, query: Query, callback: ((delta: LiveDelta) => void) | undefined) {
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
  async *[Symbol.asyncIterator](): AsyncGenerator<LiveDelta, void, undefined> {
    if (this.#consumed) throw new TypeError('a live query has one consumer')
    this.#consumed = true
    try {
      for (;;) {
        const delta = this.#end === undefined ? this.#open?.take() : undefined
        if (delta !== undefined) {
          yield delta
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

  async #pump(callback: (delta: LiveDelta) => void): Promise<void> {
    try {
      for await (const delta of this) {
        try {
          callback(delta)
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
