/**
 * The transactions of one opening of a database: optimistic, each against the newest that is staged here and shown of peers.
 * Invariant: what ends well was read and is staged as if nothing had happened in between; what does not, leaves no trace.
 */
import { BlazeError, limits } from '../../../runtime/index.ts'
import type { Env } from '../../../runtime/index.ts'
import type { Replica, TagChange } from '../../replica/index.ts'
import { hasLarge } from '../chunk/large-store.ts'
import type { LargeStore } from '../chunk/large-store.ts'
import type { Judge, Reply } from '../message.ts'
import type { RecordRequest } from '../record-database.ts'
import { docOf } from '../record/document.ts'
import type { Doc } from '../record/document.ts'
import { deleteFrom } from '../record/record-change.ts'
import type { FieldChanges } from '../record/record-change.ts'
import type { RecordState } from '../record/record.ts'
import { schemaStep } from '../record/schema-step.ts'
import { writeSteps } from '../record/write-step.ts'
import { checkDistinct } from '../record-writer.ts'
import type { Change, PreparedInput, RecordInput, RecordWriter } from '../record-writer.ts'
import { answer } from '../reply.ts'
import type { KeyedView, RecordChange } from '../view/keyed-view.ts'
import { RecordQueries } from '../view/record-queries.ts'
import { OpenTransaction } from './open-transaction.ts'
import type { Touched, TouchedStep } from './open-transaction.ts'
import { OverlayView } from './overlay-view.ts'
import type { TransactionRequest } from './transaction-message.ts'

export interface TransactionsOptions {
  readonly env: Env
  readonly replica: Replica
  readonly view: KeyedView
  readonly writer: RecordWriter
  readonly large: LargeStore
}

type Call<T extends RecordRequest['type']> = Extract<RecordRequest, { type: T }>
type QueryCall = Exclude<Call<`query.${string}` & RecordRequest['type']>, { type: 'query.live' }>

export class Transactions {
  readonly #o: TransactionsOptions
  readonly #open = new Set<OpenTransaction>()

  constructor(options: TransactionsOptions) {
    this.#o = options
    options.writer.onStaged((changes) => this.#staged(changes))
    options.replica.onCommitted((changes) => this.#arrived(changes))
  }

  /** Answers it in time; never throws. */
  handle(request: TransactionRequest): void {
    switch (request.type) {
      case 'transaction.open':
        this.#begin(request.ended, request.reply)
        return
      case 'transaction.step':
        this.#step(request.transaction, request.call)
        return
      case 'transaction.end':
        answer(request.reply, this.#end(request.transaction, request.keep))
        return
    }
  }

  /** What is shown has changed: by what came from peers, or because a hold ended. Own writes were told of when they were staged. */
  changed(changes: readonly RecordChange[]): void {
    if (this.#open.size === 0) return
    for (const { tag, collection, id } of changes) {
      if (!this.#o.writer.isWriting(collection, id)) this.#tell(tag, collection)
    }
  }

  close(error: unknown): void {
    const open = [...this.#open]
    this.#open.clear()
    for (const transaction of open) transaction.abort(error)
  }

  #begin(ended: (error: unknown) => void, reply: Reply<OpenTransaction>): void {
    if (this.#open.size >= limits.transactionsMax) {
      reply.reject(new BlazeError('OVERLOADED', `at most ${limits.transactionsMax} transactions at a time`))
      return
    }
    const transaction = new OpenTransaction(ended)
    this.#open.add(transaction)
    reply.resolve(transaction)
  }

  #step(transaction: OpenTransaction, call: RecordRequest): void {
    switch (call.type) {
      case 'record.get':
        answer(
          call.reply,
          transaction.inTurn(() => this.#get(transaction, call)),
        )
        return
      case 'record.write':
        answer(
          call.reply,
          transaction.inTurn(() => this.#write(transaction, call)),
        )
        return
      case 'large.read':
        answer(call.reply, this.#o.large.read(call.large))
        return
      case 'record.delete':
        answer(
          call.reply,
          transaction.inTurn(() => this.#delete(transaction, call)),
        )
        return
      default:
        if (isQuery(call)) transaction.inTurn(() => this.#query(transaction, call)).catch(call.reply.reject)
        else call.reply.reject(notInside(call.type))
    }
  }

  async #get(transaction: OpenTransaction, { collection, id }: Call<'record.get'>): Promise<Doc | undefined> {
    const { state } = await this.#touch(transaction, collection, id)
    return state === undefined || state.deleted !== undefined ? undefined : docOf(state)
  }

  async #write(
    transaction: OpenTransaction,
    { collection, inputs, step, schema, judge }: Call<'record.write'>,
  ): Promise<void> {
    this.#o.writer.checkAllowed(collection)
    checkDistinct(collection, inputs)
    const change = schemaStep(writeSteps[step], schema)
    const prepared = await this.#prepare(collection, inputs)
    const writes: TouchedStep[] = []
    for (const { id, values } of prepared) {
      const touched = await this.#touch(transaction, collection, id)
      const name = { collection, id }
      const after = judge && change(touched.state, name, values, this.#o.writer.tick)
      const fields = after && judge ? new Map([...values, ...(await this.#judge(after, judge))]) : values
      writes.push({ touched, step: (found, tick) => change(found, name, fields, tick) })
    }
    transaction.check()
    transaction.apply(writes, this.#o.writer.tick)
  }

  /** The fields that the judge of a record wants otherwise. Nothing is taken yet. */
  async #judge(after: RecordState, judge: Judge): Promise<FieldChanges> {
    const { collection, id } = after
    const values = await judge(docOf(after))
    const [prepared] = await this.#prepare(collection, [{ id, values }])
    return prepared?.values ?? values
  }

  async #prepare(collection: string, inputs: readonly RecordInput[]): Promise<readonly PreparedInput[]> {
    const { large } = this.#o
    return hasLarge(inputs) ? large.hold(inputs, () => large.prepare(collection, inputs)) : inputs
  }

  async #delete(transaction: OpenTransaction, { collection, id }: Call<'record.delete'>): Promise<boolean> {
    this.#o.writer.checkAllowed(collection)
    const touched = await this.#touch(transaction, collection, id)
    const [state] = transaction.apply([{ touched, step: deleteFrom }], this.#o.writer.tick)
    return state !== undefined
  }

  /** What the transaction has read of the record, or reads now: the newest that is staged here, or shown of peers. */
  async #touch(transaction: OpenTransaction, collection: string, id: string): Promise<Touched> {
    transaction.check()
    const tag = this.#o.writer.tag(collection, id)
    const known = transaction.find(tag)
    if (known !== undefined) return known
    await this.#quiet(transaction, [tag])
    // In the turn that reads: what was read before is still the newest.
    transaction.check()
    const { state } = this.#o.view.readForWrite(tag)
    const touched = { tag, collection, id, found: state, state, steps: [] }
    transaction.touch(touched)
    return touched
  }

  async #query(transaction: OpenTransaction, call: QueryCall): Promise<void> {
    const { env, view, writer } = this.#o
    const { collection } = call.query
    transaction.check()
    transaction.watch(collection)
    await view.ready()
    const names = writer.writing(collection).map((id) => ({ id, tag: writer.tag(collection, id) }))
    await this.#quiet(
      transaction,
      names.map(({ tag }) => tag),
    )
    // Staged here and not shown yet, then what the transaction itself has written.
    const states = new Map(names.map(({ id, tag }) => [id, view.readForWrite(tag).state]))
    for (const { id, state } of transaction.written(collection)) states.set(id, state)
    const overlay = new OverlayView({ base: view, collection, states, check: () => transaction.check() })
    new RecordQueries({ env, view: overlay, settled: () => undefined }).handle(call)
  }

  /** Waits until nothing that came from peers is staged for the tags: it counts from the moment that it is shown. */
  async #quiet(transaction: OpenTransaction, tags: readonly Uint8Array[]): Promise<void> {
    const { replica } = this.#o
    for (let attempt = 0; tags.some((tag) => replica.hasStagedForeign(tag)); attempt += 1) {
      if (attempt === limits.transactionAttemptsMax) transaction.refuse()
      await replica.settled()
    }
  }

  async #end(transaction: OpenTransaction, keep: boolean): Promise<void> {
    let synced: Promise<void> | undefined
    try {
      await transaction.inTurn(async () => {
        const { replica, writer } = this.#o
        if (!keep) return
        transaction.checkCommit()
        const edits = transaction.edits()
        if (edits.length === 0) return
        for (const { tag } of transaction.touched()) if (replica.hasStagedForeign(tag)) transaction.refuse()
        // In this turn, so that nothing comes in between; its own writes are not what makes it stale.
        this.#open.delete(transaction)
        synced = writer.commit(edits)
      })
    } finally {
      this.#open.delete(transaction)
      transaction.end()
    }
    // What it has read may not be synced yet either.
    await (synced ?? this.#o.writer.settled())
  }

  #staged(changes: readonly Change[]): void {
    if (this.#open.size === 0) return
    for (const { tag, state } of changes) this.#tell(tag, state.collection)
  }

  /** What a peer changed together with a write of this device, in one batch: `changed` cannot tell it from the write alone. */
  #arrived(changes: readonly TagChange[]): void {
    if (this.#open.size === 0) return
    for (const { own, tag, live } of changes) {
      const state = own ? undefined : this.#o.view.shownOf(tag, live)
      if (state !== undefined) this.#tell(tag, state.collection)
    }
  }

  #tell(tag: Uint8Array, collection: string): void {
    for (const transaction of this.#open) transaction.changed(tag, collection)
  }
}

function isQuery(call: RecordRequest): call is QueryCall {
  return call.type.startsWith('query.') && call.type !== 'query.live'
}

function notInside(type: string): BlazeError {
  return new BlazeError('NOT_SUPPORTED', `${type} cannot be called inside a transaction`)
}
