/**
 * Records of one name: the promise API over a database cell.
 * Invariant: arguments are checked and copied before a call returns to its caller; a write resolves after it was synced, or as
 * the database's durability says.
 */
import { BlazeError, limits, Uuid } from '../../runtime/index.ts'
import { checkId, openCollectionProblem, parseDoc, queryOf, sameInput } from '../database/index.ts'
import type {
  Doc,
  DocFields,
  FieldInput,
  FieldOperation,
  FieldValues,
  IndexDefinition,
  Judge,
  ParsedDoc,
  RecordDatabase,
  RecordInput,
  WriteStep,
} from '../database/index.ts'
import { bounded, boundedWrite, checkWait } from './deadline.ts'
import type { WaitOptions } from './deadline.ts'
import { fetchLarge } from './large-values.ts'
import { parseIndex } from './query/index-definition.ts'
import type { IndexOptions } from './query/index-definition.ts'
import type { DocumentShape } from './schema/document-shape.ts'
import { QueryBuilder } from './query/query-builder.ts'
import type { QuerySource } from './query/query-source.ts'
import { WatchedRecord } from './query/watched-record.ts'

const ID_CHANCE_BYTES = 10
const ID_CHANCE_AHEAD = 64

/** Runs calls of a database as one transaction. */
export type Atomically = <R>(
  work: (database: RecordDatabase) => Promise<R>,
  options: WaitOptions,
) => Promise<R>

export interface CollectionParts<Out> {
  readonly shape: DocumentShape<Out>
  /** Undefined where there are no transactions. */
  readonly atomically: Atomically | undefined
}

/** What `insert` takes: for a collection without a type any fields, else those of the type, and perhaps an id. */
export type InsertDoc<In, T> = unknown extends In ? T : PutDoc<In, T> & { readonly id?: string }
/** What `put` and `restore` take. */
export type PutDoc<In, T> = unknown extends In ? T : { readonly [K in keyof In]: In[K] | FieldOperation }
/** What `update` takes. */
export type PatchDoc<In, T> = unknown extends In
  ? T
  : { readonly [K in keyof In]?: In[K] | FieldOperation | undefined }

/** `In` is written, `Out` is read; a collection without a type takes and gives any fields. */
export class Collection<In = unknown, Out = Doc> {
  readonly name: string
  readonly #database: RecordDatabase
  readonly #shape: DocumentShape<Out>
  readonly #atomically: Atomically | undefined
  /** Entropy for ids, fetched ahead: a fetch costs more than an id. */
  #chance: Uint8Array = new Uint8Array(0)

  /** `TypeError` for a name that is none. */
  constructor(database: RecordDatabase, name: string, { shape, atomically }: CollectionParts<Out>) {
    if (typeof name !== 'string') throw new TypeError('collection: expected a name as text')
    const problem = openCollectionProblem(name)
    if (problem !== undefined) throw new TypeError(`collection: ${problem}`)
    this.name = name
    this.#database = database
    this.#shape = shape
    this.#atomically = atomically
  }

  /** Returns the id: `doc.id`, or a new UUID version 7. `RECORD_EXISTS`, `READ_ONLY`, `BAD_VALUE`, `TOO_LARGE`, `SCHEMA_INVALID`. */
  async insert<T extends DocFields<T>>(doc: InsertDoc<In, T>, options: WaitOptions = {}): Promise<string> {
    const input = this.#withId(parseDoc(doc))
    await this.#writeChecked('insert', input, options)
    return input.id
  }

  /**
   * Returns the ids in order. All documents are checked before the first is written; then chunks of 256 are written in order, each
   * as a whole. When a chunk is refused, earlier ones stay: it is not all or nothing.
   */
  async insertMany<T extends DocFields<T>>(
    docs: readonly InsertDoc<In, T>[],
    options: WaitOptions = {},
  ): Promise<string[]> {
    if (!Array.isArray(docs)) throw new TypeError('docs: expected an array')
    return boundedWrite(this.#database.env, 'insertMany', options, () => this.#insertChunks(docs))
  }

  /** Replaces the record, or makes it. */
  async put<T extends DocFields<T>>(
    id: string,
    doc: PutDoc<In, T>,
    options: WaitOptions = {},
  ): Promise<void> {
    await this.#writeChecked('put', this.#at(id, doc), options)
  }

  /**
   * Changes the fields of `patch`; one that is undefined is removed. `NOT_FOUND`. With a schema or version the whole document is judged
   * and brought to the version, in a transaction.
   */
  async update<T extends DocFields<T>>(
    id: string,
    patch: PatchDoc<In, T>,
    options: WaitOptions = {},
  ): Promise<void> {
    const input = this.#at(id, patch)
    if (!this.#shape.judgesWhole) {
      await this.#write('update', [input], options)
      return
    }
    if (this.#atomically === undefined) throw noTransactions()
    await this.#atomically((database) => this.#updateWhole(database, input), options)
  }

  /** Brings a deleted id back with these fields. `NOT_FOUND` when it never was, `RECORD_EXISTS` when it is there. */
  async restore<T extends DocFields<T>>(
    id: string,
    doc: PutDoc<In, T>,
    options: WaitOptions = {},
  ): Promise<void> {
    await this.#writeChecked('restore', this.#at(id, doc), options)
  }

  /** Returns whether there was one. */
  async delete(id: string, options: WaitOptions = {}): Promise<boolean> {
    const collection = this.name
    const checked = checkId(id)
    const work = (): Promise<boolean> =>
      this.#database.request<boolean>((reply) => ({ type: 'record.delete', collection, id: checked, reply }))
    return boundedWrite(this.#database.env, 'delete', options, work)
  }

  /** A copy of the record, or undefined. Waits for writes to it that were called before. */
  async get(id: string, options: WaitOptions = {}): Promise<Out | undefined> {
    const checked = checkId(id)
    checkWait(options)
    const isPlain = options.timeoutMs === undefined && options.signal === undefined
    const now = isPlain ? this.#database.readNow?.(this.name, checked) : undefined
    const doc =
      now === undefined
        ? await bounded(this.#database.env, 'get', options, this.#get(this.#database, checked))
        : now.doc
    if (doc === undefined) return undefined
    const fetching = now === undefined ? undefined : fetchLarge(this.#database, [doc])
    if (fetching !== undefined) await fetching
    return this.#shape.read(doc)
  }

  /**
   * Follows one record: as it is now, then after each commit that changed it; undefined while there is none. With a callback, it is
   * called with every state; without, iterate. Counts as a live query.
   */
  watch(id: string, callback?: (doc: Out | undefined) => void): WatchedRecord<Out> {
    return new WatchedRecord(this.#source(), { collection: this.name, id: checkId(id) }, callback)
  }

  /** All records, to be narrowed down. */
  query(): QueryBuilder<Out> {
    return new QueryBuilder(this.#source(), queryOf(this.name))
  }

  /**
   * Makes an index over one to eight paths, which queries then use for equality, ranges, prefixes and order; resolves with its name once
   * it is complete and stored. An index that is there already is kept. With `unique`, local writes that would give two records the same
   * values are refused (`NOT_UNIQUE`). `INDEX_EXISTS` for a name that another index has, `TOO_LARGE`; for guests `NOT_SUPPORTED`.
   */
  createIndex(fields: string | readonly string[], options?: IndexOptions): Promise<string>
  createIndex(...fields: readonly string[]): Promise<string>
  async createIndex(
    ...input: readonly (string | readonly string[] | IndexOptions | undefined)[]
  ): Promise<string> {
    const { definition, options } = parseIndex(this.name, input)
    const work = (): Promise<void> =>
      this.#database.request<void>((reply) => ({ type: 'index.create', definition, reply }))
    await boundedWrite(this.#database.env, 'createIndex', options, work)
    return definition.name
  }

  /** Returns whether there was one. Queries that walk along it reject with `CONFLICT`. */
  async dropIndex(name: string, options: WaitOptions = {}): Promise<boolean> {
    if (typeof name !== 'string') throw new TypeError('dropIndex: expected the name of an index')
    const collection = this.name
    const work = (): Promise<boolean> =>
      this.#database.request<boolean>((reply) => ({ type: 'index.drop', collection, name, reply }))
    return boundedWrite(this.#database.env, 'dropIndex', options, work)
  }

  /** Those that are complete. */
  async indexes(options: WaitOptions = {}): Promise<IndexDefinition[]> {
    const collection = this.name
    const work = this.#database.request<IndexDefinition[]>((reply) => ({
      type: 'index.list',
      collection,
      reply,
    }))
    return bounded(this.#database.env, 'indexes', options, work)
  }

  #source(): QuerySource<Out> {
    return { database: this.#database, read: (doc) => this.#shape.read(doc) }
  }

  async #insertChunks(docs: readonly unknown[]): Promise<string[]> {
    const { env } = this.#database
    const breathe = (): Promise<void> => new Promise((resolve) => env.defer(resolve))
    const chunks: RecordInput[][] = []
    for (let at = 0; at < docs.length; at += limits.bulkChunkRecords) {
      if (at > 0) await breathe()
      // Not `map`, which skips holes.
      const chunk = Array.from(docs.slice(at, at + limits.bulkChunkRecords), (doc) =>
        this.#withId(parseDoc(doc)),
      )
      chunks.push(this.#shape.judgesWhole ? await this.#checkAll(chunk) : chunk)
    }
    const waiting: Promise<void>[] = []
    for (const chunk of chunks) {
      if (waiting.length >= limits.bulkChunksInFlight) await waiting.shift()
      const write = this.#write('insert', chunk, {})
      // Awaited later; one that fails before the first await must not count as unhandled.
      write.catch(() => undefined)
      waiting.push(write)
      await breathe()
    }
    await Promise.all(waiting)
    return chunks.flatMap((chunk) => chunk.map(({ id }) => id))
  }

  async #checkAll(inputs: readonly RecordInput[]): Promise<RecordInput[]> {
    const checked: RecordInput[] = []
    for (const { id, values } of inputs) checked.push({ id, values: await this.#shape.check(values) })
    return checked
  }

  /** The patch on the upgraded document, as the schema leaves the whole. */
  async #updateWhole(database: RecordDatabase, { id, values }: RecordInput): Promise<void> {
    const before = await this.#get(database, id)
    const added =
      before === undefined
        ? []
        : differences(parseDoc(before).values, parseDoc(this.#shape.read(before)).values)
    const judge = async (merged: Doc): Promise<FieldValues> => {
      await fetchLarge(database, [merged])
      const whole = parseDoc(merged).values
      return differences(whole, await this.#shape.check(whole))
    }
    await this.#ask(database, 'update', [{ id, values: new Map([...added, ...values]) }], judge)
  }

  async #get(database: RecordDatabase, id: string): Promise<Doc | undefined> {
    const collection = this.name
    const doc = await database.request<Doc | undefined>((reply) => ({
      type: 'record.get',
      collection,
      id,
      reply,
    }))
    const fetching = doc && fetchLarge(database, [doc])
    if (fetching !== undefined) await fetching
    return doc
  }

  /** At once, so that calls that are not awaited keep their order, unless the schema takes its time. */
  #writeChecked(step: WriteStep, input: RecordInput, options: WaitOptions): Promise<void> {
    const { id, values } = input
    const checked = this.#shape.check(values)
    if (!(checked instanceof Promise)) return this.#write(step, [{ ...input, values: checked }], options)
    // The caller may hear of its options instead.
    checked.catch(() => undefined)
    const work = (): Promise<void> =>
      checked.then((later) => this.#ask(this.#database, step, [{ id, values: later }]))
    return boundedWrite(this.#database.env, step, options, work)
  }

  #write(step: WriteStep, inputs: readonly RecordInput[], options: WaitOptions): Promise<void> {
    const work = (): Promise<void> => this.#ask(this.#database, step, inputs)
    return boundedWrite(this.#database.env, step, options, work)
  }

  #ask(
    database: RecordDatabase,
    step: WriteStep,
    inputs: readonly RecordInput[],
    judge?: Judge,
  ): Promise<void> {
    const collection = this.name
    const { version } = this.#shape
    const schema = version === undefined ? {} : { schema: version }
    const judged = judge === undefined ? schema : { ...schema, judge }
    return database.request((reply) => ({ type: 'record.write', step, collection, inputs, ...judged, reply }))
  }

  #withId({ id, values }: ParsedDoc): RecordInput {
    return id === undefined ? { id: this.#newId(), values, fresh: true } : { id, values }
  }

  #newId(): string {
    const { env } = this.#database
    if (this.#chance.length < ID_CHANCE_BYTES) this.#chance = env.entropy(ID_CHANCE_BYTES * ID_CHANCE_AHEAD)
    const chance = this.#chance.subarray(0, ID_CHANCE_BYTES)
    this.#chance = this.#chance.subarray(ID_CHANCE_BYTES)
    return Uuid.v7(env.now(), chance).toString()
  }

  #at(id: string, doc: unknown): RecordInput {
    const parsed = parseDoc(doc)
    if (parsed.id !== undefined && parsed.id !== id) {
      throw new TypeError('doc.id: expected none, or the id of the call')
    }
    return { id: checkId(id), values: parsed.values }
  }
}

/** What has to be written so that the fields of `before` become those of `after`; the id is none. */
function differences(before: FieldValues, after: FieldValues): Map<string, FieldInput> {
  const changed = new Map<string, FieldInput>()
  for (const name of new Set([...before.keys(), ...after.keys()])) {
    if (!sameInput(before.get(name), after.get(name))) changed.set(name, after.get(name))
  }
  return changed
}

function noTransactions(): BlazeError {
  return new BlazeError(
    'NOT_SUPPORTED',
    'an update with a schema needs a database of its own; put the whole document, or update it in the app that shares the database',
  )
}
