/**
 * The conflict inbox of this directory: values that lost to a concurrent write, noted when they arrive, for 30 days.
 * Invariant: bounded in number and bytes, the oldest goes first and is counted; a value that was dismissed is not noted again.
 */
import { BlazeError, limits, toHex } from '../../../runtime/index.ts'
import type { CryptoProvider, Env, Value } from '../../../runtime/index.ts'
import type { Replica, StoreOperation, TagChange } from '../../replica/index.ts'
import { joinRecords } from '../record/record.ts'
import type { RecordState } from '../record/record.ts'
import type { RecordReader } from '../view/record-reader.ts'
import { inboxKey, inboxRows, InboxSeal, isDismissed, parseInboxKey } from './inbox-row.ts'
import type { InboxEntry } from './inbox-row.ts'
import { lostValues } from './lost-value.ts'
import type { Sibling } from './lost-value.ts'

/** A value that a concurrent write has cost, as an application sees it. */
export interface Conflict {
  /** Names it in `dismissConflict`, and as the place after which `conflicts` goes on. */
  readonly id: string
  readonly collection: string
  readonly recordId: string
  readonly field: string
  /** What was lost. */
  readonly value: Value
  /** When that was written, and by which replica, in hexadecimal. */
  readonly lost: ConflictSide
  /** The same of what won: another value, or the end of the record. */
  readonly won: ConflictSide
  /** When it was noted here. */
  readonly at: Date
}

export interface ConflictSide {
  readonly at: Date
  readonly writer: string
}

export interface ConflictInboxOptions {
  readonly env: Env
  readonly crypto: CryptoProvider
  readonly replica: Replica
  readonly reader: RecordReader
  /** 32 bytes, for the inbox alone. */
  readonly key: Uint8Array
}

/** A row, as it is kept in memory. */
interface Noted {
  readonly key: Uint8Array
  readonly at: number
  bytes: number
  dismissed: boolean
}

/** Reads which entries there are. */
export async function openInbox(options: ConflictInboxOptions): Promise<ConflictInbox> {
  const noted = new Map<string, Noted>()
  let { gte } = inboxRows
  for (;;) {
    const rows = await options.replica.store.range({ ...inboxRows, gte, limit: limits.inboxPageRows })
    for (const [key, row] of rows) {
      const { id, at } = parseInboxKey(key)
      noted.set(id, { key, at, bytes: row.length, dismissed: isDismissed(row) })
    }
    const last = rows.at(-1)
    if (last === undefined || rows.length < limits.inboxPageRows) return new ConflictInbox(options, noted)
    gte = Uint8Array.of(...last[0], 0)
  }
}

export class ConflictInbox {
  readonly #o: ConflictInboxOptions
  readonly #seal: InboxSeal
  /** By id, oldest first. */
  readonly #noted: Map<string, Noted>
  #bytes = 0
  #dropped = 0
  /** When the newest entry was noted. */
  #lastAt = 0
  /** The rows that were changed last, on their way to the disk. */
  #written: Promise<unknown> = Promise.resolve()

  /** For `openInbox`. */
  constructor(options: ConflictInboxOptions, noted: Map<string, Noted>) {
    this.#o = options
    this.#noted = noted
    this.#seal = new InboxSeal(options.crypto, options.key, options.replica.incarnation)
    for (const { at, bytes } of noted.values()) {
      this.#lastAt = at
      this.#bytes += bytes
    }
    options.replica.onCommitted((changes) => this.#committed(changes))
  }

  /** Entries that `list` would show. */
  get count(): number {
    const oldest = this.#o.env.now() - limits.inboxKeptMs
    let count = 0
    for (const { at, dismissed } of this.#noted.values()) if (!dismissed && at >= oldest) count += 1
    return count
  }

  /** Entries of this opening that had to go before their time. */
  get dropped(): number {
    return this.#dropped
  }

  /** Oldest first, after that one; `NOT_FOUND` when it is gone. `DAMAGED` names an entry that does not authenticate. */
  async list(limit: number, after: string | undefined): Promise<Conflict[]> {
    await this.#written
    const oldest = this.#o.env.now() - limits.inboxKeptMs
    if (after !== undefined && !this.#noted.has(after)) throw unknown(after)
    const found: Conflict[] = []
    let begun = after === undefined
    for (const [id, { key, at, dismissed }] of this.#noted) {
      if (found.length >= limit) break
      if (begun && !dismissed && at >= oldest) found.push(this.#read(id, key, at))
      if (id === after) begun = true
    }
    return found
  }

  /** Returns whether there was one. Resolves when that is synced. */
  async dismiss(id: string): Promise<boolean> {
    const noted = this.#noted.get(id)
    if (noted === undefined || noted.dismissed) return false
    const row = this.#seal.seal(noted.key, undefined)
    this.#bytes += row.length - noted.bytes
    noted.bytes = row.length
    noted.dismissed = true
    await this.#write([{ type: 'put', key: noted.key, value: row }])
    return true
  }

  #read(id: string, key: Uint8Array, at: number): Conflict {
    const row = this.#o.replica.store.get(key)
    if (row === undefined) throw unknown(id)
    const { collection, recordId, field, value, lost, won } = this.#seal.open(key, row)
    const side = ({ ms, writer }: InboxEntry['lost']): ConflictSide => ({
      at: new Date(ms),
      writer: toHex(writer),
    })
    return { id, collection, recordId, field, value, lost: side(lost), won: side(won), at: new Date(at) }
  }

  #committed(changes: readonly TagChange[]): void {
    const operations: StoreOperation[] = []
    for (const { own, live } of changes) {
      if (own || live.length < 2) continue
      for (const entry of this.#lost(live)) this.#note(entry, operations)
    }
    if (operations.length === 0) return
    this.#makeRoom(operations)
    // A store that fails says so to everybody; the siblings stay, and their values with them.
    this.#write(operations).catch(ignoreFault)
  }

  /** What is held back has lost nothing yet. */
  #lost(live: TagChange['live']): InboxEntry[] {
    const { crypto, reader } = this.#o
    const siblings: Sibling[] = []
    let joined: RecordState | undefined
    for (const envelope of live) {
      const { state } = reader.assemble([envelope])
      if (state === undefined) continue
      siblings.push({ envelope, state })
      joined = joined === undefined ? state : joinRecords(joined, state, crypto)
    }
    if (joined === undefined || siblings.length < 2) return []
    const { collection, id: recordId } = joined
    return lostValues(siblings, joined).map((lost) => ({ collection, recordId, ...lost }))
  }

  #note(entry: InboxEntry, operations: StoreOperation[]): void {
    const id = this.#seal.idOf(entry)
    const name = toHex(id)
    if (this.#noted.has(name)) return
    // Order of keys and order of notes are one, also when the wall clock is set back.
    this.#lastAt = Math.max(Math.floor(this.#o.env.now()), this.#lastAt)
    const at = this.#lastAt
    const key = inboxKey(at, id)
    const value = this.#seal.seal(key, entry)
    this.#noted.set(name, { key, at, bytes: value.length, dismissed: false })
    this.#bytes += value.length
    operations.push({ type: 'put', key, value })
  }

  /** Removes what is past its time, then the oldest until the rest is within the bounds. */
  #makeRoom(operations: StoreOperation[]): void {
    const oldest = this.#o.env.now() - limits.inboxKeptMs
    for (const [id, { key, at, bytes, dismissed }] of this.#noted) {
      const fits = this.#noted.size <= limits.inboxEntriesMax && this.#bytes <= limits.inboxBytesMax
      if (fits && at >= oldest) return
      if (at >= oldest && !dismissed) this.#dropped += 1
      this.#noted.delete(id)
      this.#bytes -= bytes
      operations.push({ type: 'del', key })
    }
  }

  #write(operations: readonly StoreOperation[]): Promise<void> {
    const written = this.#o.replica.extra(operations)
    this.#written = Promise.all([this.#written, written.catch(ignoreFault)])
    return written
  }
}

function ignoreFault(error: unknown): void {
  if (!(error instanceof BlazeError)) throw error
}

function unknown(id: string): BlazeError {
  return new BlazeError('NOT_FOUND', 'there is no such entry in the conflict inbox any more', {
    details: { id },
  })
}
