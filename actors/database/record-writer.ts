/**
 * Writes records: merges what is there, changes it, seals the whole result (REPLICATION rule 1).
 * Invariant: a call stages all of its records or none, and what it staged is seen by the next write at once.
 */
import { BlazeError } from '../../runtime/index.ts'
import type { CryptoProvider, Value } from '../../runtime/index.ts'
import type { OwnDraft } from '../replica/index.ts'
import type { Space } from '../team/index.ts'
import type { HybridClock } from './clock.ts'
import type { KeyedView } from './view/keyed-view.ts'
import type { Keyring } from './keyring.ts'
import { encodeBody } from './record/record-body.ts'
import { deleteFrom } from './record/record-change.ts'
import type { FieldValues } from './record/record-change.ts'
import { equalRecords, joinRecords } from './record/record.ts'
import type { RecordState, Stamp } from './record/record.ts'
import type { RecordStep } from './record/write-step.ts'

export interface RecordWriterOptions {
  readonly crypto: CryptoProvider
  readonly clock: HybridClock
  readonly keyring: Keyring
  readonly view: KeyedView
  readonly space: Space
  readonly replicaId: Uint8Array
  /** Is this collection a read-only copy? */
  isMirror(collection: string): boolean
}

/** The state of a record whose life it ends; undefined when there is none to end. */
export type DeleteStep = (found: RecordState | undefined, tick: () => Stamp) => RecordState | undefined

export interface RecordInput {
  readonly id: string
  readonly values: FieldValues
}

/** Field states of another database, as they are there; `home` is never null. */
export interface ImportedRecord {
  readonly collection: string
  readonly id: string
  readonly home: Uint8Array
  readonly life: number
  readonly deleted: Stamp | undefined
  readonly fields: ReadonlyMap<string, { readonly value: Value | undefined; readonly stamp: Stamp }>
}

interface Change {
  readonly tag: Uint8Array
  readonly state: RecordState
  readonly context: OwnDraft['context']
}

export class RecordWriter {
  readonly #o: RecordWriterOptions
  readonly #tick: () => Stamp
  /** Writes that wait for their sync, by record. */
  readonly #waiting = new Map<string, number>()

  constructor(options: RecordWriterOptions) {
    this.#o = options
    this.#tick = () => options.clock.tick()
  }

  /** True while a write to the record waits for its sync. */
  isWriting(collection: string, id: string): boolean {
    return this.#waiting.size > 0 && this.#waiting.has(keyOf(collection, id))
  }

  get anyWriting(): boolean {
    return this.#waiting.size > 0
  }

  /** Applies the step to each record, of which no two have one id. Resolves when all is synced; throws before anything is staged. */
  write(collection: string, inputs: readonly RecordInput[], step: RecordStep): Promise<void> {
    this.#checkAllowed(collection)
    const changes: Change[] = []
    let waits = false
    for (const { id, values } of inputs) {
      const tag = this.#o.keyring.tag(collection, id)
      const found = this.#o.view.readForWrite(tag, collection, id)
      const state = step(found.state, { collection, id }, values, this.#tick)
      if (state !== found.state) changes.push({ tag, state, context: found.context })
      else if (this.isWriting(collection, id)) waits = true
    }
    return waits ? this.#afterOthers(changes) : this.#stage(changes)
  }

  /** Deletes records, of which no two have one id. Resolves, synced, with whether there was any; throws as `write` does. */
  async delete(collection: string, ids: readonly string[], step: DeleteStep = deleteFrom): Promise<boolean> {
    this.#checkAllowed(collection)
    const changes: Change[] = []
    for (const id of ids) {
      const tag = this.#o.keyring.tag(collection, id)
      const found = this.#o.view.readForWrite(tag, collection, id)
      const state = step(found.state, this.#tick)
      if (state !== undefined) changes.push({ tag, state, context: found.context })
    }
    await (changes.length < ids.length ? this.#afterOthers(changes) : this.#stage(changes))
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
      const found = view.readForWrite(tag, collection, id)
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

  #checkAllowed(collection: string): void {
    if (this.#o.isMirror(collection)) {
      throw new BlazeError('READ_ONLY', 'this collection is a read-only copy of another database', {
        details: { collection },
      })
    }
    this.#checkRole()
  }

  #checkRole(): void {
    if (this.#o.space.team.device(this.#o.replicaId)?.mayWrite === true) return
    throw new BlazeError('READ_ONLY', 'the role of this device in the team does not allow writing')
  }

  /** A write that changes nothing is true only once the writes that it found are synced. */
  async #afterOthers(changes: readonly Change[]): Promise<void> {
    await Promise.all([this.#stage(changes), this.#o.space.replica.settled()])
  }

  #stage(changes: readonly Change[]): Promise<void> {
    if (changes.length === 0) return Promise.resolve()
    const { keyring, replicaId, space, view } = this.#o
    const { replica } = space
    const { keyId } = keyring
    const drafts = changes.map(({ tag, state, context }): OwnDraft => {
      const plain = encodeBody(state)
      return {
        tag,
        life: state.life,
        deleted: state.deleted !== undefined,
        context,
        keyId,
        seal: (header, sealNumber) => {
          view.noteStaged(tag, sealNumber, state)
          return keyring.seal({ keyId, replicaId, bootId: replica.incarnation, sealNumber, header, plain })
        },
      }
    })
    const written = replica.write(drafts)
    const keys = changes.map(({ state }) => keyOf(state.collection, state.id))
    for (const key of keys) this.#waiting.set(key, (this.#waiting.get(key) ?? 0) + 1)
    const settle = (): void => {
      for (const key of keys) {
        const count = this.#waiting.get(key) ?? 0
        if (count > 1) this.#waiting.set(key, count - 1)
        else this.#waiting.delete(key)
      }
    }
    void written.then(settle, settle)
    return written
  }
}

function keyOf(collection: string, id: string): string {
  return `${collection}\n${id}`
}
