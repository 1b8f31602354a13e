/**
 * Records of one name: the promise API over a database cell.
 * Invariant: arguments are checked and copied before a call returns to its caller; a write resolves after it was synced.
 */
import { BlazeError, limits, Uuid } from '../../runtime/index.ts'
import { checkId, openCollectionProblem, parseDoc } from '../database/index.ts'
import type { Doc, DocFields, ParsedDoc, RecordDatabase, RecordInput, WriteStep } from '../database/index.ts'
import { bounded, boundedWrite } from './deadline.ts'
import type { WaitOptions } from './deadline.ts'
import { QueryBuilder } from './query-builder.ts'
import { WatchedRecord } from './watched-record.ts'

const ID_CHANCE_BYTES = 10
const ID_CHANCE_AHEAD = 64

export class Collection {
  readonly name: string
  readonly #database: RecordDatabase
  /** Entropy for ids, fetched ahead: a fetch costs more than an id. */
  #chance: Uint8Array = new Uint8Array(0)

  /** `TypeError` for a name that is none. */
  constructor(database: RecordDatabase, name: string) {
    if (typeof name !== 'string') throw new TypeError('collection: expected a name as text')
    const problem = openCollectionProblem(name)
    if (problem !== undefined) throw new TypeError(`collection: ${problem}`)
    this.name = name
    this.#database = database
  }

  /** Returns the id: `doc.id`, or a new UUID version 7. `RECORD_EXISTS`, `READ_ONLY`, `BAD_VALUE`, `TOO_LARGE`. */
  async insert<T extends DocFields<T>>(doc: T, options: WaitOptions = {}): Promise<string> {
    const input = this.#withId(parseDoc(doc))
    await this.#write('insert', [input], options)
    return input.id
  }

  /**
   * Returns the ids in order. All documents are checked before the first is written; then chunks of 256 are written in order, each
   * as a whole. When a chunk is refused, earlier ones stay: it is not all or nothing.
   */
  async insertMany<T extends DocFields<T>>(docs: readonly T[], options: WaitOptions = {}): Promise<string[]> {
    if (!Array.isArray(docs)) throw new TypeError('docs: expected an array')
    return boundedWrite(this.#database.env, 'insertMany', options, this.#insertChunks(docs))
  }

  /** Replaces the record, or makes it. */
  async put<T extends DocFields<T>>(id: string, doc: T, options: WaitOptions = {}): Promise<void> {
    await this.#write('put', [this.#at(id, doc)], options)
  }

  /** Changes the fields of `patch`; one that is undefined is removed. `NOT_FOUND`. */
  async update<T extends DocFields<T>>(id: string, patch: T, options: WaitOptions = {}): Promise<void> {
    await this.#write('update', [this.#at(id, patch)], options)
  }

  /** Brings a deleted id back with these fields. `NOT_FOUND` when it never was, `RECORD_EXISTS` when it is there. */
  async restore<T extends DocFields<T>>(id: string, doc: T, options: WaitOptions = {}): Promise<void> {
    await this.#write('restore', [this.#at(id, doc)], options)
  }

  /** Returns whether there was one. */
  async delete(id: string, options: WaitOptions = {}): Promise<boolean> {
    const collection = this.name
    const checked = checkId(id)
    const work = this.#database.request<boolean>((reply) => ({
      type: 'record.delete',
      collection,
      id: checked,
      reply,
    }))
    return boundedWrite(this.#database.env, 'delete', options, work)
  }

  /** A copy of the record, or undefined. Waits for writes to it that were called before. */
  async get(id: string, options: WaitOptions = {}): Promise<Doc | undefined> {
    const collection = this.name
    const checked = checkId(id)
    const work = this.#database.request<Doc | undefined>((reply) => ({
      type: 'record.get',
      collection,
      id: checked,
      reply,
    }))
    return bounded(this.#database.env, 'get', options, work)
  }

  /**
   * Follows one record: as it is now, then after each commit that changed it; undefined while there is none. With a callback, it is
   * called with every state; without, iterate. Counts as a live query.
   */
  watch(id: string, callback?: (doc: Doc | undefined) => void): WatchedRecord {
    return new WatchedRecord(this.#database, { collection: this.name, id: checkId(id) }, callback)
  }

  /** All records, to be narrowed down. */
  query(): QueryBuilder {
    return new QueryBuilder(this.#database, this.name)
  }

  /** Not in this version: `NOT_SUPPORTED`. */
  createIndex(...fields: readonly string[]): Promise<void> {
    return Promise.reject(notSupported(`createIndex(${fields.join(', ')})`))
  }

  async #insertChunks(docs: readonly unknown[]): Promise<string[]> {
    const { env } = this.#database
    const breathe = (): Promise<void> => new Promise((resolve) => env.defer(resolve))
    const chunks: RecordInput[][] = []
    for (let at = 0; at < docs.length; at += limits.bulkChunkRecords) {
      if (at > 0) await breathe()
      const chunk = docs.slice(at, at + limits.bulkChunkRecords)
      chunks.push(chunk.map((doc) => this.#withId(parseDoc(doc))))
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

  #write(step: WriteStep, inputs: readonly RecordInput[], options: WaitOptions): Promise<void> {
    const collection = this.name
    const work = this.#database.request<void>((reply) => ({
      type: 'record.write',
      step,
      collection,
      inputs,
      reply,
    }))
    return boundedWrite(this.#database.env, step, options, work)
  }

  #withId({ id, values }: ParsedDoc): RecordInput {
    return { id: id ?? this.#newId(), values }
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

export function notSupported(what: string): BlazeError {
  return new BlazeError('NOT_SUPPORTED', `${what} is not in this version`)
}
