/**
 * Keeps the indexes of a view in step with it: catches up after an opening, merges, builds new ones, judges uniqueness.
 * Invariant: after catching up, the indexes hold exactly what is shown; a fault of their pages never changes what a record reads as.
 */
import { BlazeError, Breath, bytesKey, limits } from '../../../runtime/index.ts'
import type { Env } from '../../../runtime/index.ts'
import type { Envelope, Replica } from '../../replica/index.ts'
import type { RecordName } from '../record/record-change.ts'
import type { RecordState } from '../record/record.ts'
import type { IndexDefinition } from '../view/record-view.ts'
import type { CompiledIndex } from './compiled-index.ts'
import { auditIndexes } from './index-audit.ts'
import type { IndexAudit } from './index-audit.ts'
import type { HeldMark } from './index-state.ts'
import type { OpenedIndexes } from './load-indexes.ts'
import { afterPrefix, isDeletedEntry, parseIndexEntry, parseRecordKey, tagOfEntry } from './record-entry.ts'
import type { RecordIndexes, ShownRecord } from './record-indexes.ts'

export interface ViewIndexesOptions {
  readonly env: Env
  readonly replica: Replica
  readonly opened: OpenedIndexes
  /** A tag as it is synced, whose record may have changed since the indexes were stored. */
  readonly retake: (tag: Uint8Array, live: readonly Envelope[], arrival: number) => void
  /** What is shown of a tag. */
  readonly peekTag: (tag: string) => RecordState | undefined
  /** The same, of a tag whose synced live set has just been read. */
  readonly shownOf: (tag: Uint8Array, live: readonly Envelope[]) => RecordState | undefined
  /** The newest own write of a tag that waits for its sync. */
  readonly stagedOf: (tag: string) => RecordState | undefined
  readonly held: () => HeldMark[]
  /** See `HybridClock`. */
  readonly shownMs: () => number
  /** The indexes no longer follow: a page is damaged, or the store fails. The next opening makes them good. */
  readonly onFault: (error: BlazeError) => void
}

/** A write that is about to be staged. */
export interface UniqueChange {
  readonly tag: Uint8Array
  readonly state: RecordState
}

/** Values that a record is to have alone. Tags as texts. */
interface UniqueClaim {
  readonly key: string
  readonly tag: string
  /** What the call makes of records, by tag. */
  readonly states: ReadonlyMap<string, RecordState>
  /** Tags of the call that came before and have the same key. */
  readonly rivals: readonly string[]
}

export class ViewIndexes {
  readonly #o: ViewIndexesOptions
  readonly #indexes: RecordIndexes
  /** Every arrival up to here is in the indexes. */
  #cursor: number
  #catchingUp: Promise<void> | undefined
  /** An index came, went or was completed since the last merge. */
  #rearranged = false
  #closed = false
  #fault: BlazeError | undefined
  /** Tags with a staged state that has the key, by index and key. */
  readonly #staged = new Map<string, Set<string>>()

  constructor(options: ViewIndexesOptions) {
    this.#o = options
    this.#indexes = options.opened.indexes
    this.#cursor = options.opened.cursor
    options.opened.pages.onDamaged = (error) => this.#failed(error)
  }

  get records(): RecordIndexes {
    return this.#indexes
  }

  get cursor(): number {
    return this.#cursor
  }

  /** Brings the indexes up to date; resolves at once when much is missing, and goes on behind. See `ready`. */
  async start(): Promise<void> {
    const { replica, opened } = this.#o
    for (const { tag } of opened.held) {
      const { live, arrival } = replica.present(tag)
      if (live.length > 0) this.#o.retake(tag, live, arrival)
    }
    const missing = replica.lastArrival - this.#cursor
    const work = this.#catchUp()
    this.#catchingUp = work
    // Whoever asks `ready` hears of it; the cell hears of the store itself.
    work.catch(() => undefined)
    // Writes cannot be judged by a unique index that is not up to date.
    if (missing <= limits.indexReplayAtOpenMax || this.#indexes.hasUnique) await work
  }

  /** Resolves once the indexes are up to date; undefined when they are. */
  ready(): Promise<void> | undefined {
    return this.#catchingUp
  }

  apply(record: ShownRecord): void {
    this.#guard(() => this.#indexes.apply(record))
  }

  /** A batch was synced and applied. */
  committed(arrival: number): void {
    if (this.#fault !== undefined) return
    if (this.#catchingUp === undefined) this.#cursor = arrival
    this.#mergeWhenFull()
  }

  /** Everything of this moment is in the pages when it resolves. Rejects with `POISONED`, `CLOSED`. */
  flush(): Promise<void> {
    if (this.#fault !== undefined) return Promise.reject(this.#fault)
    const { changes, isFlushing, storedCursor } = this.#indexes
    if (changes === 0 && !isFlushing && !this.#rearranged && storedCursor === this.#cursor)
      return Promise.resolve()
    return this.#indexes.flush(() => {
      this.#rearranged = false
      return { cursor: this.#cursor, held: this.#o.held(), shownMs: this.#o.shownMs() }
    })
  }

  /** Resolves when the index is complete and stored. `INDEX_EXISTS`, `TOO_LARGE`; `NOT_UNIQUE` when records have equal values already. */
  async create(definition: IndexDefinition): Promise<void> {
    const index = this.#indexes.create(definition)
    if (index.ready) return
    await this.#indexes.storeDefinitions()
    await this.#catchingUp
    // Writes that nobody has judged by this index land first; later ones are.
    await this.#o.replica.settled()
    await this.#buildOrDrop(index)
    await this.flush()
  }

  /** Returns whether there was one. */
  async drop(definition: Pick<IndexDefinition, 'collection' | 'name'>): Promise<boolean> {
    const found = this.#indexes.drop(definition)
    if (found) {
      this.#rearranged = true
      await this.#indexes.storeDefinitions()
      await this.flush()
    }
    return found
  }

  list(collection: string | undefined): IndexDefinition[] {
    const all = collection === undefined ? this.#indexes.all() : this.#indexes.of(collection)
    return all.filter(({ ready }) => ready).map(({ definition }) => definition)
  }

  /** Names of all records, deleted ones included. */
  *names(collections: readonly string[] | undefined): Generator<RecordName, void, void> {
    for (const collection of collections ?? this.#indexes.counts.collections()) {
      for (const { id } of this.#entriesOf(collection, '')) yield { collection, id }
    }
  }

  /** Ids of living records that begin with a text, in order. */
  *livingIds(collection: string, prefix: string): Generator<string, void, void> {
    for (const { id, value } of this.#entriesOf(collection, prefix)) if (!isDeletedEntry(value)) yield id
  }

  *#entriesOf(collection: string, prefix: string): Generator<{ id: string; value: string }, void, void> {
    let after: string | undefined
    for (;;) {
      const limit = limits.scanSliceRecords
      const entries = this.#indexes.records(collection, { after, prefix, reverse: false, limit })
      for (const [key, value] of entries) {
        after = parseRecordKey(key).id
        yield { id: after, value }
      }
      if (entries.length < limit) return
    }
  }

  /** Looks through everything: for the rare record that is held after it was shown. */
  nameOfTag(tag: string): { collection: string; id: string } | undefined {
    let after: string | undefined
    for (;;) {
      const entries = this.#indexes.allRecords(after, limits.scanSliceRecords)
      for (const [key, value] of entries) {
        if (tagOfEntry(value) === tag) return parseRecordKey(key)
        after = key
      }
      if (entries.length < limits.scanSliceRecords) return undefined
    }
  }

  /** Throws `NOT_UNIQUE` when a change would give a record the values of another in a unique index. */
  checkUnique(changes: readonly UniqueChange[]): void {
    if (!this.#indexes.hasUnique) return
    const states = new Map(changes.map(({ tag, state }) => [bytesKey(tag), state]))
    /** Tags of this call with that key, by index and key. */
    const seen = new Map<string, string[]>()
    for (const [tag, state] of states) {
      if (state.deleted !== undefined) continue
      for (const index of this.#indexes.of(state.collection)) {
        if (!index.unique) continue
        const key = index.uniqueKey(state)
        if (key === undefined) continue
        const name = `${index.no} ${key}`
        const rivals = seen.get(name) ?? []
        const other = this.#holderOf(index, state, { key, tag, states, rivals })
        if (other !== undefined && !this.#keeps(index, state, tag)) throw notUnique(index, other)
        seen.set(name, [...rivals, tag])
      }
    }
  }

  /** A write was staged, or its state is no longer the newest. */
  noteStaged(tag: string, before: RecordState | undefined, after: RecordState | undefined): void {
    if (!this.#indexes.hasUnique) return
    for (const state of [before, after]) {
      if (state === undefined || state.deleted !== undefined) continue
      for (const index of this.#indexes.of(state.collection)) {
        if (!index.unique) continue
        const key = `${index.no} ${index.fieldKey(state)}`
        const tags = this.#staged.get(key) ?? new Set()
        if (state === after) this.#staged.set(key, tags.add(tag))
        else if (tags.delete(tag) && tags.size === 0) this.#staged.delete(key)
      }
    }
  }

  /** Compares the indexes with the records. Records that are written meanwhile may show as differences only until they are synced. */
  async verify(signal?: AbortSignal): Promise<IndexAudit> {
    await this.#catchingUp
    const { env, replica, peekTag, shownOf } = this.#o
    return auditIndexes({ env, replica, indexes: this.#indexes, peekTag, shownOf, signal })
  }

  close(): void {
    this.#closed = true
  }

  /** The id of another record with the same values: one of the call, one that is staged, or one that is shown. */
  #holderOf(index: CompiledIndex, state: RecordState, own: UniqueClaim): string | undefined {
    const staged = this.#staged.get(`${index.no} ${own.key}`) ?? []
    for (const tag of [...own.rivals, ...staged]) {
      const other = this.#rival(index, state, own, tag)
      if (other !== undefined) return other
    }
    let after: string | undefined
    for (;;) {
      const entries = this.#indexes.entries(index, {
        gte: own.key,
        lt: afterPrefix(own.key),
        reverse: false,
        limit: limits.scanSliceRecords,
        after,
      })
      for (const [key, value] of entries) {
        after = key
        const other = this.#rival(index, state, own, parseIndexEntry(key, value).tag)
        if (other !== undefined) return other
      }
      if (entries.length < limits.scanSliceRecords) return undefined
    }
  }

  /** The id of the tag's record when it has these values, as it is newest. */
  #rival(index: CompiledIndex, state: RecordState, own: UniqueClaim, tag: string): string | undefined {
    if (tag === own.tag) return undefined
    const other = own.states.get(tag) ?? this.#o.stagedOf(tag) ?? this.#o.peekTag(tag)
    return other !== undefined && index.isSame(state, other) ? other.id : undefined
  }

  /** Whether the record has these values already: two devices gave them to two records, and this write does not make it worse. */
  #keeps(index: CompiledIndex, state: RecordState, tag: string): boolean {
    const isShown = (): boolean => this.records.entry(state.collection, state.id) !== undefined
    const before = this.#o.stagedOf(tag) ?? (isShown() ? this.#o.peekTag(tag) : undefined)
    return before !== undefined && index.isSame(state, before)
  }

  async #catchUp(): Promise<void> {
    const { replica, retake } = this.#o
    for (;;) {
      const page = await replica.arrivals(this.#cursor, limits.rangeRowsMax)
      const breath = new Breath(this.#o.env)
      for (const { arrival, tag } of page.arrivals) {
        const present = replica.present(tag)
        // A tag that changed again comes further on.
        if (present.arrival === arrival) retake(tag, present.live, arrival)
        const pause = breath.pause()
        if (pause !== undefined) await pause
        if (this.#closed) return
      }
      this.#cursor = page.upTo
      if (this.#cursor >= replica.lastArrival) break
      this.#mergeWhenFull()
    }
    this.#catchingUp = undefined
    for (const index of this.#indexes.all()) if (!index.ready) void this.#resume(index)
  }

  /** An index that was being built when the database was closed. */
  async #resume(index: CompiledIndex): Promise<void> {
    try {
      await this.#buildOrDrop(index)
    } catch (error) {
      // Records that are not unique make it go; a store that fails says so itself.
      if (!(error instanceof BlazeError)) throw error
    }
  }

  /** An index that cannot be built, because records are not unique, is gone for good. */
  async #buildOrDrop(index: CompiledIndex): Promise<void> {
    try {
      await this.#build(index)
    } catch (error) {
      if (error instanceof BlazeError && error.code === 'NOT_UNIQUE') await this.drop(index)
      throw error
    }
  }

  /** Lets every record of the collection emit its key. */
  async #build(index: CompiledIndex): Promise<void> {
    const breath = new Breath(this.#o.env)
    let after: string | undefined
    for (;;) {
      const limit = limits.scanSliceRecords
      const entries = this.#indexes.records(index.collection, { after, prefix: '', reverse: false, limit })
      for (const [key, value] of entries) {
        const { collection, id } = parseRecordKey(key)
        after = id
        const tag = tagOfEntry(value)
        const state = isDeletedEntry(value) ? undefined : this.#o.peekTag(tag)
        if (state !== undefined) {
          if (index.unique) this.#checkBuilt(index, tag, state)
          this.apply({ collection, id, tag, state, isNew: false })
        }
        const pause = breath.pause()
        if (pause !== undefined) await pause
        if (this.#closed)
          throw new BlazeError('CLOSED', 'the database was closed while an index was being built')
        if (this.#indexes.find(index) !== index)
          throw new BlazeError('NOT_FOUND', 'the index was dropped while it was being built')
      }
      if (entries.length < limit) break
      if (this.#indexes.changes >= limits.indexDeltaEntries) await this.flush()
    }
    index.ready = true
    this.#rearranged = true
  }

  #checkBuilt(index: CompiledIndex, tag: string, state: RecordState): void {
    const key = index.uniqueKey(state)
    if (key === undefined) return
    const other = this.#holderOf(index, state, { key, tag, states: new Map(), rivals: [] })
    if (other !== undefined) throw notUnique(index, other)
  }

  #mergeWhenFull(): void {
    if (this.#indexes.changes < limits.indexDeltaEntries || this.#indexes.isFlushing || this.#closed) return
    this.flush().catch((error: unknown) => this.#failed(error))
  }

  /** A fault ends this opening instead of its caller: what is synced has to be told to everybody else all the same. */
  #guard(work: () => void): void {
    if (this.#fault !== undefined) return
    try {
      work()
    } catch (error) {
      this.#failed(error)
    }
  }

  #failed(error: unknown): void {
    if (!(error instanceof BlazeError)) throw error
    if (this.#closed || this.#fault !== undefined) return
    this.#fault = error
    const told = (): void => this.#o.onFault(error)
    if (error.code === 'DAMAGED') this.#indexes.discard().then(told, told)
    else told()
  }
}

function notUnique(index: CompiledIndex, id: string): BlazeError {
  return new BlazeError(
    'NOT_UNIQUE',
    `another record has the same values in the unique index ${index.name}`,
    {
      details: { collection: index.collection, index: index.name, id },
    },
  )
}
