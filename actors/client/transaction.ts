/**
 * Transactions, as an application sees them: a callback that reads and writes as if it were alone, and is called again when it was not.
 * Invariant: what it wrote is there as a whole or not at all, and the promise settles: by its end, its deadline, its signal or `close`.
 */
import { BlazeError, limits } from '../../runtime/index.ts'
import type { Env } from '../../runtime/index.ts'
import type { Database, OpenTransaction, RecordDatabase, RecordRequest, Reply } from '../database/index.ts'
import type { Collection } from './collection.ts'
import { openCollection } from './schema/open-collection.ts'
import type { CollectionOptions, Read, SchemaInput, SchemaOutput, Stored } from './schema/document-shape.ts'
import type { StandardSchemaV1 } from './schema/standard-schema.ts'
import { boundedWrite, checkWait } from './deadline.ts'
import type { WaitOptions } from './deadline.ts'

/** What the callback of a transaction works with; of no use after the callback has ended (`CLOSED`). */
export class Transaction {
  readonly #database: RecordDatabase

  /** For `runTransaction`. */
  constructor(database: RecordDatabase) {
    this.#database = database
  }

  /**
   * As `BlazeDBClient.collection`. Its calls belong to the transaction: they see what it wrote, and a write resolves before it is stored.
   * No live queries.
   */
  collection<S extends StandardSchemaV1>(
    name: string,
    options: CollectionOptions<S> & { readonly schema: S },
  ): Collection<SchemaInput<S>, Stored<SchemaOutput<S>>>
  collection<T = unknown>(name: string, options?: CollectionOptions): Collection<T, Read<T>>
  collection<In, Out>(name: string, options?: CollectionOptions): Collection<In, Out> {
    return openCollection(this.#database, name, { options, atomically: (work) => work(this.#database) })
  }
}

export type TransactionWork<R> = (tx: Transaction) => R | Promise<R>

/** See `BlazeDBClient.transaction`. */
export async function runTransaction<R>(
  database: Database,
  work: TransactionWork<R>,
  options: WaitOptions = {},
): Promise<R> {
  if (typeof work !== 'function') throw new TypeError('work: expected a function')
  return runAtomically(database, async (inside) => work(new Transaction(inside)), options)
}

/** The same for calls of a database. */
export async function runAtomically<R>(
  database: Database,
  work: (inside: RecordDatabase) => Promise<R>,
  options: WaitOptions,
): Promise<R> {
  checkWait(options)
  const run = new TransactionRun(database, work)
  const bounds = { ...options, timeoutMs: options.timeoutMs ?? limits.waitMs }
  try {
    return await boundedWrite(database.env, 'transaction', bounds, run.start())
  } catch (error) {
    run.abandon(error)
    throw error
  }
}

class TransactionRun<R> {
  readonly #database: Database
  readonly #work: (inside: RecordDatabase) => Promise<R>
  #current: OpenTransaction | undefined
  /** Why nobody waits for it any more. */
  #abandoned: { readonly error: unknown } | undefined

  constructor(database: Database, work: (inside: RecordDatabase) => Promise<R>) {
    this.#database = database
    this.#work = work
  }

  async start(): Promise<R> {
    for (let attempt = 1; ; attempt += 1) {
      const done = await this.#attempt()
      if (done !== undefined) return done.value
      if (attempt === limits.transactionAttemptsMax) throw givenUp(attempt)
      await this.#backOff(attempt)
    }
  }

  /** Nothing of it is written any more, unless it was staged already. Idempotent. */
  abandon(error: unknown): void {
    this.#abandoned ??= { error }
    if (this.#current !== undefined) void this.#discard(this.#current).catch(() => undefined)
  }

  /** Undefined when the ground has changed under it. */
  async #attempt(): Promise<{ readonly value: R } | undefined> {
    let lost: (error: unknown) => void = () => {}
    const ended = new Promise<never>((_resolve, reject) => {
      lost = reject
    })
    // Not lost when nobody waits for it.
    ended.catch(() => undefined)
    const transaction = await this.#database.request<OpenTransaction>((reply) => ({
      type: 'transaction.open',
      ended: lost,
      reply,
    }))
    this.#current = transaction
    try {
      if (this.#abandoned !== undefined) throw this.#abandoned.error
      const value = await Promise.race([ended, this.#call(transaction)])
      await Promise.race([ended, this.#end(transaction, true)])
      return { value }
    } catch (error) {
      await Promise.race([ended, this.#discard(transaction)])
      if (transaction.refused) return undefined
      throw error
    } finally {
      this.#current = undefined
    }
  }

  #call(transaction: OpenTransaction): Promise<R> {
    const { name, env } = this.#database
    return this.#work({
      name,
      env,
      request: (make) => this.#request(transaction, make),
      status: () => this.#database.status(),
      close: () => this.#database.close(),
    })
  }

  #request<T>(transaction: OpenTransaction, make: (reply: Reply<T>) => RecordRequest): Promise<T> {
    return this.#database.request<T>((reply) => {
      const call = make(reply)
      return { type: 'transaction.step', transaction, call, reply: call.reply }
    })
  }

  #end(transaction: OpenTransaction, keep: boolean): Promise<void> {
    return this.#database.request<void>((reply) => ({ type: 'transaction.end', transaction, keep, reply }))
  }

  /** Resolves when what it had read is synced, so that not even its error tells of anything else. */
  #discard(transaction: OpenTransaction): Promise<void> {
    return this.#end(transaction, false)
  }

  #backOff(attempt: number): Promise<void> {
    const { env } = this.#database
    const longest = limits.transactionBackoffFirstMs * 2 ** (attempt - 1)
    return wait(env, env.random() * Math.min(longest, limits.transactionBackoffMaxMs))
  }
}

function wait(env: Env, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    env.after(delayMs, resolve)
  })
}

function givenUp(attempts: number): BlazeError {
  return new BlazeError(
    'CONFLICT',
    `other writes changed what the transaction had read, in each of ${attempts} attempts`,
    { details: { attempts } },
  )
}
