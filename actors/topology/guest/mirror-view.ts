/**
 * What a guest shows of a shared database: the rows of its copy behind an index, and what the host's messages make of them.
 * Invariant: what the host says is shown at once and written behind; a message is applied as a whole or, when it makes no sense,
 * not at all.
 */
import { BlazeError, bytesKey, equalBytes, equalValue, limits } from '../../../runtime/index.ts'
import type { Value } from '../../../runtime/index.ts'
import {
  CollectionIndex,
  compareStamps,
  equalMerges,
  RecordCache,
  walkCollection,
} from '../../database/index.ts'
import type {
  AccessPath,
  Merge,
  RecordState,
  RecordView,
  RecordWalk,
  ShownChange,
} from '../../database/index.ts'
import type { Attached, Changes, HiddenRecord, MirrorItem, MirrorWrite } from '../mirror/index.ts'
import type { MirrorPlace } from './mirror-opening.ts'
import { damaged } from './mirror-row.ts'
import type { MirrorHead, MirrorRow } from './mirror-row.ts'
import { MirrorStore } from './mirror-store.ts'
import { ownRecord } from './own-record.ts'
import type { MirrorStep } from './mirror-store.ts'

export interface TakenMessage {
  readonly changes: Changes
  /** Of the message. */
  readonly bytes: number
  /** Its rows were written. */
  readonly done: () => void
}

export interface Kept {
  /** What is shown from now on. */
  readonly shown: readonly ShownChange[]
  /** Resolves when the disk has it; rejects with what the copy failed with, or `CLOSED`. Undefined when there is nothing to write. */
  readonly written: Promise<void> | undefined
}

/** A cached record costs about this much more than its bytes on the wire. */
const CACHE_OVERHEAD_BYTES = 500
const CACHE_BYTES_PER_BYTE = 4
const NO_ROWS: ReadonlyMap<string, undefined> = new Map()

export class MirrorView implements RecordView {
  readonly #disk: MirrorStore
  #index: CollectionIndex
  #cache = new RecordCache<RecordState>(limits.recordCacheBytesMax)
  #head: MirrorHead
  /** Tags at home here that the newest message named. */
  #named = new Set<string>()
  /** Tags that the present pass has not named. */
  #stale: Set<string>
  /** Those are being removed. */
  #sweeping = false
  #position: number

  /** Only for `open`. */
  constructor(disk: MirrorStore, index: CollectionIndex, stale: Set<string>) {
    this.#disk = disk
    this.#index = index
    this.#stale = stale
    this.#head = disk.head
    this.#position = disk.head.cursor?.arrival ?? 0
  }

  /** Rejects as `MirrorStore.open` does. */
  static async open(place: MirrorPlace, onFailed: (error: unknown) => void): Promise<MirrorView> {
    const index = new CollectionIndex()
    const stale = new Set<string>()
    const visit = (tag: string, { pass, state }: MirrorRow, head: MirrorHead): void => {
      if (index.tag(state.collection, state.id) !== undefined) throw damaged('a record has two rows')
      index.set(tag, state)
      if (!head.swept && pass !== head.pass) stale.add(tag)
    }
    return new MirrorView(await MirrorStore.open(place, visit, onFailed), index, stale)
  }

  get index(): CollectionIndex {
    return this.#index
  }

  get head(): MirrorHead {
    return this.#head
  }

  /** Arrival of the host that everything shown reaches. */
  get position(): number {
    return this.#position
  }

  get cacheBytes(): number {
    return this.#cache.bytes
  }

  /** There is something to `sweep`. */
  get sweeping(): boolean {
    return this.#sweeping
  }

  read(collection: string, id: string): RecordState | undefined {
    const tag = this.#index.tag(collection, id)
    if (tag === undefined) return undefined
    const cached = this.#cache.get(tag)
    if (cached !== undefined) return cached
    const state = this.#disk.row(tag)?.state
    if (state !== undefined) this.#cache.set(tag, state, CACHE_OVERHEAD_BYTES * 2)
    return state
  }

  peek(collection: string, id: string): RecordState | undefined {
    const tag = this.#index.tag(collection, id)
    return tag === undefined ? undefined : this.#state(tag)
  }

  /** A guest has none: its copy is small, and the host's are not sent. */
  indexes(): readonly [] {
    return []
  }

  hasCutKeys(): boolean {
    return false
  }

  count(collection: string): number {
    return this.#index.count(collection)
  }

  walk(collection: string, path: AccessPath): RecordWalk {
    return walkCollection(this.#index.ids(collection), path, (id) => this.peek(collection, id))
  }

  ready(): undefined {
    return undefined
  }

  /** The host has answered the attach. Returns what is not shown any more: everything, when it is another database. */
  begin(attached: Attached): ShownChange[] {
    const { space, home, policy, incarnation, full } = attached
    const before = this.#head
    const dropped = before.space !== undefined && !equalBytes(before.space, space) ? this.#drop() : []
    if (!full) {
      this.#note(NO_ROWS, { ...before, home })
      return dropped
    }
    const known = before.cursor
    const same = known !== undefined && equalBytes(known.space, space) && equalBytes(known.policy, policy)
    this.#markStale()
    this.#position = 0
    this.#note(NO_ROWS, {
      cursor: { policy, space, incarnation, arrival: 0 },
      space,
      home,
      pass: before.pass + 1,
      swept: false,
      // An older state under the same policy is still one that the host has shown.
      complete: same && before.complete,
      wiping: false,
    })
    return dropped
  }

  /** What the message changes, shown from now on. `PROTOCOL_VIOLATION` when it contradicts what the host said before. */
  apply({ changes, bytes, done }: TakenMessage, { policy, space, incarnation }: Attached): ShownChange[] {
    const { items, cursor, upTo, caughtUp } = changes
    const fresh = this.#check(items)
    const rows = new Map<string, MirrorRow | undefined>()
    const shown: ShownChange[] = []
    const cacheBytes = CACHE_OVERHEAD_BYTES + (CACHE_BYTES_PER_BYTE * bytes) / Math.max(1, items.length)
    // A row that is at home here may be retracted later, and then no host brings it again.
    let sync = false
    this.#named = new Set()
    for (const item of items) {
      const tag = bytesKey(item.tag)
      if (item.kind === 'record') {
        const { state } = item
        const isHome = this.#isHome(state)
        if (isHome) this.#named.add(tag)
        // Something that is not shared has changed.
        if (this.#head.swept && isSame(this.#state(tag), state)) continue
        this.#put(tag, state, rows, cacheBytes)
        sync ||= isHome
        shown.push({ collection: state.collection, id: state.id, state })
      } else {
        const gone = this.#remove(tag, rows, item.kind === 'retracted')
        if (gone !== undefined) shown.push(gone)
      }
    }
    this.#position = Math.max(this.#position, upTo)
    const at = { policy, space, incarnation, arrival: cursor }
    this.#note(rows, { ...this.#head, cursor: at }, { done, sync, fresh })
    if (caughtUp && !this.#head.swept) this.#sweeping = true
    return shown
  }

  /**
   * A write from here was stored, and is shown up to the arrival of its answer. What it made of records at home here that the host
   * does not show is shown as it was written, unless a message since has named it.
   */
  keep(write: MirrorWrite, hidden: readonly HiddenRecord[], nowMs: number): Kept {
    const { home } = this.#head
    if (home === undefined || hidden.length === 0) return { shown: [], written: undefined }
    const { step, collection } = write
    const rows = new Map<string, MirrorRow | undefined>()
    const shown: ShownChange[] = []
    for (const { index, tag: bytes, life } of hidden) {
      const input = write.inputs[index]
      const tag = bytesKey(bytes)
      if (input === undefined || this.#named.has(tag)) continue
      const { id, values } = input
      const known = this.#index.tag(collection, id)
      const found = this.#state(tag)
      if (known === undefined ? found !== undefined : known !== tag) continue
      const state = ownRecord(found, { step, name: { collection, id }, values, home, life, nowMs })
      if (state === undefined) continue
      this.#put(tag, state, rows, CACHE_OVERHEAD_BYTES * 2)
      shown.push({ collection, id, state })
    }
    // Also for what a message named: it may have withdrawn since what the disk does not have yet.
    const written = new Promise<void>((done, failed) => {
      this.#note(rows, this.#head, { sync: true, done, failed })
    })
    return { shown, written }
  }

  /** Nothing of the host may be shown any more; `sweep` until it is done. What is at home here stays. */
  purge(): void {
    const head = this.#head
    this.#markStale()
    this.#sweeping = true
    this.#note(NO_ROWS, { ...head, cursor: undefined, pass: head.pass + 1, swept: false, complete: false })
  }

  /** Removes some of what the pass has not named. Returns what is not shown any more. */
  sweep(): ShownChange[] {
    const rows = new Map<string, undefined>()
    const shown: ShownChange[] = []
    let left: number = limits.scanSliceRecords
    for (const tag of this.#stale) {
      if (left === 0) {
        if (rows.size > 0) this.#note(rows, this.#head)
        return shown
      }
      left -= 1
      this.#stale.delete(tag)
      const gone = this.#remove(tag, rows, true)
      if (gone !== undefined) shown.push(gone)
    }
    this.#sweeping = false
    const head = this.#head
    this.#note(rows, { ...head, swept: true, complete: head.cursor !== undefined }, { sync: true })
    return shown
  }

  /** Resolves when everything shown is on the disk, and the store is closed. Idempotent. */
  close(): Promise<void> {
    return this.#disk.close()
  }

  #state(tag: string): RecordState | undefined {
    return this.#cache.get(tag) ?? this.#disk.row(tag)?.state
  }

  /** A record has one tag, and a tag one record. Returns the tags that the disk does not have. Changes nothing. */
  #check(items: readonly MirrorItem[]): Set<string> {
    const fresh = new Set<string>()
    const names = new Map<string, string>()
    const tags = new Map<string, string>()
    for (const item of items) {
      if (item.kind !== 'record') continue
      const { collection, id } = item.state
      const tag = bytesKey(item.tag)
      const known = this.#index.tag(collection, id)
      if (known === tag) continue
      const name = `${collection}\0${id}`
      const here = names.get(name)
      if (known !== undefined || (here !== undefined && here !== tag))
        throw violation('a record has two tags')
      const other = tags.get(tag)
      const presence = other === undefined ? this.#disk.presence(tag) : undefined
      if (presence === 'shown' || (other !== undefined && other !== name)) {
        throw violation('a tag names two records')
      }
      if (presence === 'absent') fresh.add(tag)
      names.set(name, tag)
      tags.set(tag, name)
    }
    return fresh
  }

  #put(tag: string, state: RecordState, rows: Map<string, MirrorRow | undefined>, cacheBytes: number): void {
    this.#index.set(tag, state)
    this.#cache.set(tag, state, cacheBytes)
    this.#stale.delete(tag)
    rows.set(tag, { pass: this.#head.pass, state })
  }

  /** Undefined when there is nothing to remove, or when it is at home here and `unlessHome`. */
  #remove(
    tag: string,
    rows: Map<string, MirrorRow | undefined>,
    unlessHome: boolean,
  ): ShownChange | undefined {
    const row = rows.get(tag)
    const state = rows.has(tag) ? row?.state : this.#state(tag)
    if (state === undefined) return undefined
    if (unlessHome && this.#isHome(state)) return undefined
    const { collection, id } = state
    this.#index.remove(collection, id)
    this.#cache.delete(tag)
    this.#stale.delete(tag)
    rows.set(tag, undefined)
    return { collection, id, state: undefined }
  }

  #isHome({ home }: RecordState): boolean {
    const own = this.#head.home
    return home !== null && own !== undefined && equalBytes(home, own)
  }

  #markStale(): void {
    this.#sweeping = false
    this.#stale = new Set()
    for (const collection of this.#index.collections()) {
      for (const id of this.#index.ids(collection)) {
        const tag = this.#index.tag(collection, id)
        if (tag !== undefined) this.#stale.add(tag)
      }
    }
  }

  #drop(): ShownChange[] {
    const shown: ShownChange[] = []
    for (const collection of this.#index.collections()) {
      for (const id of this.#index.ids(collection)) shown.push({ collection, id, state: undefined })
    }
    // Queries read the index at their next step: a new one is the fastest way to forget.
    this.#index = new CollectionIndex()
    this.#cache = new RecordCache(limits.recordCacheBytesMax)
    this.#stale = new Set()
    this.#sweeping = false
    this.#disk.wipe()
    return shown
  }

  #note(
    rows: ReadonlyMap<string, MirrorRow | undefined>,
    head: MirrorHead,
    o: Omit<MirrorStep, 'rows' | 'head'> = {},
  ): void {
    this.#head = head
    this.#disk.write({ rows, head, ...o })
  }
}

/** Joining one into the other would change nothing. */
function isSame(known: RecordState | undefined, state: RecordState): boolean {
  if (known === undefined || known.life !== state.life || known.fields.size !== state.fields.size)
    return false
  for (const [name, { stamp, value, merge }] of state.fields) {
    const before = known.fields.get(name)
    if (before === undefined || compareStamps(before.stamp, stamp) !== 0) return false
    if (!isSameValue(before.value, value) || !isSameMerge(before.merge, merge)) return false
  }
  return true
}

function isSameMerge(a: Merge | undefined, b: Merge | undefined): boolean {
  return a === undefined || b === undefined ? a === b : equalMerges(a, b)
}

function isSameValue(a: Value | undefined, b: Value | undefined): boolean {
  return a === undefined || b === undefined ? a === b : equalValue(a, b)
}

function violation(problem: string): BlazeError {
  return new BlazeError('PROTOCOL_VIOLATION', `mirror changes: ${problem}`)
}
