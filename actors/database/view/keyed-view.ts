/**
 * What a replica holds, as records: the (collection, id) index, the cache of decoded records, and what is held back.
 * Invariant: everything it shows was synced; it changes only when a batch committed or a hold ended, and then says what changed.
 */
import { assert, bytesKey, equalBytes, limits, toHex } from '../../../runtime/index.ts'
import type { Env, Timer } from '../../../runtime/index.ts'
import type { Envelope, Replica, TagChange } from '../../replica/index.ts'
import { CollectionIndex } from './collection-index.ts'
import { RecordCache } from './record-cache.ts'
import type { ShownChange } from './live-query.ts'
import { NOTHING } from './record-reader.ts'
import type { Assembled, Hold, HoldReason, RecordReader } from './record-reader.ts'
import type { RecordState } from '../record/record.ts'

export interface RecordChange extends ShownChange {
  /** Of its envelopes, 16 bytes. */
  readonly tag: Uint8Array
}

type SyncedTag = Pick<TagChange, 'tag' | 'live' | 'arrival'>

/** What is held back of a tag, and the arrival of the tag. */
interface HeldTag {
  readonly holds: readonly Hold[]
  readonly arrival: number
}

export type HeldCounts = Readonly<Record<HoldReason, number>>

export interface KeyedViewOptions {
  readonly env: Env
  readonly reader: RecordReader
  /** Something was held back; `writer` is the replica id in hexadecimal. */
  readonly onHeld: (reason: HoldReason, writer: string) => void
  readonly onChanged: (changes: readonly RecordChange[]) => void
}

/** A cached record costs about this much more than the bytes of its envelopes. */
const CACHE_OVERHEAD_BYTES = 500
const CACHE_BYTES_PER_BYTE = 4

export class KeyedView {
  readonly index: CollectionIndex = new CollectionIndex()
  readonly #env: Env
  readonly #reader: RecordReader
  readonly #onHeld: KeyedViewOptions['onHeld']
  readonly #onChanged: KeyedViewOptions['onChanged']
  readonly #cache = new RecordCache(limits.recordCacheBytesMax)
  /** By tag. */
  readonly #holds = new Map<string, HeldTag>()
  /** What `heldFloor` found, until a hold changes. */
  #floor: number | undefined
  /** Own writes that are staged, by tag: what was sealed under which number. */
  readonly #staged = new Map<string, { sealNumber: number; state: RecordState }>()
  #replica: Replica | undefined
  #timer: { timer: Timer; at: number } | undefined
  #closed = false

  constructor(options: KeyedViewOptions) {
    this.#env = options.env
    this.#reader = options.reader
    this.#onHeld = options.onHeld
    this.#onChanged = options.onChanged
  }

  /** For the pass over the store at opening. */
  visit(tag: Uint8Array, live: readonly Envelope[], arrival: number): void {
    this.#take({ tag, live, arrival }, bytesKey(tag), this.#reader.assemble(live))
  }

  /** From now on the view follows the replica. */
  attach(replica: Replica): void {
    this.#replica = replica
    replica.onCommitted((changes) => this.#committed(changes))
  }

  /** Of the envelopes of a record that is shown, or shown as deleted. */
  tag(collection: string, id: string): Uint8Array | undefined {
    const tag = this.index.tag(collection, id)
    return tag === undefined ? undefined : tagOf(tag)
  }

  /** What is shown of a record; undefined also when it is unknown. Deleted records are returned as such. */
  read(collection: string, id: string): RecordState | undefined {
    const tag = this.index.tag(collection, id)
    return tag === undefined ? undefined : this.#shown(tag).state
  }

  /** The same for a pass over many records, which leaves the cache to those that are read one by one. */
  peek(collection: string, id: string): RecordState | undefined {
    const tag = this.index.tag(collection, id)
    if (tag === undefined) return undefined
    return (this.#cache.get(tag) ?? this.#reader.assemble(this.#attached().committed(tagOf(tag)))).state
  }

  /** What is shown of a tag whose synced live set the caller has just read, if anything; it leaves the cache alone too. */
  shownOf(tag: Uint8Array, live: readonly Envelope[]): RecordState | undefined {
    return (this.#cache.get(bytesKey(tag)) ?? this.#reader.assemble(live)).state
  }

  /** What a write to the tag has to merge: staged writes included. */
  readForWrite(tag: Uint8Array, collection: string, id: string): Assembled {
    const key = bytesKey(tag)
    const replica = this.#attached()
    if (replica.hasStaged(tag)) {
      const live = replica.live(tag)
      const staged = this.#staged.get(key)
      const own =
        staged === undefined
          ? undefined
          : live.find((envelope) => isOwn(envelope, staged.sealNumber, replica))
      return this.#reader.assemble(
        live,
        staged === undefined || own === undefined ? undefined : { envelope: own, state: staged.state },
      )
    }
    if (this.index.tag(collection, id) === undefined && !this.#holds.has(key)) return NOTHING
    return this.#shown(key)
  }

  /** What is being sealed under that number of this boot, to save opening it again. */
  noteStaged(tag: Uint8Array, sealNumber: number, state: RecordState): void {
    this.#staged.set(bytesKey(tag), { sealNumber, state })
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
  }

  #shown(key: string): Assembled {
    const cached = this.#cache.get(key)
    if (cached !== undefined) return cached
    const live = this.#attached().committed(tagOf(key))
    const record = this.#reader.assemble(live)
    this.#keep(key, record, live)
    return record
  }

  #committed(changes: readonly TagChange[]): void {
    const replica = this.#attached()
    const changed: RecordChange[] = []
    for (const change of changes) {
      const { tag, live } = change
      const key = bytesKey(tag)
      const staged = this.#staged.get(key)
      const own =
        staged === undefined
          ? undefined
          : live.find((envelope) => isOwn(envelope, staged.sealNumber, replica))
      const known =
        staged === undefined || own === undefined ? undefined : { envelope: own, state: staged.state }
      // The newest staged write of the tag is the last that will be looked for.
      if (own !== undefined || !replica.hasStaged(tag)) this.#staged.delete(key)
      const shown = this.#take(change, key, this.#reader.assemble(live, known))
      if (shown !== undefined) changed.push(shown)
    }
    if (changed.length > 0) this.#onChanged(changed)
  }

  /** Takes over what a tag has become. */
  #take({ tag, live, arrival }: SyncedTag, key: string, record: Assembled): RecordChange | undefined {
    this.#keep(key, record, live)
    this.#hold(key, record.holds, arrival)
    const { state } = record
    if (state !== undefined) {
      this.index.set(key, state)
      return { tag, collection: state.collection, id: state.id, state }
    }
    const gone = record.holds.length > 0 && this.#replica !== undefined ? this.index.unset(key) : undefined
    return gone && { tag, collection: gone.collection, id: gone.id, state: undefined }
  }

  #keep(key: string, record: Assembled, live: readonly Envelope[]): void {
    let bytes = CACHE_OVERHEAD_BYTES
    for (const envelope of live) bytes += envelope.bytes.length * CACHE_BYTES_PER_BYTE
    this.#cache.set(key, record, bytes)
  }

  #hold(key: string, holds: readonly Hold[], arrival: number): void {
    const before = this.#holds.get(key)?.holds
    if (holds.length === 0 && before === undefined) return
    this.#floor = undefined
    if (holds.length === 0) this.#holds.delete(key)
    else this.#holds.set(key, { holds, arrival })
    for (const { reason, envelope, waitMs } of holds) {
      if (before?.some((hold) => hold.envelope.seq === envelope.seq) !== true) {
        this.#onHeld(reason, toHex(envelope.replicaId))
      }
      if (reason === 'clock') this.#wakeIn(waitMs)
    }
  }

  /** One timer for the next hold that ends by time. */
  #wakeIn(waitMs: number): void {
    const at = this.#env.monotonic() + waitMs
    if (this.#closed || (this.#timer !== undefined && this.#timer.at <= at)) return
    this.#timer?.timer.cancel()
    const timer = this.#env.after(waitMs, () => {
      this.#timer = undefined
      this.#reconsider((hold) => hold.reason === 'clock')
    })
    this.#timer = { timer, at }
  }

  #reconsider(concerns: (hold: Hold) => boolean): void {
    const replica = this.#replica
    if (replica === undefined || this.#closed) return
    const changed: RecordChange[] = []
    for (const [key, { holds, arrival }] of [...this.#holds]) {
      if (!holds.some(concerns)) continue
      const tag = tagOf(key)
      const live = replica.committed(tag)
      const change = this.#take({ tag, live, arrival }, key, this.#reader.assemble(live))
      if (change !== undefined) changed.push(change)
    }
    if (changed.length > 0) this.#onChanged(changed)
  }

  #attached(): Replica {
    assert(this.#replica !== undefined, 'the view is attached to its replica before it is read')
    return this.#replica
  }
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
