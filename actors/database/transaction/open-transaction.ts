/**
 * One transaction: what it has read, what it wants to write, and whether the first is still true.
 * Invariant: as long as it is fresh, everything it has read is the newest there is, so all of it belongs to one moment.
 */
import { BlazeError, bytesKey, limits } from '../../../runtime/index.ts'
import type { Tick } from '../record/record-change.ts'
import type { RecordState } from '../record/record.ts'
import type { DeleteStep, RecordEdit } from '../record-writer.ts'

/** A record that the transaction has read, and what it has made of it. */
export interface Touched {
  readonly tag: Uint8Array
  readonly collection: string
  readonly id: string
  readonly found: RecordState | undefined
  state: RecordState | undefined
  readonly steps: DeleteStep[]
}

export interface TouchedStep {
  readonly touched: Touched
  readonly step: DeleteStep
}

export class OpenTransaction {
  /** By `bytesKey` of the tag. */
  readonly #touched = new Map<string, Touched>()
  /** Collections of which it has asked more than single records. */
  readonly #collections = new Set<string>()
  readonly #onEnded: (error: unknown) => void
  #writes = 0
  #stale = false
  #refused = false
  /** The call before, settled or not; it never rejects. */
  #last: Promise<unknown> = Promise.resolve()
  #ended: { readonly error: unknown } | undefined

  /** `onEnded` is called when the database ends it. */
  constructor(onEnded: (error: unknown) => void) {
    this.#onEnded = onEnded
  }

  /** Throws once it has ended, and `CONFLICT` when something it has read was changed. */
  check(): void {
    if (this.#ended !== undefined) throw this.#ended.error
    if (this.#stale) this.refuse()
  }

  /** Throws `CONFLICT`. */
  refuse(): never {
    this.#refused = true
    throw new BlazeError('CONFLICT', 'another write changed what this transaction has read')
  }

  /** Whether it was told `CONFLICT`: then its callback has to be called again, whatever it made of that. */
  get refused(): boolean {
    return this.#refused
  }

  /** Throws when it may not end well. One that wrote nothing had all its answers from moments that were whole. */
  checkCommit(): void {
    if (this.#ended !== undefined) throw this.#ended.error
    if (this.#refused || (this.#stale && this.#writes > 0)) this.refuse()
  }

  find(tag: Uint8Array): Touched | undefined {
    return this.#touched.get(bytesKey(tag))
  }

  /** From now on a change of the record makes the transaction stale. */
  touch(touched: Touched): void {
    this.#checkRoom(this.#touched.size, 'records')
    this.#touched.set(bytesKey(touched.tag), touched)
  }

  /** From now on a change of any record of the collection does. */
  watch(collection: string): void {
    if (this.#collections.has(collection)) return
    this.#checkRoom(this.#collections.size, 'collections')
    this.#collections.add(collection)
  }

  /** Takes all steps, each on another record, or throws and takes none. Returns what each record became; undefined for a delete of nothing. */
  apply(writes: readonly TouchedStep[], tick: Tick): (RecordState | undefined)[] {
    const states = writes.map(({ touched, step }) => step(touched.state, tick))
    const changed = writes.flatMap(({ touched, step }, at) => {
      const state = states[at]
      return state === undefined || state === touched.state ? [] : [{ touched, step, state }]
    })
    const writesAfter = this.#writes + changed.filter(({ touched }) => touched.steps.length === 0).length
    if (writesAfter > limits.commitEnvelopesMax) throw tooMany(writesAfter)
    this.#writes = writesAfter
    for (const { touched, step, state } of changed) {
      touched.state = state
      touched.steps.push(step)
    }
    return states
  }

  /** Records of the collection that it has changed. */
  *written(collection: string): Generator<Touched> {
    for (const touched of this.#touched.values()) {
      if (touched.collection === collection && touched.steps.length > 0) yield touched
    }
  }

  edits(): RecordEdit[] {
    return [...this.#touched.values()].filter(({ steps }) => steps.length > 0)
  }

  touched(): IterableIterator<Touched> {
    return this.#touched.values()
  }

  /** Runs one call after the other, in the order in which they were made. */
  inTurn<R>(work: () => Promise<R>): Promise<R> {
    const done = this.#last.then(work)
    this.#last = done.catch(() => undefined)
    return done
  }

  /** A record was changed by somebody else. */
  changed(tag: Uint8Array, collection: string): void {
    if (this.#collections.has(collection) || this.#touched.has(bytesKey(tag))) this.#stale = true
  }

  /** Later uses throw `error`. Idempotent; the first reason counts. */
  end(error: unknown = used()): void {
    this.#ended ??= { error }
  }

  /** The database ends it. */
  abort(error: unknown): void {
    this.end(error)
    this.#onEnded(error)
  }

  #checkRoom(size: number, what: string): void {
    if (size < limits.transactionReadsMax) return
    throw new BlazeError('TOO_LARGE', `a transaction reads at most ${limits.transactionReadsMax} ${what}`)
  }
}

function tooMany(records: number): BlazeError {
  return new BlazeError(
    'TOO_LARGE',
    `a transaction writes at most ${limits.commitEnvelopesMax} records; write less in one transaction`,
    { details: { records, recordsMax: limits.commitEnvelopesMax } },
  )
}

function used(): BlazeError {
  return new BlazeError('CLOSED', 'the transaction has ended; await every call of it inside its callback')
}
