/**
 * Compares indexes with records, both ways: first by sums over everything, in the order in which it lies on the disk, then one by one
 * where sums differ. Invariant: only reads; every difference is counted, the first few are named without any value of a record.
 */
import { Breath, bytesKey, limits } from '../../../runtime/index.ts'
import type { Env } from '../../../runtime/index.ts'
import type { Envelope, Replica } from '../../replica/index.ts'
import type { RecordState } from '../record/record.ts'
import { AuditSums } from './audit-sums.ts'
import type { CompiledIndex } from './compiled-index.ts'
import { encodeIndexId } from './index-key.ts'
import type { IndexEntry } from './page.ts'
import { parseIndexEntry, parseRecordEntry, parseRecordKey } from './record-entry.ts'
import type { RecordIndexes } from './record-indexes.ts'

export interface IndexAudit {
  /** Records in the view by id, deleted ones included. */
  readonly records: number
  /** Entries of all secondary indexes. */
  readonly entries: number
  readonly problems: readonly string[]
  readonly problemCount: number
}

export interface IndexAuditOptions {
  readonly env: Env
  readonly replica: Pick<Replica, 'scan'>
  readonly indexes: RecordIndexes
  readonly peekTag: (tag: string) => RecordState | undefined
  /** What is shown of a tag that has just been read. */
  readonly shownOf: (tag: Uint8Array, live: readonly Envelope[]) => RecordState | undefined
  readonly signal?: AbortSignal | undefined
}

export async function auditIndexes(options: IndexAuditOptions): Promise<IndexAudit> {
  const audit = new Audit(options)
  await audit.run()
  return audit.result()
}

class Audit {
  readonly #o: IndexAuditOptions
  readonly #breath: Breath
  readonly #sums = new AuditSums()
  /** Complete when the audit began. */
  readonly #ready: readonly CompiledIndex[]
  readonly #problems: string[] = []
  #count = 0
  #records = 0
  #entries = 0

  constructor(options: IndexAuditOptions) {
    this.#o = options
    this.#breath = new Breath(options.env)
    this.#ready = options.indexes.all().filter(({ ready }) => ready)
  }

  async run(): Promise<void> {
    await this.#sumStore()
    await this.#sumView()
    for (const index of this.#ready) await this.#sumIndex(index)
    // Writes that came meanwhile differ too, and are found to be right.
    if (this.#sums.allEqual) return
    await this.#recordsOfView()
    await this.#recordsOfStore()
    for (const index of this.#ready) await this.#entriesOf(index)
  }

  result(): IndexAudit {
    return {
      records: this.#records,
      entries: this.#entries,
      problems: this.#problems,
      problemCount: this.#count,
    }
  }

  /** What the records say that should be there. */
  async #sumStore(): Promise<void> {
    await this.#eachTag((tag, live) => {
      const state = this.#o.shownOf(tag, live)
      if (state === undefined) return
      const key = bytesKey(tag)
      this.#sums.add(key, viewMark(state.collection, state.id, state.deleted !== undefined))
      if (state.deleted !== undefined) return
      for (const index of this.#ready) {
        if (index.collection !== state.collection) continue
        const fieldKey = index.fieldKey(state) + encodeIndexId(state.id)
        this.#sums.add(key, emittedMark(index.no, fieldKey))
        this.#sums.add(key, entryMark(index.no, fieldKey))
      }
    })
  }

  async #sumView(): Promise<void> {
    const ready = new Set(this.#ready.map(({ no }) => no))
    await this.#eachOfView((key, value) => {
      this.#records += 1
      const { collection, id } = parseRecordKey(key)
      const { tag, deleted, emitted } = parseRecordEntry(value)
      this.#sums.subtract(tag, viewMark(collection, id, deleted))
      for (const [no, fieldKey] of emitted) {
        // Of one that was dropped the keys stay until the record is written again.
        if (ready.has(no)) this.#sums.subtract(tag, emittedMark(no, fieldKey + encodeIndexId(id)))
      }
    })
  }

  async #sumIndex(index: CompiledIndex): Promise<void> {
    await this.#eachOfIndex(index, (key, value) => {
      this.#entries += 1
      this.#sums.subtract(parseIndexEntry(key, value).tag, entryMark(index.no, key))
    })
  }

  /** What stands in the view by id is so, and each key that it says was emitted is there. */
  async #recordsOfView(): Promise<void> {
    const { indexes, peekTag } = this.#o
    await this.#eachOfView((key, value) => {
      const entry = parseRecordEntry(value)
      if (!this.#sums.differs(entry.tag)) return
      const { collection, id } = parseRecordKey(key)
      const state = peekTag(entry.tag)
      if (state === undefined || state.collection !== collection || state.id !== id) {
        this.#problem('an entry of the view by id leads to no record')
        return
      }
      if (entry.deleted !== (state.deleted !== undefined)) {
        this.#problem('a record is deleted in one place only')
      }
      for (const index of indexes.of(collection)) {
        if (!index.ready) continue
        const expected = state.deleted === undefined ? index.fieldKey(state) : undefined
        if (entry.emitted.get(index.no) !== expected)
          this.#problem(`a record emitted another key into ${index.name}`)
        if (expected !== undefined && index.pages.get(expected + encodeIndexId(id)) === undefined) {
          this.#problem(`a record is missing in ${index.name}`)
        }
      }
    })
  }

  /** Every record that is shown stands in the view by id. */
  async #recordsOfStore(): Promise<void> {
    await this.#eachTag((tag) => {
      const key = bytesKey(tag)
      if (!this.#sums.differs(key)) return
      const state = this.#o.peekTag(key)
      if (state !== undefined && this.#o.indexes.entry(state.collection, state.id) === undefined) {
        this.#problem('a record is missing in the view by id')
      }
    })
  }

  /** Every entry of a secondary index was emitted by the record that it leads to. */
  async #entriesOf(index: CompiledIndex): Promise<void> {
    await this.#eachOfIndex(index, (key, value) => {
      const { id, tag } = parseIndexEntry(key, value)
      if (!this.#sums.differs(tag)) return
      const emitted = this.#o.indexes.entry(index.collection, id)?.emitted.get(index.no)
      if (emitted === undefined || emitted + encodeIndexId(id) !== key) {
        this.#problem(`${index.name} has an entry that no record emitted`)
      }
    })
  }

  async #eachTag(look: (tag: Uint8Array, live: readonly Envelope[]) => void): Promise<void> {
    let after: Uint8Array | undefined
    for (;;) {
      const tags = await this.#o.replica.scan(after, limits.scanSliceRecords)
      for (const { tag, live } of tags) {
        after = tag
        look(tag, live)
        const pause = this.#breath.pause()
        if (pause !== undefined) await pause
        this.#o.signal?.throwIfAborted()
      }
      if (tags.length < limits.scanSliceRecords) return
    }
  }

  #eachOfView(look: (key: string, value: string) => void): Promise<void> {
    return this.#eachEntry((after, limit) => this.#o.indexes.allRecords(after, limit), look)
  }

  #eachOfIndex(index: CompiledIndex, look: (key: string, value: string) => void): Promise<void> {
    const all = { gte: '', lt: undefined, reverse: false }
    return this.#eachEntry((after, limit) => this.#o.indexes.entries(index, { ...all, limit, after }), look)
  }

  async #eachEntry(
    read: (after: string | undefined, limit: number) => readonly IndexEntry[],
    look: (key: string, value: string) => void,
  ): Promise<void> {
    let after: string | undefined
    for (;;) {
      const rows = read(after, limits.scanSliceRecords)
      for (const [key, value] of rows) {
        after = key
        look(key, value)
        const pause = this.#breath.pause()
        if (pause !== undefined) await pause
        this.#o.signal?.throwIfAborted()
      }
      if (rows.length < limits.scanSliceRecords) return
    }
  }

  #problem(problem: string): void {
    this.#count += 1
    if (this.#problems.length < limits.damagesNamedMax) this.#problems.push(problem)
  }
}

function viewMark(collection: string, id: string, deleted: boolean): string {
  return `v${deleted ? 1 : 0}${collection}\n${id}`
}

/** A key that stands in the view by id as emitted. */
function emittedMark(no: number, key: string): string {
  return `e${no} ${key}`
}

/** A key that stands in an index. */
function entryMark(no: number, key: string): string {
  return `i${no} ${key}`
}
