/**
 * A database while it is open: answers requests from one opening of the store.
 * Invariant: every request is answered exactly once, and an answer never tells of a write that is not synced.
 */
import { assert, BlazeError, limits } from '../../runtime/index.ts'
import type { Env } from '../../runtime/index.ts'
import type { Space } from '../team/index.ts'
import { docOf } from './record/document.ts'
import type { KeyedView, RecordChange } from './keyed-view.ts'
import { LiveQuery } from './live-query.ts'
import type { DatabaseRequest, OpenLiveQuery, Reply, WriteStep } from './message.ts'
import { compileQuery } from './query.ts'
import type { Query } from './query.ts'
import { insertInto, putInto, restoreInto, updateInto } from './record/record-change.ts'
import type { RecordName } from './record/record-change.ts'
import type { ImportedRecord, RecordStep, RecordWriter } from './record-writer.ts'
import type { RecordState } from './record/record.ts'

const steps: Readonly<Record<WriteStep, RecordStep>> = {
  insert: insertInto,
  put: putInto,
  update: updateInto,
  restore: restoreInto,
}

export interface SessionOptions {
  readonly env: Env
  readonly space: Space
  readonly view: KeyedView
  readonly writer: RecordWriter
}

type Request<T extends DatabaseRequest['type']> = Extract<DatabaseRequest, { type: T }>

export class DatabaseSession {
  readonly space: Space
  readonly view: KeyedView
  readonly #env: Env
  readonly #writer: RecordWriter
  readonly #lives = new Set<LiveQuery>()
  #closed: BlazeError | undefined

  constructor(options: SessionOptions) {
    this.space = options.space
    this.view = options.view
    this.#env = options.env
    this.#writer = options.writer
  }

  /** Never throws but for a bug, and then the request was answered. */
  handle(request: DatabaseRequest): void {
    if (this.#closed !== undefined) {
      request.reply.reject(this.#closed)
      return
    }
    try {
      this.#dispatch(request)
    } catch (error) {
      request.reply.reject(error)
      if (!(error instanceof BlazeError)) throw error
    }
  }

  /** Tells live queries, after each synced batch. */
  changed(changes: readonly RecordChange[]): void {
    if (this.#lives.size === 0) return
    for (const live of this.#lives) {
      for (const change of changes) if (change.collection === live.collection) live.note(change)
      live.flush()
    }
  }

  /** Ends live queries with `error`, syncs what is staged and closes the store. Idempotent. */
  async close(error: BlazeError = closed()): Promise<void> {
    if (this.#closed === undefined) {
      this.#closed = error
      for (const live of this.#lives) live.end(error)
      this.#lives.clear()
      this.view.close()
    }
    await this.space.close()
  }

  #dispatch(request: DatabaseRequest): void {
    switch (request.type) {
      case 'record.get':
        this.#get(request)
        return
      case 'record.write':
        this.#write(request)
        return
      case 'record.delete':
        answer(request.reply, this.#writer.delete(request.collection, request.id))
        return
      case 'query.all':
        answer(request.reply, this.#all(request.query))
        return
      case 'query.count':
        answer(request.reply, this.#count(request.query))
        return
      case 'query.live':
        answer(request.reply, this.#live(request))
        return
      case 'mirror.import':
        answer(request.reply, this.#writer.import(request.records))
        return
      case 'mirror.list':
        request.reply.resolve(this.#list(request.collections))
        return
      case 'mirror.read':
        request.reply.resolve(this.#export(request.names))
        return
      case 'mirror.local':
        answer(request.reply, this.#hasLocal(request.collection))
        return
    }
  }

  #get({ collection, id, reply }: Request<'record.get'>): void {
    if (!this.#writer.isWriting(collection, id)) {
      reply.resolve(shown(this.view.read(collection, id)))
      return
    }
    const settled = this.space.replica.settled()
    answer(
      reply,
      settled.then(() => shown(this.view.read(collection, id))),
    )
  }

  #write({ step, collection, inputs, reply }: Request<'record.write'>): void {
    assert(inputs.length <= limits.bulkChunkRecords, 'a write is one chunk')
    const ids = new Set(inputs.map(({ id }) => id))
    if (ids.size !== inputs.length) {
      throw new BlazeError('RECORD_EXISTS', 'two records of the call have the same id', {
        details: { collection },
      })
    }
    answer(reply, this.#writer.write(collection, inputs, steps[step]))
  }

  async #all(query: Query): Promise<ReturnType<typeof docOf>[]> {
    const docs: ReturnType<typeof docOf>[] = []
    const limit = query.limit ?? Infinity
    await this.#scan(query, (state) => docs.length < limit && docs.push(docOf(state)) < limit)
    return docs
  }

  async #count(query: Query): Promise<number> {
    let count = 0
    const limit = query.limit ?? Infinity
    await this.#scan(query, () => count < limit && ++count < limit)
    return count
  }

  async #live({ query, sink }: Request<'query.live'>): Promise<OpenLiveQuery> {
    if (this.#lives.size >= limits.liveQueriesMax) {
      throw new BlazeError('OVERLOADED', `at most ${limits.liveQueriesMax} live queries at a time`)
    }
    const live = new LiveQuery(query, (id) => this.view.read(query.collection, id), sink)
    // Before the first pass, so that no commit falls between the two.
    this.#lives.add(live)
    try {
      await this.#scan(query, (state) => {
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
  async #scan(query: Query, take: (state: RecordState) => boolean): Promise<void> {
    if (this.#writer.anyWriting) await this.space.replica.settled()
    const matches = compileQuery(query)
    // The ids of this moment: records that come later are not part of the answer, records that go are skipped.
    const ids = [...this.view.index.ids(query.collection)]
    for (let at = 0; at < ids.length; at += 1) {
      if (at % limits.scanSliceRecords === limits.scanSliceRecords - 1) await this.#breathe()
      const state = this.view.peek(query.collection, ids[at] as string)
      if (state !== undefined && matches(state) && !take(state)) return
    }
  }

  #list(collections: readonly string[] | undefined): RecordName[] {
    const names: RecordName[] = []
    const { index } = this.view
    for (const collection of collections ?? index.collections()) {
      for (const id of index.ids(collection)) names.push({ collection, id })
      for (const id of index.deletedIds(collection)) names.push({ collection, id })
    }
    return names
  }

  #export(names: readonly RecordName[]): ImportedRecord[] {
    const records: ImportedRecord[] = []
    for (const { collection, id } of names) {
      const state = this.view.read(collection, id)
      if (state !== undefined) records.push({ ...state, home: state.home ?? this.space.spaceId })
    }
    return records
  }

  async #hasLocal(collection: string): Promise<boolean> {
    let found = false
    await this.#scan({ collection, conditions: [], limit: undefined }, (state) => {
      found = state.home === null
      return !found
    })
    return found
  }

  async #breathe(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#env.defer(resolve)
    })
    if (this.#closed !== undefined) throw this.#closed
  }
}

function shown(state: RecordState | undefined): ReturnType<typeof docOf> | undefined {
  return state === undefined || state.deleted !== undefined ? undefined : docOf(state)
}

function answer<R>(reply: Reply<R>, work: Promise<R>): void {
  work.then(reply.resolve, reply.reject)
}

function closed(): BlazeError {
  return new BlazeError('CLOSED', 'the database was closed')
}
