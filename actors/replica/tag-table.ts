/**
 * Live sets by tag in three layers: staged, in flight, stored (REPLICATION rules 9–11).
 * Invariant: the committed view of a tag never shows what is not synced, even while a batch is on its way to the disk.
 */
import { bytesKey, limits } from '../../runtime/index.ts'
import type { CryptoProvider } from '../../runtime/index.ts'
import { envelopesOf } from './live-set.ts'
import type { ScannedTag, TagChange } from './replica.ts'
import { parseStored, parseTagRow, tagKey } from './row.ts'
import type { Held, TagRow } from './row.ts'
import type { StoreReader } from './store.ts'

const NOTHING: TagRow = { arrival: 0, live: [] }

/** A tag that the batch being staged changes. */
export interface TagEdit {
  readonly tag: Uint8Array
  /** What was there before the batch; arrival 0 when there was nothing. */
  readonly base: TagRow
  live: readonly Held[]
  /** Given when the batch is built. */
  arrival: number
  /** Whether anything but own writes changed it. */
  foreign: boolean
}

export class TagTable {
  readonly #store: StoreReader
  readonly #crypto: CryptoProvider
  #staged = new Map<string, TagEdit>()
  #inFlight: ReadonlyMap<string, TagEdit> = new Map()
  /**
   * Rows as they are stored, in two generations of which the old one goes as a whole: a Map pays for deletions at its front. Writers look
   * a tag up, then write it: the second look is free.
   */
  #recent = new Map<string, TagRow>()
  #older = new Map<string, TagRow>()

  constructor(store: StoreReader, crypto: CryptoProvider) {
    this.#store = store
    this.#crypto = crypto
  }

  /** Staged, else in flight, else stored. */
  newest(tag: Uint8Array): readonly Held[] {
    const key = bytesKey(tag)
    return (this.#staged.get(key) ?? this.#inFlight.get(key) ?? this.#stored(tag, key)).live
  }

  /** What is synced. */
  committed(tag: Uint8Array): TagRow {
    const key = bytesKey(tag)
    return this.#inFlight.get(key)?.base ?? this.#staged.get(key)?.base ?? this.#stored(tag, key)
  }

  /** The same for a pass over many tags, which leaves the rows that are kept to the writers. */
  peek(tag: Uint8Array): TagRow {
    const key = bytesKey(tag)
    const row = this.#inFlight.get(key)?.base ?? this.#staged.get(key)?.base ?? this.#kept(key)
    return row ?? this.#read(tag)
  }

  /** A row that a pass over the store has just read: the store may show a batch that is still on its way. */
  scanned(tag: Uint8Array, row: Uint8Array): ScannedTag {
    const key = bytesKey(tag)
    const base = this.#inFlight.get(key)?.base ?? this.#staged.get(key)?.base
    const { live } = base ?? this.#parse(tag, row)
    return { tag, live: live.map(({ envelope }) => envelope) }
  }

  /** Nothing is stored under the tag: saves looking. */
  expectNew(tag: Uint8Array): void {
    this.#remember(bytesKey(tag), NOTHING)
  }

  isStaged(tag: Uint8Array): boolean {
    const key = bytesKey(tag)
    return this.#staged.has(key) || this.#inFlight.has(key)
  }

  /** Whether anything but own writes waits for its sync. */
  isStagedForeign(tag: Uint8Array): boolean {
    const key = bytesKey(tag)
    return this.#staged.get(key)?.foreign === true || this.#inFlight.get(key)?.foreign === true
  }

  /** Makes the tag the last of the batch, so that the tags of one transaction get arrivals that follow each other. */
  stageLast(tag: Uint8Array, live: readonly Held[]): void {
    const key = bytesKey(tag)
    const edit = this.#staged.get(key)
    if (edit !== undefined) {
      this.#staged.delete(key)
      this.#staged.set(key, edit)
    }
    this.stage(tag, live, false)
  }

  stage(tag: Uint8Array, live: readonly Held[], foreign: boolean): void {
    const key = bytesKey(tag)
    const edit = this.#staged.get(key)
    if (edit === undefined) {
      const base = this.#inFlight.get(key) ?? this.#stored(tag, key)
      this.#staged.set(key, { tag, base, live, arrival: 0, foreign })
    } else {
      edit.live = live
      edit.foreign ||= foreign
    }
  }

  /** Moves what is staged into flight. */
  launch(): ReadonlyMap<string, TagEdit> {
    const edits = this.#staged
    this.#inFlight = edits
    this.#staged = new Map()
    return edits
  }

  /** What is in flight was synced. */
  land(): void {
    for (const [key, edit] of this.#inFlight) this.#remember(key, { arrival: edit.arrival, live: edit.live })
    this.#inFlight = new Map()
  }

  #stored(tag: Uint8Array, key: string): TagRow {
    const kept = this.#kept(key)
    if (kept !== undefined) return kept
    const row = this.#read(tag)
    this.#remember(key, row)
    return row
  }

  #read(tag: Uint8Array): TagRow {
    const bytes = this.#store.get(tagKey(tag))
    return bytes === undefined ? NOTHING : this.#parse(tag, bytes)
  }

  #parse(tag: Uint8Array, bytes: Uint8Array): TagRow {
    return parseStored('a tag row', () => parseTagRow(bytes, tag, this.#crypto))
  }

  #kept(key: string): TagRow | undefined {
    return this.#recent.get(key) ?? this.#older.get(key)
  }

  #remember(key: string, row: TagRow): void {
    let bytes = 0
    for (const { envelope } of row.live) bytes += envelope.bytes.length
    if (bytes > limits.tagRowsCachedBytesMax / limits.tagRowsCachedMax) {
      this.#recent.delete(key)
      this.#older.delete(key)
      return
    }
    this.#recent.set(key, row)
    if (this.#recent.size < limits.tagRowsCachedMax / 2) return
    this.#older = this.#recent
    this.#recent = new Map()
  }
}

/** What a landed batch changed, as its listeners are told. */
export function changesOf(edits: ReadonlyMap<string, TagEdit>): TagChange[] {
  return [...edits.values()].map(({ tag, arrival, live, foreign, base }): TagChange => {
    return { tag, arrival, live: envelopesOf(live), own: !foreign, isNew: base.arrival === 0 }
  })
}
