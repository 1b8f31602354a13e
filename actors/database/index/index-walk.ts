/**
 * Walks along records: by id, by an index, or through the whole store.
 * Invariant: a walk holds nothing between two steps but where it is, so merges and writes go on beside it; it yields living records only.
 */
import { BlazeError, limits } from '../../../runtime/index.ts'
import type { Replica } from '../../replica/index.ts'
import type { RecordState } from '../record/record.ts'
import type { AccessPath, RecordWalk } from '../view/record-view.ts'
import type { CompiledIndex } from './compiled-index.ts'
import { isDeletedEntry, parseIndexEntry, parseRecordKey, tagOfEntry } from './record-entry.ts'
import type { RecordIndexes } from './record-indexes.ts'

/** What a walk reads from. Tags as texts of one char a byte. */
export interface WalkSource {
  readonly indexes: RecordIndexes
  readonly replica: Replica
  /** Lets other work have the thread. */
  breathe(): Promise<void>
  /** What is shown of a record. */
  peek(collection: string, id: string): RecordState | undefined
  /** What is shown of a tag; it leaves alone what is kept at hand. */
  peekTag(tag: string): RecordState | undefined
  /** The same, when the caller has just read what is synced. */
  shownOf(
    tag: Uint8Array,
    live: Awaited<ReturnType<Replica['scan']>>[number]['live'],
  ): RecordState | undefined
}

type Path<K extends AccessPath['kind']> = Extract<AccessPath, { kind: K }>

/** Entries of the view by id that are looked at together. */
const ENTRIES_MIN = 64

/** A full pass over the store is cheaper a record, but looks at the records of all collections. */
const STORE_SHARE_MIN = 0.25

export function walkRecords(source: WalkSource, collection: string, path: AccessPath): RecordWalk {
  switch (path.kind) {
    case 'ids':
      return new IdWalk(source, collection, path)
    case 'records':
      return new RecordsWalk(source, collection, path)
    case 'store': {
      const { counts } = source.indexes
      return counts.of(collection) < counts.alive * STORE_SHARE_MIN
        ? new RecordsWalk(source, collection, { kind: 'records', reverse: false })
        : new StoreWalk(source, collection)
    }
    case 'index': {
      const index = source.indexes.find(path.index)
      if (index === undefined) throw dropped(path.index.name)
      return new IndexRangeWalk(source, index, path)
    }
  }
}

abstract class Walk implements RecordWalk {
  protected readonly source: WalkSource
  protected readonly collection: string
  protected done = false

  constructor(source: WalkSource, collection: string) {
    this.source = source
    this.collection = collection
  }

  abstract next(limit: number): RecordState[] | Promise<RecordState[]>

  close(): void {
    this.done = true
  }

  protected isShown(state: RecordState | undefined): state is RecordState {
    return state !== undefined && state.deleted === undefined && state.collection === this.collection
  }
}

class IdWalk extends Walk {
  readonly #ids: readonly string[]
  #at = 0

  constructor(source: WalkSource, collection: string, { ids }: Path<'ids'>) {
    super(source, collection)
    this.#ids = ids
  }

  next(limit: number): RecordState[] {
    const found: RecordState[] = []
    while (!this.done && found.length < limit && this.#at < this.#ids.length) {
      const state = this.source.peek(this.collection, this.#ids[this.#at] as string)
      this.#at += 1
      if (this.isShown(state)) found.push(state)
    }
    return found
  }
}

class RecordsWalk extends Walk {
  readonly #reverse: boolean
  readonly #prefix: string
  #after: string | undefined

  constructor(source: WalkSource, collection: string, { after, prefix = '', reverse }: Path<'records'>) {
    super(source, collection)
    this.#reverse = reverse
    this.#prefix = prefix
    this.#after = after
  }

  next(limit: number): RecordState[] | Promise<RecordState[]> {
    const found: RecordState[] = []
    let left = limits.scanSliceRecords
    while (!this.done && found.length < limit && left > 0) {
      // Many may be deleted: a few at a time would look for the place again and again.
      const want = Math.max(limit - found.length, ENTRIES_MIN)
      const entries = this.source.indexes.records(this.collection, {
        after: this.#after,
        prefix: this.#prefix,
        reverse: this.#reverse,
        limit: want,
      })
      left -= entries.length
      for (const [key, value] of entries) {
        if (found.length === limit) return found
        this.#after = parseRecordKey(key).id
        if (isDeletedEntry(value)) continue
        const state = this.source.peekTag(tagOfEntry(value))
        if (this.isShown(state)) found.push(state)
      }
      if (entries.length < want) this.done = true
    }
    if (found.length > 0 || this.done) return found
    return this.source.breathe().then(() => this.next(limit))
  }
}

class IndexRangeWalk extends Walk {
  readonly #index: CompiledIndex
  readonly #range: Path<'index'>
  #after: string | undefined

  constructor(source: WalkSource, index: CompiledIndex, range: Path<'index'>) {
    super(source, index.collection)
    this.#index = index
    this.#range = range
  }

  next(limit: number): RecordState[] {
    const found: RecordState[] = []
    if (this.source.indexes.find(this.#index) !== this.#index) throw dropped(this.#index.name)
    while (!this.done && found.length < limit) {
      const want = limit - found.length
      const { gte, lt, reverse } = this.#range
      const entries = this.source.indexes.entries(this.#index, {
        gte,
        lt,
        reverse,
        limit: want,
        after: this.#after,
      })
      for (const [key, value] of entries) {
        this.#after = key
        const state = this.source.peekTag(parseIndexEntry(key, value).tag)
        if (this.isShown(state)) found.push(state)
      }
      if (entries.length < want) this.done = true
    }
    return found
  }
}

type Scanned = Awaited<ReturnType<Replica['scan']>>

/** Reads ahead: the disk works while records are opened. */
class StoreWalk extends Walk {
  #rows: Scanned = []
  #at = 0
  #ahead: Promise<Scanned> | undefined

  async next(limit: number): Promise<RecordState[]> {
    const found: RecordState[] = []
    while (found.length < limit && !this.done) {
      if (this.#at === this.#rows.length) {
        // What was opened so far is not kept waiting.
        if (found.length > 0) break
        await this.#turn()
        continue
      }
      const { tag, live } = this.#rows[this.#at] as Scanned[number]
      this.#at += 1
      const state = live.length === 0 ? undefined : this.source.shownOf(tag, live)
      if (this.isShown(state)) found.push(state)
    }
    return found
  }

  async #turn(): Promise<void> {
    const rows = await (this.#ahead ?? this.#fetch(undefined))
    this.#rows = rows
    this.#at = 0
    const last = rows.at(-1)
    if (last === undefined) this.done = true
    if (this.done || last === undefined) return
    this.#ahead = this.#fetch(last.tag)
    // A walk that ends early does not wait for it.
    this.#ahead.catch(() => undefined)
  }

  #fetch(after: Uint8Array | undefined): Promise<Scanned> {
    return this.source.replica.scan(after, limits.scanAheadRows)
  }
}

function dropped(name: string): BlazeError {
  return new BlazeError('CONFLICT', `the index ${name} was dropped while a query used it`)
}
