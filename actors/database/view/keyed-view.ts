/**
 * What a replica holds, as records: reads by name, the indexes over them, the cache of decoded records, and what is held back.
 * Invariant: everything it shows was synced; it changes only when a batch committed or a hold ended, and then says what changed.
 */
import { assert, BlazeError, bytesKey, equalBytes, limits, toHex } from '../../../runtime/index.ts'
import type { Env, Timer } from '../../../runtime/index.ts'
import type { Envelope, Replica, TagChange } from '../../replica/index.ts'
import { CHUNK_COLLECTION } from '../chunk/chunk-name.ts'
import { walkRecords } from '../index/index-walk.ts'
import type { OpenedIndexes } from '../index/load-indexes.ts'
import { ViewIndexes } from '../index/view-indexes.ts'
import type { RecordName } from '../record/record-change.ts'
import type { RecordState } from '../record/record.ts'
import { Doorkeeper } from './doorkeeper.ts'
import { RecordCache } from './record-cache.ts'
import type { ShownChange } from './live-query.ts'
import { NOTHING } from './record-reader.ts'
import type { Assembled, Hold, HoldReason, KnownTag, RecordReader } from './record-reader.ts'
import type { AccessPath, IndexDefinition, RecordView, RecordWalk } from './record-view.ts'

export interface RecordChange extends ShownChange {
  /** Of its envelopes, 16 bytes. */
  readonly tag: Uint8Array
}

type SyncedTag = Pick<TagChange, 'tag' | 'live' | 'arrival' | 'isNew'>

/** What is held back of a tag, and the arrival of the tag. */
interface HeldTag {
  readonly holds: readonly Hold[]
  readonly arrival: number
  /** Whether something else of the tag is shown. */
  readonly shown: boolean
}

export type HeldCounts = Readonly<Record<HoldReason, number>>

export interface KeyedViewOptions {
  readonly env: Env
  readonly reader: RecordReader
  /** Something was held back; `writer` is the replica id in hexadecimal. */
  readonly onHeld: (reason: HoldReason, writer: string) => void
  readonly onChanged: (changes: readonly RecordChange[]) => void
  /** The indexes cannot follow any more: this opening is over. */
  readonly onFault: (error: BlazeError) => void
}

const PROVEN: KnownTag = { isProven: true }

/** A cached record costs about this much more than the bytes of its envelopes. */
const CACHE_OVERHEAD_BYTES = 500
const CACHE_BYTES_PER_BYTE = 4

export class KeyedView implements RecordView {
  readonly #o: KeyedViewOptions
  readonly #reader: RecordReader
  readonly #cache = new RecordCache(limits.recordCacheBytesMax)
  readonly #door = new Doorkeeper()
  /** By tag. */
  readonly #holds = new Map<string, HeldTag>()
  /** What `heldFloor` found, until a hold changes. */
  #floor: number | undefined
  /** Own writes that are staged, by tag: what was sealed under which number. */
  readonly #staged = new Map<string, { sealNumber: number; state: RecordState }>()
  #attached: { readonly replica: Replica; readonly indexes: ViewIndexes } | undefined
  #timer: { timer: Timer; at: number } | undefined
  #closed = false

  constructor(options: KeyedViewOptions) {
    this.#o = options
    this.#reader = options.reader
    this.#reader.onShown(() => this.#wakeIn(0))
  }

  /** From now on the view follows the replica. Resolves when the indexes are up to date, or go on behind: see `ready`. */
  async attach(replica: Replica, opened: OpenedIndexes): Promise<void> {
    const indexes = new ViewIndexes({
      env: this.#o.env,
      replica,
      opened,
      retake: (tag, live, arrival) => {
        this.#take({ tag, live, arrival, isNew: false }, bytesKey(tag), this.#reader.assemble(live))
      },
      peekTag: (tag) => this.#peekTag(tag),
      shownOf: (tag, live) => this.shownOf(tag, live),
      stagedOf: (tag) => this.#staged.get(tag)?.state,
      held: () => [...this.#holds].map(([tag, { arrival }]) => ({ tag: tagOf(tag), arrival })),
      shownMs: () => this.#reader.shownMs,
      onFault: this.#o.onFault,
    })
    this.#attached = { replica, indexes }
    replica.onCommitted((changes) => this.#committed(changes))
    await indexes.start()
  }

  get index(): ViewIndexes {
    return this.#ready().indexes
  }

  /** Living records that applications can name. */
  get records(): number {
    const { counts } = this.index.records
    return counts.alive - counts.of(CHUNK_COLLECTION)
  }

  get deletedRecords(): number {
    const { counts } = this.index.records
    return counts.deleted - counts.deletedOf(CHUNK_COLLECTION)
  }

  /** Of the envelopes of a record. */
  tag(collection: string, id: string): Uint8Array {
    return this.#reader.tag(collection, id)
  }

  /** What is shown of a record; undefined also when it is unknown. Deleted records are returned as such. */
  read(collection: string, id: string): RecordState | undefined {
    const tag = this.#reader.tag(collection, id)
    const found = this.#shown(tag, bytesKey(tag), { collection, id })
    if (found === NOTHING) this.#checkAbsent(collection, id)
    return found.state
  }

  /** The same for a pass over many records, which leaves the cache to those that are read one by one. */
  peek(collection: string, id: string): RecordState | undefined {
    const tag = this.#reader.tag(collection, id)
    const cached = this.#cache.get(bytesKey(tag))
    if (cached !== undefined) return cached.state
    return this.#reader.assemble(this.#ready().replica.present(tag).live, { name: { collection, id } }).state
  }

  /** What is shown of a tag whose synced live set the caller has just read, if anything; it leaves the cache alone too. */
  shownOf(tag: Uint8Array, live: readonly Envelope[]): RecordState | undefined {
    const key = bytesKey(tag)
    return (this.#cache.get(key) ?? this.#reader.assemble(live, this.#proof(key))).state
  }

  indexes(collection: string): readonly IndexDefinition[] {
    return this.index.list(collection)
  }

  hasCutKeys(index: IndexDefinition): boolean {
    return this.index.records.find(index)?.cut ?? true
  }

  count(collection: string): number {
    return this.index.records.counts.of(collection)
  }

  ready(): Promise<void> | undefined {
    return this.index.ready()
  }

  walk(collection: string, path: AccessPath): RecordWalk {
    const { replica, indexes } = this.#ready()
    const source = {
      replica,
      indexes: indexes.records,
      breathe: () => new Promise<void>((resolve) => this.#o.env.defer(resolve)),
      peek: (name: string, id: string) => this.peek(name, id),
      peekTag: (tag: string) => this.#peekTag(tag),
      shownOf: (tag: Uint8Array, live: readonly Envelope[]) => this.shownOf(tag, live),
    }
    return walkRecords(source, collection, path)
  }

  /** What a write to the tag has to merge: staged writes included. `fresh`: nobody can have written it. */
  readForWrite(tag: Uint8Array, fresh?: boolean): Assembled {
    const { replica } = this.#ready()
    if (fresh === true) {
      replica.expectNew(tag)
      return NOTHING
    }
    const key = bytesKey(tag)
    if (!replica.hasStaged(tag)) return this.#shown(tag, key)
    const live = replica.live(tag)
    return this.#reader.assemble(live, { staged: this.#known(key, live) })
  }

  /** What is being sealed under that number of this boot, to save opening it again. */
  noteStaged(tag: Uint8Array, sealNumber: number, state: RecordState): void {
    const key = bytesKey(tag)
    this.index.noteStaged(key, this.#staged.get(key)?.state, state)
    this.#staged.set(key, { sealNumber, state })
  }

  /** Looks again at what waits for a key. */
  keysChanged(): void {
    this.#reconsider((hold) => hold.reason === 'key')
  }

  held(): HeldCounts {
    const counts = { clock: 0, key: 0, life: 0, bad: 0 }
    for (const { holds } of this.#holds.values()) for (const { reason } of holds) counts[reason] += 1
    return counts
  }

  /** The lowest arrival of a tag of which something waits for its time or its key; Infinity without any. */
  heldFloor(): number {
    if (this.#floor === undefined) {
      this.#floor = Infinity
      for (const { holds, arrival } of this.#holds.values()) {
        if (arrival < this.#floor && holds.some(waits)) this.#floor = arrival
      }
    }
    return this.#floor
  }

  get cacheBytes(): number {
    return this.#cache.bytes
  }

  close(): void {
    this.#closed = true
    this.#timer?.timer.cancel()
    this.#attached?.indexes.close()
  }

  #peekTag(key: string): RecordState | undefined {
    const cached = this.#cache.get(key)
    if (cached !== undefined) return cached.state
    const { live } = this.#ready().replica.present(tagOf(key))
    if (live.length === 0) throw lost()
    return this.#reader.assemble(live, this.#proof(key)).state
  }

  /** A flipped bit in a key of the store hides a row: what stands in the view by id has one. */
  #checkAbsent(collection: string, id: string): void {
    if (this.ready() === undefined && this.index.records.entry(collection, id) !== undefined) throw lost()
  }

  /** Every envelope was looked at when it came, and what was wrong with its tag is held. */
  #proof(key: string): KnownTag {
    return this.ready() === undefined && !this.#holds.has(key) ? PROVEN : {}
  }

  #shown(tag: Uint8Array, key: string, name?: RecordName): Assembled {
    const cached = this.#cache.get(key)
    if (cached !== undefined) return cached
    const live = this.#ready().replica.committed(tag)
    if (live.length === 0) return NOTHING
    const record = this.#reader.assemble(live, name === undefined ? {} : { name })
    if (this.#door.knows(key)) this.#keep(key, record, live)
    return record
  }

  /** The newest own write among the live envelopes, if it is still staged here. */
  #known(key: string, live: readonly Envelope[]): { envelope: Envelope; state: RecordState } | undefined {
    const staged = this.#staged.get(key)
    if (staged === undefined) return undefined
    const { replica } = this.#ready()
    const envelope = live.find((one) => isOwn(one, staged.sealNumber, replica))
    return envelope && { envelope, state: staged.state }
  }

  #committed(changes: readonly TagChange[]): void {
    const { replica, indexes } = this.#ready()
    const changed: RecordChange[] = []
    for (const change of changes) {
      const { tag, live } = change
      const key = bytesKey(tag)
      const known = this.#known(key, live)
      // The newest staged write of the tag is the last that will be looked for.
      if (known !== undefined || !replica.hasStaged(tag)) this.#unstage(key)
      const shown = this.#take(change, key, this.#reader.assemble(live, { staged: known }))
      if (shown !== undefined) changed.push(shown)
    }
    const last = changes.at(-1)
    if (last !== undefined) indexes.committed(last.arrival)
    if (changed.length > 0) this.#o.onChanged(changed)
  }

  #unstage(key: string): void {
    const staged = this.#staged.get(key)
    if (staged === undefined) return
    this.index.noteStaged(key, staged.state, undefined)
    this.#staged.delete(key)
  }

  /** Takes over what a tag has become. */
  #take({ tag, live, arrival, isNew }: SyncedTag, key: string, record: Assembled): RecordChange | undefined {
    const { state } = record
    const wasHidden = isNew || this.#holds.get(key)?.shown === false
    const name: RecordName | undefined = state ?? (wasHidden ? undefined : this.#nameOf(key, record.holds))
    if (!isNew && this.#door.knows(key)) this.#keep(key, record, live)
    else this.#cache.delete(key)
    this.#hold(key, record, arrival)
    if (name === undefined) return undefined
    const { collection, id } = name
    this.index.apply({ collection, id, tag: key, state, isNew })
    return { tag, collection, id, state }
  }

  /** Whose record a tag is of which nothing is shown any more. */
  #nameOf(key: string, holds: readonly Hold[]): RecordName | undefined {
    if (holds.length === 0) return undefined
    const name = this.#cache.get(key)?.state ?? holds.find((hold) => hold.name !== undefined)?.name
    if (name === undefined) return this.index.nameOfTag(key)
    return this.index.records.entry(name.collection, name.id) && name
  }

  #keep(key: string, record: Assembled, live: readonly Envelope[]): void {
    let bytes = CACHE_OVERHEAD_BYTES
    for (const envelope of live) bytes += envelope.bytes.length * CACHE_BYTES_PER_BYTE
    this.#cache.set(key, record, bytes)
  }

  #hold(key: string, { holds, state }: Assembled, arrival: number): void {
    const before = this.#holds.get(key)?.holds
    if (holds.length === 0 && before === undefined) return
    this.#floor = undefined
    if (holds.length === 0) this.#holds.delete(key)
    else this.#holds.set(key, { holds, arrival, shown: state !== undefined })
    for (const { reason, envelope, waitMs } of holds) {
      if (before?.some((hold) => hold.envelope.seq === envelope.seq) !== true) {
        this.#o.onHeld(reason, toHex(envelope.replicaId))
      }
      if (reason === 'clock') this.#wakeIn(waitMs)
    }
  }

  /** One timer for the next hold that ends by time. */
  #wakeIn(waitMs: number): void {
    const { env } = this.#o
    const at = env.monotonic() + waitMs
    if (this.#closed || (this.#timer !== undefined && this.#timer.at <= at)) return
    this.#timer?.timer.cancel()
    const timer = env.after(waitMs, () => {
      this.#timer = undefined
      this.#reconsider((hold) => hold.reason === 'clock')
    })
    this.#timer = { timer, at }
  }

  #reconsider(concerns: (hold: Hold) => boolean): void {
    if (this.#attached === undefined || this.#closed) return
    const { replica } = this.#attached
    const changed: RecordChange[] = []
    for (const [key, { holds, arrival }] of [...this.#holds]) {
      if (!holds.some(concerns)) continue
      const tag = tagOf(key)
      const live = replica.committed(tag)
      const change = this.#take({ tag, live, arrival, isNew: false }, key, this.#reader.assemble(live))
      if (change !== undefined) changed.push(change)
    }
    if (changed.length > 0) this.#o.onChanged(changed)
  }

  #ready(): { readonly replica: Replica; readonly indexes: ViewIndexes } {
    assert(this.#attached !== undefined, 'the view is attached to its replica before it is read')
    return this.#attached
  }
}

function lost(): BlazeError {
  return new BlazeError(
    'DAMAGED',
    'the row of a record is missing; verify() tells more; restore from a peer or a backup',
  )
}

function waits({ reason }: Hold): boolean {
  return reason === 'clock' || reason === 'key'
}

function isOwn(envelope: Envelope, sealNumber: number, replica: Replica): boolean {
  return envelope.sealNumber === sealNumber && equalBytes(envelope.bootId, replica.incarnation)
}

function tagOf(key: string): Uint8Array {
  const tag = new Uint8Array(key.length)
  for (let at = 0; at < key.length; at += 1) tag[at] = key.charCodeAt(at)
  return tag
}
