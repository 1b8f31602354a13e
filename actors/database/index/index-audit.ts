/**
 * Compares indexes with records, both ways.
 * Invariant: only reads; every difference is counted, the first few are named without any value of a record.
 */
import { Breath, bytesKey, limits } from '../../../runtime/index.ts'
import type { Env } from '../../../runtime/index.ts'
import type { Replica } from '../../replica/index.ts'
import type { RecordState } from '../record/record.ts'
import { encodeIndexId } from './index-key.ts'
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
  readonly replica: Replica
  readonly indexes: RecordIndexes
  readonly peekTag: (tag: string) => RecordState | undefined
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
  readonly #problems: string[] = []
  #count = 0
  #records = 0
  #entries = 0

  constructor(options: IndexAuditOptions) {
    this.#o = options
    this.#breath = new Breath(options.env)
  }

  async run(): Promise<void> {
    await this.#recordsOfView()
    await this.#recordsOfStore()
    for (const index of this.#o.indexes.all()) await this.#entriesOf(index)
  }

  result(): IndexAudit {
    return {
      records: this.#records,
      entries: this.#entries,
      problems: this.#problems,
      problemCount: this.#count,
    }
  }

  /** What stands in the view by id is so, and each key that it says was emitted is there. */
  async #recordsOfView(): Promise<void> {
    const { indexes, peekTag } = this.#o
    let after: string | undefined
    for (;;) {
      const rows = indexes.allRecords(after, limits.scanSliceRecords)
      for (const [key, value] of rows) {
        after = key
        this.#records += 1
        const { collection, id } = parseRecordKey(key)
        const entry = parseRecordEntry(value)
        const state = peekTag(entry.tag)
        if (state === undefined || state.collection !== collection || state.id !== id) {
          this.#problem('an entry of the view by id leads to no record')
          continue
        }
        if (entry.deleted !== (state.deleted !== undefined))
          this.#problem('a record is deleted in one place only')
        for (const index of indexes.of(collection)) {
          if (!index.ready) continue
          const expected = state.deleted === undefined ? index.fieldKey(state) : undefined
          if (entry.emitted.get(index.no) !== expected)
            this.#problem(`a record emitted another key into ${index.name}`)
          if (expected !== undefined && index.pages.get(expected + encodeIndexId(id)) === undefined) {
            this.#problem(`a record is missing in ${index.name}`)
          }
        }
        const pause = this.#breath.pause()
        if (pause !== undefined) await pause
        this.#o.signal?.throwIfAborted()
      }
      if (rows.length < limits.scanSliceRecords) return
    }
  }

  /** Every record that is shown stands in the view by id. */
  async #recordsOfStore(): Promise<void> {
    const { indexes, peekTag, replica } = this.#o
    let after: Uint8Array | undefined
    for (;;) {
      const tags = await replica.scan(after, limits.scanSliceRecords)
      for (const { tag } of tags) {
        after = tag
        const state = peekTag(bytesKey(tag))
        if (state !== undefined && indexes.entry(state.collection, state.id) === undefined) {
          this.#problem('a record is missing in the view by id')
        }
        const pause = this.#breath.pause()
        if (pause !== undefined) await pause
        this.#o.signal?.throwIfAborted()
      }
      if (tags.length < limits.scanSliceRecords) return
    }
  }

  /** Every entry of a secondary index was emitted by the record that it leads to. */
  async #entriesOf(index: ReturnType<RecordIndexes['all']>[number]): Promise<void> {
    const { indexes } = this.#o
    let after: string | undefined
    for (;;) {
      const limit = limits.scanSliceRecords
      const rows = indexes.entries(index, { gte: '', lt: undefined, reverse: false, limit, after })
      for (const [key, value] of rows) {
        after = key
        this.#entries += 1
        const { id } = parseIndexEntry(key, value)
        const emitted = indexes.entry(index.collection, id)?.emitted.get(index.no)
        if (emitted === undefined || emitted + encodeIndexId(id) !== key) {
          this.#problem(`${index.name} has an entry that no record emitted`)
        }
        const pause = this.#breath.pause()
        if (pause !== undefined) await pause
        this.#o.signal?.throwIfAborted()
      }
      if (rows.length < limit) return
    }
  }

  #problem(problem: string): void {
    this.#count += 1
    if (this.#problems.length < limits.damagesNamedMax) this.#problems.push(problem)
  }
}
