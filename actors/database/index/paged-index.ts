/**
 * One ordered map of entries, larger than memory: pages on disk below changes in memory.
 * Invariant: pages on disk are those of one moment; what came later is in memory until a merge has written all of it at once.
 */
import { assert, limits } from '../../../runtime/index.ts'
import { PageWriter } from './page.ts'
import type { IndexEntry, IndexPage } from './page.ts'
import type { PageStore } from './page-store.ts'
import { createSortedMap } from './sorted-map.ts'
import type { SortedMap } from './sorted-map.ts'

/** A page and the first key in it. */
export interface Fence {
  readonly first: string
  readonly page: number
}

export interface EntryRange {
  readonly gte: string
  /** Undefined: to the end. */
  readonly lt: string | undefined
  readonly reverse: boolean
  readonly limit: number
  /** Only what comes after this key in the direction of the range. */
  readonly after?: string | undefined
}

/** A value, or null for an entry that was removed. */
type Delta = SortedMap<string | null>

export class PagedIndex {
  readonly #pages: PageStore
  #fences: readonly Fence[]
  #active: Delta = createSortedMap()
  /** What a merge writes now. */
  #frozen: Delta | undefined
  #merged: { readonly fences: readonly Fence[]; readonly obsolete: readonly number[] } | undefined

  constructor(pages: PageStore, fences: readonly Fence[]) {
    this.#pages = pages
    this.#fences = fences
  }

  get fences(): readonly Fence[] {
    return this.#fences
  }

  /** Changes that no merge has begun with. */
  get changes(): number {
    return this.#active.size
  }

  /** `DAMAGED` when a page is. */
  get(key: string): string | undefined {
    let changed = this.#active.get(key)
    if (changed === undefined) changed = this.#frozen?.get(key)
    if (changed !== undefined) return changed ?? undefined
    const at = fenceBefore(this.#fences, key)
    return at === -1 ? undefined : this.#pages.load((this.#fences[at] as Fence).page).get(key)
  }

  set(key: string, value: string): void {
    this.#active.set(key, value)
  }

  delete(key: string): void {
    this.#active.set(key, null)
  }

  /** At most `limit` entries, in order. */
  entries(asked: EntryRange): IndexEntry[] {
    const range = { ...asked, after: afterWithin(asked) }
    const layers = [
      new DeltaCursor(this.#active, range),
      ...(this.#frozen === undefined ? [] : [new DeltaCursor(this.#frozen, range)]),
      new PageCursor(this.#fences, this.#pages, range),
    ]
    const found: IndexEntry[] = []
    while (found.length < range.limit) {
      const next = nextOf(layers, range.reverse)
      if (next === undefined || isBeyond(next, range)) break
      let value: string | null | undefined
      for (const layer of layers) {
        if (layer.key !== next) continue
        // The newest layer comes first.
        if (value === undefined) value = layer.value
        layer.advance()
      }
      if (typeof value === 'string') found.push([next, value])
    }
    return found
  }

  /** Begins a merge with all changes of this moment. */
  freeze(): void {
    assert(this.#frozen === undefined, 'one merge at a time')
    this.#frozen = this.#active
    this.#active = createSortedMap()
  }

  /** Stages the pages of the merge; yields often, so that its caller can write what is staged and let others work. */
  *merge(): Generator<void, void, void> {
    assert(this.#frozen !== undefined, 'a merge begins with freeze')
    if (this.#frozen.size === 0) {
      this.#merged = { fences: this.#fences, obsolete: [] }
      return
    }
    const merge = new Merge(this.#fences, this.#pages)
    yield* merge.run(this.#frozen)
    this.#merged = merge
  }

  /** Pages that nobody needs once the merge is on disk, and the directory that is true then. */
  get merging(): { readonly fences: readonly Fence[]; readonly obsolete: readonly number[] } {
    assert(this.#merged !== undefined, 'the merge has run')
    return this.#merged
  }

  /** Whether the merge has another directory than before. */
  get isRearranged(): boolean {
    return this.merging.fences !== this.#fences
  }

  /** The merge is on disk. */
  adopt(): void {
    this.#fences = this.merging.fences
    this.#frozen = undefined
    this.#merged = undefined
  }
}

/** The last fence whose first key is not above `key`; -1 when all are. */
function fenceBefore(fences: readonly Fence[], key: string): number {
  let low = 0
  let high = fences.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((fences[middle] as Fence).first <= key) low = middle + 1
    else high = middle
  }
  return low - 1
}

/** A place before the range is none. */
function afterWithin({ gte, lt, reverse, after }: EntryRange): string | undefined {
  if (after === undefined) return undefined
  if (reverse) return lt !== undefined && after >= lt ? undefined : after
  return after < gte ? undefined : after
}

function isBeyond(key: string, { gte, lt, reverse }: EntryRange): boolean {
  return reverse ? key < gte : lt !== undefined && key >= lt
}

interface Cursor {
  /** Undefined at the end. */
  readonly key: string | undefined
  readonly value: string | null
  advance(): void
}

function nextOf(cursors: readonly Cursor[], reverse: boolean): string | undefined {
  let next: string | undefined
  for (const { key } of cursors) {
    if (key !== undefined && (next === undefined || (reverse ? key > next : key < next))) next = key
  }
  return next
}

class DeltaCursor implements Cursor {
  readonly #entries: Iterator<[string, string | null]>
  key: string | undefined
  value: string | null = null

  constructor(delta: Delta, { gte, lt, reverse, after }: EntryRange) {
    if (reverse) this.#entries = delta.entriesReversed(after ?? lt, undefined, true)
    else this.#entries = delta.entries(after ?? gte)
    this.advance()
    if (!reverse && after !== undefined && this.key === after) this.advance()
  }

  advance(): void {
    const step = this.#entries.next()
    if (step.done === true) this.key = undefined
    else [this.key, this.value] = step.value
  }
}

class PageCursor implements Cursor {
  readonly #fences: readonly Fence[]
  readonly #pages: PageStore
  readonly #step: 1 | -1
  #fence: number
  #page: IndexPage | undefined
  #entry = 0
  key: string | undefined
  value: string | null = null

  constructor(fences: readonly Fence[], pages: PageStore, { gte, lt, reverse, after }: EntryRange) {
    this.#fences = fences
    this.#pages = pages
    this.#step = reverse ? -1 : 1
    const from = reverse ? (after ?? lt) : (after ?? gte)
    this.#fence = from === undefined ? fences.length - 1 : fenceBefore(fences, from)
    if (!reverse && this.#fence === -1) this.#fence = 0
    this.#open()
    if (this.#page !== undefined) {
      if (from !== undefined) {
        this.#entry = this.#page.seek(from)
        // Down: below `from`. Up: past `after` itself.
        if (reverse) this.#entry -= 1
        else if (
          after !== undefined &&
          this.#entry < this.#page.count &&
          this.#page.key(this.#entry) === after
        )
          this.#entry += 1
      }
      this.#settle()
    }
  }

  advance(): void {
    this.#entry += this.#step
    this.#settle()
  }

  #open(): void {
    const fence = this.#fences[this.#fence]
    this.#page = fence && this.#pages.load(fence.page)
    if (this.#page !== undefined) this.#entry = this.#step === 1 ? 0 : this.#page.count - 1
  }

  #settle(): void {
    while (this.#page !== undefined && (this.#entry < 0 || this.#entry >= this.#page.count)) {
      this.#fence += this.#step
      this.#open()
    }
    this.key = this.#page?.key(this.#entry)
    this.value = this.#page?.value(this.#entry) ?? null
  }
}

/** Writes new pages for those that changes touch; the others stay. */
class Merge {
  readonly fences: Fence[] = []
  readonly obsolete: number[] = []
  readonly #before: readonly Fence[]
  readonly #pages: PageStore
  readonly #writer: PageWriter
  /** The first page of before that is not dealt with. */
  #next = 0

  constructor(before: readonly Fence[], pages: PageStore) {
    this.#before = before
    this.#pages = pages
    this.#writer = new PageWriter((first, bytes) => this.fences.push({ first, page: pages.stage(bytes) }))
  }

  *run(changes: Delta): Generator<void, void, void> {
    const entries = changes.entries()
    let step = entries.next()
    while (step.done !== true) {
      const [first] = step.value
      const target = Math.max(0, fenceBefore(this.#before, first))
      if (target > this.#next) {
        yield* this.#endRun()
        while (this.#next < target) this.#keep()
      }
      const bound = this.#before[target + 1]?.first
      const page = this.#take()
      let entry = 0
      while (step.done !== true && (bound === undefined || step.value[0] < bound)) {
        const [key, value] = step.value
        if (page !== undefined) entry = this.#copyBelow(page, entry, key)
        if (page !== undefined && entry < page.count && page.key(entry) === key) entry += 1
        if (value !== null) this.#writer.add(key, value)
        step = entries.next()
        if (page === undefined && this.#pages.stagedBytes >= limits.indexBatchBytes) yield
      }
      if (page !== undefined) while (entry < page.count) this.#writer.addRaw(page, entry++)
      yield
    }
    yield* this.#endRun()
    while (this.#next < this.#before.length) this.#keep()
  }

  #copyBelow(page: IndexPage, from: number, key: string): number {
    let entry = from
    while (entry < page.count && page.key(entry) < key) this.#writer.addRaw(page, entry++)
    return entry
  }

  /** The next page of before, whose entries go to new ones. */
  #take(): IndexPage | undefined {
    const fence = this.#before[this.#next]
    if (fence === undefined) return undefined
    this.#next += 1
    this.obsolete.push(fence.page)
    return this.#pages.peek(fence.page)
  }

  #keep(): void {
    this.fences.push(this.#before[this.#next] as Fence)
    this.#next += 1
  }

  /** Ends the page under way; one that is too small shares with the next. */
  *#endRun(): Generator<void, void, void> {
    if (!this.#writer.isEmpty && this.#writer.bytes < limits.indexPageBytesMin) {
      const page = this.#take()
      if (page !== undefined) {
        this.#writer.share(page)
        yield
      }
    }
    this.#writer.flush()
  }
}
