/**
 * The disk of a guest's copy: what the view shows is written behind it, in order, each change together with the head that it makes.
 * Invariant: the disk holds the whole of some earlier moment, so what a power cut takes is taken with the cursor and comes again.
 * Batches are synced only where a step asks for it.
 */
import { BlazeError, limits } from '../../../runtime/index.ts'
import type { StoreOperation } from '../../replica/index.ts'
import { headRow, openRows } from './mirror-opening.ts'
import type { MirrorPlace, OpenedRows, RowVisitor } from './mirror-opening.ts'
import { damaged, decodeRow, encodeRow, recordPlace, RECORDS_FROM, RECORDS_TO } from './mirror-row.ts'
import type { MirrorHead, MirrorRow } from './mirror-row.ts'

export interface MirrorStep {
  /** By tag; undefined removes the row. */
  readonly rows: ReadonlyMap<string, MirrorRow | undefined>
  /** Tags that are `absent` before this step. */
  readonly fresh?: ReadonlySet<string>
  readonly head: MirrorHead
  /** The disk has to confirm it and everything before it. */
  readonly sync?: boolean
  /** It was written, or another step has made it void. */
  readonly done?: () => void
  /** It is not written and never will be. Of `done` and `failed` one is called, once. */
  readonly failed?: (error: BlazeError) => void
}

const NO_ROWS: ReadonlyMap<string, undefined> = new Map()

interface PendingRow {
  readonly row: MirrorRow | undefined
  /** Number of the step that brought it. */
  readonly step: number
  /** The disk has nothing of the tag. */
  fresh: boolean
}

export class MirrorStore {
  readonly #place: MirrorPlace
  readonly #opened: OpenedRows
  readonly #onFailed: (error: unknown) => void
  /** What is shown and not written, by tag. */
  readonly #pending = new Map<string, PendingRow>()
  #queue: MirrorStep[] = []
  /** On their way to the disk. */
  #flight: readonly MirrorStep[] = []
  #steps = 0
  /** Those up to here are written, or on their way. */
  #begun = 0
  /** The head as it was told last. */
  #head: MirrorHead
  /** Everything that is on the disk is to go before the queue is written. */
  #wiping = false
  #unsynced = false
  #writing: Promise<void> | undefined
  #failure: BlazeError | undefined
  #closing: Promise<void> | undefined

  private constructor(place: MirrorPlace, opened: OpenedRows, onFailed: (error: unknown) => void) {
    this.#place = place
    this.#opened = opened
    this.#onFailed = onFailed
    this.#head = opened.head
  }

  /**
   * Rejects as `openRows` does; the store is the caller's then. `onFailed` is called once, with a `BlazeError` when the disk failed or
   * a row turned out damaged, else with a bug: nothing is written or read from then on.
   */
  static async open(
    place: MirrorPlace,
    visit: RowVisitor,
    onFailed: (error: unknown) => void,
  ): Promise<MirrorStore> {
    return new MirrorStore(place, await openRows(place, visit), onFailed)
  }

  get head(): MirrorHead {
    return this.#head
  }

  /** As it was given last, written or not. Throws once the store failed. */
  row(tag: string): MirrorRow | undefined {
    const pending = this.#pending.get(tag)
    if (pending !== undefined) return pending.row
    const at = recordPlace(tag)
    return this.#reading(() => {
      const value = this.#stored(at)
      if (value === undefined) return undefined
      const plain = this.#opened.seal.open(at, value)
      if (plain === undefined) throw damaged('a row does not verify')
      return decodeRow(plain)
    })
  }

  /** `removed`: nothing is shown of it, and the disk may still have it. Throws once the store failed. */
  presence(tag: string): 'shown' | 'removed' | 'absent' {
    const pending = this.#pending.get(tag)
    if (pending !== undefined) return pending.row === undefined ? 'removed' : 'shown'
    return this.#reading(() => (this.#stored(recordPlace(tag)) === undefined ? 'absent' : 'shown'))
  }

  write(step: MirrorStep): void {
    this.#head = step.head
    if (this.#failure !== undefined) step.failed?.(this.#failure)
    else if (this.#closing !== undefined) step.failed?.(new BlazeError('CLOSED', 'the copy was closed'))
    else this.#push(step)
  }

  /** Removes all rows; what was given before and is not written becomes void. A step that sets a head has to follow. */
  wipe(): void {
    const dropped = this.#queue.splice(0)
    this.#begun += dropped.length
    this.#pending.clear()
    this.#wiping = true
    for (const step of dropped) step.done?.()
  }

  /** Writes and syncs what was given, and closes the store. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  #push(step: MirrorStep): void {
    this.#steps += 1
    for (const [tag, row] of step.rows) {
      const fresh = this.#pending.get(tag)?.fresh ?? step.fresh?.has(tag) === true
      this.#pending.set(tag, { row, step: this.#steps, fresh })
    }
    this.#queue.push(step)
    this.#plan()
  }

  async #close(): Promise<void> {
    if (this.#unsynced || this.#queue.length > 0) {
      this.#push({ rows: NO_ROWS, head: this.#head, sync: true })
    }
    await this.#writing
    await this.#place.store.close()
  }

  #plan(): void {
    this.#writing ??= new Promise((resolve) => {
      // Later: whoever waits for what is shown comes first.
      this.#place.env.defer(() => void this.#writeAll().then(resolve))
    })
  }

  async #writeAll(): Promise<void> {
    try {
      while (this.#failure === undefined && this.#queue.length > 0) {
        if (this.#wiping) await this.#wipeRows()
        else await this.#writeSome()
      }
    } catch (error) {
      this.#fail(error)
    }
    this.#writing = undefined
  }

  /** Whole steps, until a batch is full. */
  async #writeSome(): Promise<void> {
    const { store } = this.#place
    const { seal, sum } = this.#opened
    const rows = new Map<string, MirrorRow | undefined>()
    let taken = 0
    let sync = false
    let head = this.#head
    for (const step of this.#queue) {
      if (rows.size >= limits.mirrorPageRecords) break
      for (const [tag, row] of step.rows) rows.set(tag, row)
      if (step.sync === true) sync = true
      head = step.head
      taken += 1
    }
    const steps = this.#queue.splice(0, taken)
    this.#flight = steps
    this.#begun += taken
    const last = this.#begun
    const operations = this.#seal(rows)
    operations.push(headRow(seal, head, sum))
    this.#unsynced = true
    await store.batch(operations, { sync })
    if (sync) this.#unsynced = false
    for (const tag of rows.keys()) {
      const pending = this.#pending.get(tag)
      if (pending !== undefined && pending.step <= last) this.#pending.delete(tag)
    }
    this.#flight = []
    for (const step of steps) step.done?.()
  }

  #seal(rows: ReadonlyMap<string, MirrorRow | undefined>): StoreOperation[] {
    const { seal, sum } = this.#opened
    const operations: StoreOperation[] = []
    for (const [tag, row] of rows) {
      const key = recordPlace(tag)
      const pending = this.#pending.get(tag)
      const before = pending?.fresh === true ? undefined : this.#place.store.get(key)
      // When the next state of this row is written, this one will be there.
      if (pending !== undefined) pending.fresh = false
      if (before !== undefined) sum.subtract(before)
      if (row === undefined) {
        if (before !== undefined) operations.push({ type: 'del', key })
        continue
      }
      const value = seal.seal(key, encodeRow(row))
      sum.add(value)
      operations.push({ type: 'put', key, value })
    }
    return operations
  }

  /** The head says so until all rows are gone: nothing of them is shown should it be interrupted. */
  async #wipeRows(): Promise<void> {
    const { store } = this.#place
    const { seal, sum } = this.#opened
    const wiping = { ...this.#head, wiping: true }
    let rows = await store.range({ gte: RECORDS_FROM, lt: RECORDS_TO, limit: limits.rangeRowsMax })
    while (rows.length > 0) {
      const removed = rows.map(([key]): StoreOperation => ({ type: 'del', key }))
      await store.batch([...removed, headRow(seal, wiping, sum)], { sync: false })
      rows = await store.range({ gte: RECORDS_FROM, lt: RECORDS_TO, limit: limits.rangeRowsMax })
    }
    sum.clear()
    this.#wiping = false
  }

  #stored(at: Uint8Array): Uint8Array | undefined {
    if (this.#failure !== undefined) throw this.#failure
    return this.#wiping ? undefined : this.#place.store.get(at)
  }

  #reading<T>(read: () => T): T {
    try {
      return read()
    } catch (error) {
      throw this.#fail(error)
    }
  }

  #fail(cause: unknown): BlazeError {
    if (this.#failure !== undefined) return this.#failure
    const error =
      cause instanceof BlazeError
        ? cause
        : new BlazeError('POISONED', 'the copy of the shared database failed', { cause })
    this.#failure = error
    const lost = [...this.#flight, ...this.#queue]
    this.#flight = []
    this.#queue = []
    for (const step of lost) step.failed?.(error)
    if (this.#closing === undefined) this.#onFailed(cause)
    return error
  }
}
