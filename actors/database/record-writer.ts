/**
 * Writes records: merges what is there, changes it, seals the whole result (REPLICATION rule 1).
 * Invariant: a call stages all of its records or none, and what it staged is seen by the next write at once.
 */
import { BlazeError } from '../../runtime/index.ts'
import type { CryptoProvider } from '../../runtime/index.ts'
import type { OwnDraft, WriteOptions } from '../replica/index.ts'
import type { Space } from '../team/index.ts'
import type { HybridClock } from './clock.ts'
import type { KeyedView } from './view/keyed-view.ts'
import type { Assembled } from './view/record-reader.ts'
import type { Keyring } from './keyring.ts'
import { encodeBody } from './record/record-body.ts'
import { createTick, deleteFrom, isAlive } from './record/record-change.ts'
import type { FieldChanges, FieldValues, RecordName, Tick } from './record/record-change.ts'
import { equalRecords, joinRecords } from './record/record.ts'
import type { FieldState, RecordState, Stamp } from './record/record.ts'
import type { RecordStep } from './record/write-step.ts'

export interface RecordWriterOptions {
  readonly crypto: CryptoProvider
  readonly clock: HybridClock
  readonly keyring: Keyring
  readonly view: KeyedView
  readonly space: Space
  readonly replicaId: Uint8Array
  /** A call resolves when it is staged; `lost` is told when that could not be synced. Without: when it was synced. */
  readonly relaxed?: { lost(error: unknown): void } | undefined
  /** Is this collection a read-only copy? */
  isMirror(collection: string): boolean
}

/** The state of a record whose life it ends; undefined when there is none to end. */
export type DeleteStep = (found: RecordState | undefined, tick: Tick) => RecordState | undefined

export interface RecordInput {
  readonly id: string
  readonly values: FieldValues
  /** The id was made by chance a moment ago, so nobody has written it: saves looking for it. */
  readonly fresh?: boolean
}

/** The same once the chunks of its large values are stored. */
export interface PreparedInput extends Omit<RecordInput, 'values'> {
  readonly values: FieldChanges
}

/** Field states of another database, as they are there; `home` is never null. */
export interface ImportedRecord {
  readonly collection: string
  readonly id: string
  readonly home: Uint8Array
  readonly life: number
  readonly deleted: Stamp | undefined
  readonly fields: ReadonlyMap<string, FieldState>
}

/** What a transaction does to one record. */
export interface RecordEdit extends RecordName {
  /** In order. Undefined: there was nothing to end. */
  readonly steps: readonly DeleteStep[]
}

/** A record that a call is about to change, or has staged. */
export interface Change {
  readonly tag: Uint8Array
  readonly state: RecordState
  readonly context: OwnDraft['context']
}

interface Waiting extends RecordName {
  count: number
}

const STAGED = Promise.resolve()

export class RecordWriter {
  readonly #o: RecordWriterOptions
  readonly #tick: Tick
  /** Writes that wait for their sync, by record. */
  readonly #waiting = new Map<string, Waiting>()
  #onStaged: ((changes: readonly Change[]) => void) | undefined

  constructor(options: RecordWriterOptions) {
    this.#o = options
    this.#tick = createTick(options.space.replica.incarnation, () => options.clock.tick())
  }

  /** True while a write to the record waits for its sync. */
  isWriting(collection: string, id: string): boolean {
    return this.#waiting.size > 0 && this.#waiting.has(keyOf(collection, id))
  }

  get anyWriting(): boolean {
    return this.#waiting.size > 0
  }

  /** Ids of the collection with writes that wait for their sync. */
  writing(collection: string): string[] {
    return [...this.#waiting.values()].flatMap((name) => (name.collection === collection ? [name.id] : []))
  }

  /** Resolves when what was written by now may be told of to this app. */
  settled(): Promise<void> {
    return this.#o.relaxed === undefined ? this.#o.space.replica.settled() : Promise.resolve()
  }

  /** After a write that was resolved: for whoever tells others of it, to whom nothing is told before it is synced. */
  synced(): Promise<void> {
    return this.#o.relaxed === undefined ? Promise.resolve() : this.#o.space.replica.settled()
  }

  /** From now on told of all that is staged, in the turn that stages it. */
  onStaged(listener: (changes: readonly Change[]) => void): void {
    this.#onStaged = listener
  }

  /** Stamps for one write. */
  get tick(): Tick {
    return this.#tick
  }

  tag(collection: string, id: string): Uint8Array {
    return this.#o.keyring.tag(collection, id)
  }

  /** Throws `READ_ONLY` where this device may not write. */
  checkAllowed(collection: string): void {
    if (this.#o.isMirror(collection)) {
      throw new BlazeError('READ_ONLY', 'this collection is a read-only copy of another database', {
        details: { collection },
      })
    }
    this.#checkRole()
  }

  /** Applies the step to each record, of which no two have one id. Resolves when all is synced; throws before anything is staged. */
  write(collection: string, inputs: readonly PreparedInput[], step: RecordStep): Promise<void> {
    this.checkAllowed(collection)
    const changes: Change[] = []
    let waits = false
    for (const { id, values, fresh } of inputs) {
      const tag = this.#o.keyring.tag(collection, id)
      const found = this.#o.view.readForWrite(tag, fresh)
      const state = step(found.state, { collection, id }, values, this.#tick)
      if (state !== found.state) changes.push(this.#change(tag, state, found))
      else if (this.isWriting(collection, id)) waits = true
    }
    this.#o.view.index.checkUnique(changes)
    return this.#told(waits ? this.#afterOthers(changes) : this.#stage(changes))
  }

  /** Deletes records, of which no two have one id. Resolves, synced, with whether there was any; throws as `write` does. */
  async delete(collection: string, ids: readonly string[], step: DeleteStep = deleteFrom): Promise<boolean> {
    this.checkAllowed(collection)
    const changes: Change[] = []
    for (const id of ids) {
      const tag = this.#o.keyring.tag(collection, id)
      const found = this.#o.view.readForWrite(tag)
      const state = step(found.state, this.#tick)
      if (state !== undefined) changes.push(this.#change(tag, state, found))
    }
    await this.#told(changes.length < ids.length ? this.#afterOthers(changes) : this.#stage(changes))
    return changes.length > 0
  }

  /**
   * Joins records of another database into this one, stamps and values unchanged, read-only copies included. Resolves, synced,
   * with how many changed; an import that changes nothing writes nothing.
   */
  async import(records: readonly ImportedRecord[]): Promise<number> {
    const { crypto, clock, keyring, view, space } = this.#o
    this.#checkRole()
    const changes: Change[] = []
    for (const record of records) {
      const { collection, id } = record
      // A record that comes home stops being a guest.
      const home = crypto.equal(record.home, space.spaceId) ? null : record.home
      const tag = keyring.tag(collection, id)
      const found = view.readForWrite(tag)
      const offered: RecordState = { ...record, home }
      const state = found.state === undefined ? offered : joinRecords(found.state, offered, crypto)
      if (found.state !== undefined && equalRecords(state, found.state, crypto)) continue
      if (state.deleted !== undefined) clock.observe(state.deleted)
      for (const { stamp } of state.fields.values()) clock.observe(stamp)
      changes.push({ tag, state, context: found.context })
    }
    await this.#stage(changes)
    return changes.length
  }

  /**
   * Applies all edits, no two to one record, under one stamp, and stages what they make as one signed commit. Resolves when that is
   * synced; throws before anything is staged: `TOO_LARGE` beside what the steps say.
   */
  async commit(edits: readonly RecordEdit[]): Promise<void> {
    const { clock, view } = this.#o
    let stamp: Stamp | undefined
    // One stamp: of two concurrent transactions that wrote the same fields, one wins them all.
    const tick = createTick(this.#tick.bootId, () => (stamp ??= clock.tick()))
    const changes: Change[] = []
    for (const { collection, id, steps } of edits) {
      this.checkAllowed(collection)
      const tag = this.tag(collection, id)
      const found = view.readForWrite(tag)
      let { state } = found
      for (const step of steps) state = step(state, tick) ?? state
      if (state === undefined || state === found.state) continue
      // What the transaction made and ended again was never there.
      if (!isAlive(state) && !isAlive(found.state)) continue
      changes.push(this.#change(tag, state, found))
    }
    view.index.checkUnique(changes)
    await this.#told(this.#stage(changes, { atomic: true }))
  }

  /** A write under a stamp of now: `CLOCK_SKEW` where what it merges is later. */
  #change(tag: Uint8Array, state: RecordState, found: Assembled): Change {
    if (found.state !== undefined) this.#o.clock.expectPast(found.state)
    return { tag, state, context: found.context }
  }

  #checkRole(): void {
    if (this.#o.space.team.device(this.#o.replicaId)?.mayWrite === true) return
    throw new BlazeError('READ_ONLY', 'the role of this device in the team does not allow writing')
  }

  /** A write that changes nothing is true only once the writes that it found are synced. */
  async #afterOthers(changes: readonly Change[]): Promise<void> {
    await Promise.all([this.#stage(changes), this.#o.space.replica.settled()])
  }

  #stage(changes: readonly Change[], options?: WriteOptions): Promise<void> {
    if (changes.length === 0) return Promise.resolve()
    const { replica } = this.#o.space
    const { keyId } = this.#o.keyring
    const drafts = changes.map((change) => new RecordDraft(this.#o, change, keyId))
    const written = replica.write(drafts, options)
    this.#await(changes, written)
    this.#onStaged?.(changes)
    return written
  }

  #told(written: Promise<void>): Promise<void> {
    const { relaxed } = this.#o
    if (relaxed === undefined) return written
    // What could not be staged has rejected already, and comes first.
    const told = Promise.race([written, STAGED])
    told.then(
      () => written.catch((error: unknown) => relaxed.lost(error)),
      () => undefined,
    )
    return told
  }

  #await(changes: readonly Change[], written: Promise<void>): void {
    const keys = changes.map(({ state: { collection, id } }) => {
      const key = keyOf(collection, id)
      const known = this.#waiting.get(key)
      if (known === undefined) this.#waiting.set(key, { collection, id, count: 1 })
      else known.count += 1
      return key
    })
    const settle = (): void => {
      for (const key of keys) {
        const waiting = this.#waiting.get(key)
        if (waiting !== undefined && waiting.count > 1) waiting.count -= 1
        else this.#waiting.delete(key)
      }
    }
    void written.then(settle, settle)
  }
}

/** A change as the replica takes it. A class, because one is made for each record. */
class RecordDraft implements OwnDraft {
  readonly tag: Uint8Array
  readonly life: number
  readonly deleted: boolean
  readonly context: OwnDraft['context']
  readonly keyId: Uint8Array
  readonly #o: RecordWriterOptions
  readonly #state: RecordState
  readonly #plain: Uint8Array

  constructor(options: RecordWriterOptions, { tag, state, context }: Change, keyId: Uint8Array) {
    this.tag = tag
    this.life = state.life
    this.deleted = state.deleted !== undefined
    this.context = context
    this.keyId = keyId
    this.#o = options
    this.#state = state
    this.#plain = encodeBody(state)
  }

  seal(header: Uint8Array, sealNumber: number): Uint8Array {
    const { keyring, replicaId, space } = this.#o
    const bootId = space.replica.incarnation
    return keyring.seal({ keyId: this.keyId, replicaId, bootId, sealNumber, header, plain: this.#plain })
  }

  staged(sealNumber: number): void {
    this.#o.view.noteStaged(this.tag, sealNumber, this.#state)
  }
}

/** `RECORD_EXISTS` when two inputs of one call have the same id. */
export function checkDistinct(collection: string, inputs: readonly RecordInput[]): void {
  const ids = new Set(inputs.map(({ id }) => id))
  if (ids.size === inputs.length) return
  throw new BlazeError('RECORD_EXISTS', 'two records of the call have the same id', {
    details: { collection },
  })
}

function keyOf(collection: string, id: string): string {
  return `${collection}\n${id}`
}
