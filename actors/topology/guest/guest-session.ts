/**
 * A copy while it is open: answers what is read from it, whoever is connected.
 * Invariant: every request is answered exactly once, and from what is shown at that moment.
 */
import { BlazeError } from '../../../runtime/index.ts'
import type { Env } from '../../../runtime/index.ts'
import { docOf, handleRequest, RecordQueries } from '../../database/index.ts'
import type { RecordRequest, ShownChange } from '../../database/index.ts'
import type { MirrorView } from './mirror-view.ts'

export type ReadRequest = Exclude<RecordRequest, { type: 'record.write' | 'record.delete' }>

export class GuestSession {
  readonly view: MirrorView
  /** Where the copy is. */
  readonly at: string
  readonly #queries: RecordQueries
  #closed: BlazeError | undefined

  constructor(env: Env, view: MirrorView, at: string) {
    this.view = view
    this.at = at
    // A write resolves when it is shown, so nothing has to be waited for.
    this.#queries = new RecordQueries({ env, view, settled: () => undefined })
  }

  /** Never throws but for a bug, and then the request was answered. */
  handle(request: ReadRequest): void {
    handleRequest(request, this.#closed, (open) => this.#dispatch(open))
  }

  /** Tells live queries. */
  changed(changes: readonly ShownChange[]): void {
    if (changes.length > 0) this.#queries.changed(changes)
  }

  /** Ends queries with `error`; resolves when the directory is free. Idempotent. */
  async close(error: BlazeError): Promise<void> {
    if (this.#closed === undefined) {
      this.#closed = error
      this.#queries.close(error)
    }
    await this.view.close()
  }

  #dispatch(request: ReadRequest): void {
    switch (request.type) {
      case 'record.get': {
        const state = this.view.read(request.collection, request.id)
        request.reply.resolve(state === undefined ? undefined : docOf(state))
        return
      }
      case 'query.all':
      case 'query.page':
      case 'query.count':
      case 'query.aggregate':
      case 'query.explain':
      case 'query.live':
        this.#queries.handle(request)
        return
      case 'large.read':
        // Chunks stay with the host.
        request.reply.resolve(undefined)
        return
      case 'index.list':
        request.reply.resolve([])
        return
      case 'index.create':
      case 'index.drop':
        request.reply.reject(new BlazeError('NOT_SUPPORTED', "a guest makes no indexes: they are the host's"))
        return
    }
  }
}
