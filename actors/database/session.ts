/**
 * A database while it is open: answers requests from one opening of the store.
 * Invariant: every request is answered exactly once, and an answer tells of no write that is not synced, but to a transaction under
 * way, and to its writer where durability is relaxed.
 */
import { assert, BlazeError, limits } from '../../runtime/index.ts'
import type { CryptoProvider, Env } from '../../runtime/index.ts'
import type { Space } from '../team/index.ts'
import { ChunkSweeper } from './chunk/chunk-sweep.ts'
import { LargeGate } from './chunk/large-gate.ts'
import { hasLarge, LargeStore } from './chunk/large-store.ts'
import type { GuestPolicy, GuestWritten } from './guest-policy.ts'
import { guestDelete, guestStep, isHiddenHome } from './guest-step.ts'
import type { ConflictInbox } from './inbox/conflict-inbox.ts'
import type { DatabaseRequest } from './message.ts'
import { queryOf } from './query.ts'
import { docOf } from './record/document.ts'
import type { Doc } from './record/document.ts'
import type { RecordName } from './record/record-change.ts'
import type { RecordState } from './record/record.ts'
import { answer, handleRequest } from './reply.ts'
import { schemaStep } from './record/schema-step.ts'
import { writeSteps } from './record/write-step.ts'
import { checkDistinct } from './record-writer.ts'
import type { ImportedRecord, RecordInput, RecordWriter } from './record-writer.ts'
import type { KeyedView, RecordChange } from './view/keyed-view.ts'
import { readMirrorPage } from './view/mirror-page.ts'
import { RecordQueries } from './view/record-queries.ts'
import { Transactions } from './transaction/transactions.ts'

export interface SessionOptions {
  readonly env: Env
  readonly crypto: CryptoProvider
  readonly space: Space
  readonly view: KeyedView
  readonly writer: RecordWriter
  readonly inbox: ConflictInbox
  /** Whether a replica id belongs to this device, now or before a rebase. */
  isOwn(replicaId: Uint8Array): boolean
}

type Request<T extends DatabaseRequest['type']> = Extract<DatabaseRequest, { type: T }>

export class DatabaseSession {
  readonly space: Space
  readonly view: KeyedView
  readonly inbox: ConflictInbox
  readonly #writer: RecordWriter
  readonly #queries: RecordQueries
  readonly #transactions: Transactions
  readonly #large: LargeStore
  readonly #gate = new LargeGate()
  readonly #sweeper: ChunkSweeper
  #closed: BlazeError | undefined

  constructor(options: SessionOptions) {
    this.space = options.space
    this.view = options.view
    this.inbox = options.inbox
    this.#writer = options.writer
    const { env, crypto, space, view, writer } = options
    this.#large = new LargeStore({ env, crypto, view, writer })
    this.#transactions = new Transactions({ env, view, writer, replica: space.replica, large: this.#large })
    this.#sweeper = new ChunkSweeper(options)
    this.#queries = new RecordQueries({
      env: options.env,
      view: options.view,
      settled: () => (options.writer.anyWriting ? options.space.replica.settled() : undefined),
    })
  }

  /** Never throws but for a bug, and then the request was answered. */
  handle(request: DatabaseRequest): void {
    handleRequest(request, this.#closed, (open) => this.#dispatch(open))
  }

  /** What `record.get` would answer, or undefined when it could not at once. */
  readNow(collection: string, id: string): { readonly doc: Doc | undefined } | undefined {
    if (this.#closed !== undefined || this.#writer.anyWriting) return undefined
    try {
      return { doc: shown(this.view.read(collection, id)) }
    } catch {
      // The cell meets it again in its own turn, where a bug is supervised.
      return undefined
    }
  }

  /** Tells live queries, after each synced batch. */
  changed(changes: readonly RecordChange[]): void {
    this.#queries.changed(changes)
    this.#transactions.changed(changes)
    this.#sweeper.note()
  }

  /** Ends live queries with `error`, syncs what is staged and closes the store. Idempotent. */
  async close(error?: BlazeError): Promise<void> {
    if (this.#closed === undefined) {
      this.#closed = error ?? closed()
      this.#queries.close(this.#closed)
      this.#transactions.close(this.#closed)
      this.#sweeper.close()
      this.view.close()
      // What is not merged now is read again at the next opening.
      if (error === undefined) await this.#flush().catch(ignoreFault)
    }
    await this.space.close()
  }

  async #flush(): Promise<void> {
    await this.space.replica.settled()
    await this.view.index.flush()
  }

  #dispatch(request: DatabaseRequest): void {
    const large = this.#gate.wait(request)
    if (large === undefined) this.#do(request)
    else void large.then(() => handleRequest(request, this.#closed, (open) => this.#do(open)))
  }

  #do(request: DatabaseRequest): void {
    switch (request.type) {
      case 'record.get':
        this.#get(request)
        return
      case 'record.write':
        this.#write(request)
        return
      case 'record.delete':
        answer(request.reply, this.#writer.delete(request.collection, [request.id]))
        return
      case 'large.read':
        answer(request.reply, this.#large.read(request.large))
        return
      case 'large.has':
        request.reply.resolve(this.#large.has(request.large))
        return
      case 'large.copy':
        answer(request.reply, this.#large.copy(request.owner, request.large, request.bytes))
        return
      case 'query.all':
      case 'query.page':
      case 'query.count':
      case 'query.aggregate':
      case 'query.explain':
      case 'query.live':
        this.#queries.handle(request)
        return
      case 'transaction.open':
      case 'transaction.step':
      case 'transaction.end':
        this.#transactions.handle(request)
        return
      case 'index.create':
        answer(request.reply, this.view.index.create(request.definition))
        return
      case 'index.drop':
        answer(request.reply, this.view.index.drop(request))
        return
      case 'index.list':
        request.reply.resolve(this.view.index.list(request.collection))
        return
      case 'index.verify':
        answer(request.reply, this.view.index.verify(request.signal))
        return
      case 'inbox.list':
        answer(request.reply, this.inbox.list(request.limit, request.after))
        return
      case 'inbox.dismiss':
        answer(request.reply, this.inbox.dismiss(request.id))
        return
      case 'database.settle':
        answer(request.reply, this.space.replica.settled())
        return
      case 'database.flush':
        answer(request.reply, this.#flush())
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
      case 'mirror.page':
        answer(request.reply, readMirrorPage(this.view, this.space.replica, request))
        return
      case 'guest.write':
        answer(request.reply, this.#guestWrite(request))
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

  #write({ step, collection, inputs, schema, reply }: Request<'record.write'>): void {
    assert(inputs.length <= limits.bulkChunkRecords, 'a write is one chunk')
    checkDistinct(collection, inputs)
    const change = schemaStep(writeSteps[step], schema)
    if (!hasLarge(inputs)) {
      answer(reply, this.#writer.write(collection, inputs, change))
      return
    }
    const ids = inputs.map(({ id }) => id)
    const written = this.#large.hold(inputs, () =>
      this.#gate.run(collection, ids, async () => {
        const prepared = await this.#large.prepare(collection, inputs)
        if (this.#closed !== undefined) throw this.#closed
        // Nothing waits for its sync here: what is called next may be staged.
        return { synced: this.#writer.write(collection, prepared, change) }
      }),
    )
    answer(
      reply,
      written.then(({ synced }) => synced),
    )
  }

  /** Everything up to the staging happens in this turn. */
  async #guestWrite({ step, collection, inputs, policy }: Request<'guest.write'>): Promise<GuestWritten> {
    policy.check(collection, inputs)
    if (inputs.length > limits.bulkChunkRecords) {
      throw new BlazeError('TOO_LARGE', `a write of a guest has at most ${limits.bulkChunkRecords} records`)
    }
    checkDistinct(collection, inputs)
    if (step === 'delete') {
      const ids = inputs.map(({ id }) => id)
      const existed = await this.#writer.delete(collection, ids, guestDelete(policy))
      await this.#writer.synced()
      return { existed, hidden: [] }
    }
    await this.#writer.write(collection, inputs, guestStep(step, policy))
    await this.#writer.synced()
    return { existed: true, hidden: this.#hidden(collection, inputs, policy) }
  }

  #hidden(collection: string, inputs: readonly RecordInput[], policy: GuestPolicy): GuestWritten['hidden'] {
    return inputs.flatMap(({ id }, index) => {
      const tag = this.view.tag(collection, id)
      const state = this.view.read(collection, id)
      if (state === undefined || !isHiddenHome(state, policy)) return []
      return [{ index, tag, life: state.life }]
    })
  }

  #list(collections: readonly string[] | undefined): RecordName[] {
    return [...this.view.index.names(collections)]
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
    await this.#queries.scan(queryOf(collection), (state) => {
      found = state.home === null
      return !found
    })
    return found
  }
}

/** A store that fails tells its cell itself; only a bug goes on. */
function ignoreFault(error: unknown): void {
  if (!(error instanceof BlazeError)) throw error
}

function shown(state: RecordState | undefined): Doc | undefined {
  return state === undefined || state.deleted !== undefined ? undefined : docOf(state)
}

function closed(): BlazeError {
  return new BlazeError('CLOSED', 'the database was closed')
}
