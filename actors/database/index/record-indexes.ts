/**
 * All indexes of a database: the built-in view (collection, id), and the secondary ones over it.
 * Invariant: what a record emitted stands in its entry of the built-in view, so a change removes exactly what an earlier one added; applying
 * the present state of a record twice changes nothing.
 */
import { BlazeError, limits } from '../../../runtime/index.ts'
import type { CryptoProvider, Env } from '../../../runtime/index.ts'
import type { Replica } from '../../replica/index.ts'
import type { RecordState } from '../record/record.ts'
import type { IndexDefinition } from '../view/record-view.ts'
import { CompiledIndex } from './compiled-index.ts'
import { encodeIndexId } from './index-key.ts'
import { IndexFlush, RECORDS } from './index-flush.ts'
import type { IndexState, KnownIndex } from './index-state.ts'
import type { LoadedIndexes } from './load-indexes.ts'
import type { IndexEntry } from './page.ts'
import type { PageStore } from './page-store.ts'
import { PagedIndex } from './paged-index.ts'
import type { EntryRange } from './paged-index.ts'
import { RecordCounts } from './record-counts.ts'
import {
  afterPrefix,
  collectionPrefix,
  encodeIndexEntry,
  encodeRecordEntry,
  isDeletedEntry,
  NOTHING_EMITTED,
  parseRecordEntry,
} from './record-entry.ts'
import type { RecordEntry } from './record-entry.ts'

export interface RecordIndexesOptions {
  readonly env: Env
  readonly crypto: CryptoProvider
  readonly replica: Replica
  readonly pages: PageStore
}

/** A record as it is shown now. */
export interface ShownRecord {
  readonly collection: string
  readonly id: string
  /** Of its envelopes, as text. */
  readonly tag: string
  /** Undefined when nothing of it is shown any more. */
  readonly state: RecordState | undefined
  /** True when the replica has never had the tag before. */
  readonly isNew: boolean
}

export class RecordIndexes {
  readonly counts: RecordCounts
  readonly #o: RecordIndexesOptions
  readonly #records: PagedIndex
  readonly #indexes = new Map<number, CompiledIndex>()
  /** By collection. */
  readonly #byCollection = new Map<string, CompiledIndex[]>()
  readonly #prefixes = new Map<string, string>()
  readonly #flush: IndexFlush
  #nextNo: number
  #hasUnique = false

  /** Only for `loadIndexes`. */
  constructor(options: RecordIndexesOptions, loaded: LoadedIndexes) {
    this.#o = options
    this.counts = new RecordCounts(loaded.state.counts)
    this.#nextNo = loaded.state.nextNo
    this.#records = new PagedIndex(options.pages, loaded.fences)
    for (const { known, fences } of loaded.indexes) {
      this.#add(new CompiledIndex(known, new PagedIndex(options.pages, fences)))
    }
    this.#flush = new IndexFlush(options, { records: loaded.state.pieces })
  }

  /** Those of a collection, with the ones that are still being built. */
  of(collection: string): readonly CompiledIndex[] {
    return this.#byCollection.get(collection) ?? NONE
  }

  all(): CompiledIndex[] {
    return [...this.#indexes.values()]
  }

  get hasUnique(): boolean {
    return this.#hasUnique
  }

  /** The newest arrival that the pages on disk hold. */
  get storedCursor(): number {
    return this.#flush.cursor
  }

  set storedCursor(cursor: number) {
    this.#flush.cursor = cursor
  }

  /** The most changes that wait in memory for a merge, of any index. */
  get changes(): number {
    let most = this.#records.changes
    for (const { pages } of this.#indexes.values()) most = Math.max(most, pages.changes)
    return most
  }

  entry(collection: string, id: string): RecordEntry | undefined {
    const value = this.#records.get(this.#keyOf(collection, id))
    return value === undefined ? undefined : parseRecordEntry(value)
  }

  /** Brings the indexes up to what is shown of a record. `DAMAGED` when a page is. */
  apply({ collection, id, tag, state, isNew }: ShownRecord): void {
    const idText = encodeIndexId(id)
    const key = this.#prefixOf(collection) + idText
    const before = isNew ? undefined : this.#records.get(key)
    const emitted = this.#emitted(state)
    const deleted = state?.deleted !== undefined
    const after = state === undefined ? undefined : encodeRecordEntry({ deleted, tag, emitted })
    if (after === before) return
    const was = before === undefined ? NOTHING_EMITTED : parseRecordEntry(before).emitted
    for (const [no, fieldKey] of was) {
      if (emitted.get(no) !== fieldKey) this.#indexes.get(no)?.pages.delete(fieldKey + idText)
    }
    for (const [no, fieldKey] of emitted) {
      if (was.get(no) !== fieldKey)
        this.#indexes.get(no)?.pages.set(fieldKey + idText, encodeIndexEntry(fieldKey, tag))
    }
    if (after === undefined) this.#records.delete(key)
    else this.#records.set(key, after)
    this.counts.change(collection, kindOf(before), kindOf(after))
  }

  /** Entries of the built-in view of a collection, deleted records included. */
  records(
    collection: string,
    range: { after: string | undefined; prefix: string; reverse: boolean; limit: number },
  ): IndexEntry[] {
    const base = this.#prefixOf(collection)
    const prefix = base + encodeIndexId(range.prefix)
    const { reverse, limit } = range
    const after = range.after === undefined ? undefined : base + encodeIndexId(range.after)
    return this.#records.entries({ gte: prefix, lt: afterPrefix(prefix), reverse, limit, after })
  }

  /** Entries of all collections from a key on. */
  allRecords(after: string | undefined, limit: number): IndexEntry[] {
    return this.#records.entries({ gte: '', lt: undefined, reverse: false, limit, after })
  }

  entries(index: CompiledIndex, range: EntryRange): IndexEntry[] {
    return index.pages.entries(range)
  }

  find(definition: Pick<IndexDefinition, 'collection' | 'name'>): CompiledIndex | undefined {
    return this.of(definition.collection).find(({ name }) => name === definition.name)
  }

  /**
   * A new index, empty and not ready. `INDEX_EXISTS` when the name stands for another, `TOO_LARGE` when there are too many; an equal one is
   * returned as it is.
   */
  create(definition: IndexDefinition): CompiledIndex {
    const found = this.find(definition)
    if (found !== undefined) {
      if (found.equals(definition)) return found
      throw new BlazeError(
        'INDEX_EXISTS',
        `the collection has another index with the name ${definition.name}`,
        {
          details: { collection: definition.collection, name: definition.name },
        },
      )
    }
    if (this.of(definition.collection).length >= limits.indexesPerCollectionMax) {
      throw new BlazeError('TOO_LARGE', `a collection has at most ${limits.indexesPerCollectionMax} indexes`)
    }
    if (this.#indexes.size >= limits.indexesMax) {
      throw new BlazeError('TOO_LARGE', `a database has at most ${limits.indexesMax} indexes`)
    }
    if (this.#nextNo >= RECORDS) {
      throw new BlazeError(
        'TOO_LARGE',
        'indexes were made and dropped 65,533 times; restore the database from a backup',
      )
    }
    const known = { ...definition, no: this.#nextNo, state: 'building', cut: false, pieces: 0 } as const
    this.#nextNo += 1
    const index = new CompiledIndex(known, new PagedIndex(this.#o.pages, []))
    this.#add(index)
    return index
  }

  /** An index that was created and never merged; not ready. */
  restore(known: KnownIndex): void {
    this.#nextNo = Math.max(this.#nextNo, known.no + 1)
    this.#add(
      new CompiledIndex({ ...known, state: 'building', pieces: 0 }, new PagedIndex(this.#o.pages, [])),
    )
  }

  /** Forgets an index; its pages go with the next merge. Returns whether there was one. */
  drop(definition: Pick<IndexDefinition, 'collection' | 'name'>): boolean {
    const found = this.find(definition)
    if (found === undefined) return false
    this.#indexes.delete(found.no)
    this.#byCollection.set(
      found.collection,
      this.of(found.collection).filter((index) => index !== found),
    )
    this.#flush.dropped(found)
    return true
  }

  /**
   * Merges all changes into the pages. Asked for cursor, holds and clock when it begins: the newest arrival that is in the indexes then. Calls during
   * a merge share the next. Rejects with `POISONED`, `CLOSED`, `DAMAGED`.
   */
  flush(take: () => Pick<IndexState, 'cursor' | 'held' | 'shownMs'>): Promise<void> {
    return this.#flush.run(() => ({
      ...take(),
      nextNo: this.#nextNo,
      counts: this.counts.list(),
      records: this.#records,
      indexes: this.all(),
    }))
  }

  get isFlushing(): boolean {
    return this.#flush.isRunning
  }

  /** Makes the next opening begin anew: pages are damaged. */
  async discard(): Promise<void> {
    await this.#o.replica.extra(this.#o.pages.discard())
  }

  /** Definitions alone, so that they outlive damaged pages. */
  storeDefinitions(): Promise<void> {
    return this.#flush.storeDefinitions(this.#nextNo, this.all())
  }

  #add(index: CompiledIndex): void {
    this.#hasUnique ||= index.unique
    this.#indexes.set(index.no, index)
    this.#byCollection.set(index.collection, [...this.of(index.collection), index])
  }

  #emitted(state: RecordState | undefined): ReadonlyMap<number, string> {
    if (state === undefined || state.deleted !== undefined) return NOTHING_EMITTED
    const indexes = this.#byCollection.get(state.collection)
    if (indexes === undefined || indexes.length === 0) return NOTHING_EMITTED
    const emitted = new Map<number, string>()
    for (const index of indexes) emitted.set(index.no, index.fieldKey(state))
    return emitted
  }

  #prefixOf(collection: string): string {
    let prefix = this.#prefixes.get(collection)
    if (prefix === undefined) {
      prefix = collectionPrefix(collection)
      if (this.#prefixes.size >= limits.indexesMax) this.#prefixes.clear()
      this.#prefixes.set(collection, prefix)
    }
    return prefix
  }

  #keyOf(collection: string, id: string): string {
    return this.#prefixOf(collection) + encodeIndexId(id)
  }
}

const NONE: readonly CompiledIndex[] = []

function kindOf(value: string | undefined): 'alive' | 'deleted' | undefined {
  if (value === undefined) return undefined
  return isDeletedEntry(value) ? 'deleted' : 'alive'
}
