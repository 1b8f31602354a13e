/**
 * The sending half of a mirror: passes over the host's arrivals at the guest's pace, and pushes commits once the guest has all.
 * Invariant: it holds a position and at most one page; whatever a guest misses is read again from there.
 */
import { limits } from '../../../runtime/index.ts'
import type { MirrorPage } from '../../database/index.ts'
import { encodeChanges } from '../mirror/index.ts'
import { encodeChanged } from './changed-item.ts'
import type { Showing } from './changed-item.ts'
import type { CommitChanges } from './commit-changes.ts'
import { ItemBatch } from './item-batch.ts'

export interface OutgoingPort {
  /** A changes message. False: wait for `writable`. */
  send(body: Uint8Array): boolean
  /** The next page after an arrival. */
  page(after: number, limit: number): Promise<MirrorPage>
  /** Newest synced arrival of the host. */
  arrival(): number
  /** Lowest arrival that something is held back at; infinite when nothing is. */
  heldFloor(): number
  /** It went live, or fell behind. */
  moved(live: boolean): void
  /** A page could not be read. Nothing more is sent. */
  failed(error: unknown): void
}

export interface OutgoingOptions {
  readonly showing: Showing
  readonly port: OutgoingPort
  /** The guest's cursor; 0 for a full pass. */
  readonly after: number
  /** What is hidden, and was before this arrival, need not be named: a full pass removes what it does not name. */
  readonly unnamedUpTo: number
}

export class MirrorOutgoing {
  readonly #showing: Showing
  readonly #port: OutgoingPort
  /** Everything up to here was sent, or need not be. */
  #position: number
  /** As the guest was told. It stays below everything that is held back, and so below whatever will be shown late. */
  #cursor: number
  #told: number
  /** Arrival that was promised to the guest. */
  #promised = 0
  #unnamedUpTo: number
  #pageRecords: number = limits.mirrorPageRecords
  #reading = false
  /** The page that is being read may show what was before. */
  #stale = false
  #writable = true
  #live = false
  #ended = false

  constructor(options: OutgoingOptions) {
    this.#showing = options.showing
    this.#port = options.port
    this.#position = options.after
    this.#cursor = options.after
    this.#told = options.after
    this.#unnamedUpTo = options.unnamedUpTo
  }

  get position(): number {
    return this.#position
  }

  /** Reads and sends what may be sent now. */
  pump(): void {
    if (this.#ended || this.#live || this.#reading || !this.#writable) return
    this.#reading = true
    this.#stale = false
    this.#port.page(this.#position, this.#pageRecords).then(
      (page) => this.#read(page),
      (error: unknown) => this.#failed(error),
    )
  }

  writable(): void {
    this.#writable = true
    if (this.#live) this.#keepPromise()
    else this.pump()
  }

  /** Pushes a commit, unless a pass will come to it. */
  changed(commit: CommitChanges): void {
    if (this.#ended) return
    if (!this.#live) {
      if (commit.reconsidered) this.#rewind()
    } else if (!this.#writable || !this.#push(commit)) {
      if (commit.reconsidered) this.#rewind()
      this.#fallBack()
    }
  }

  /** The host has reached an arrival, and of what came with it nothing was shown but by `changed`. */
  advanced(arrival: number): void {
    if (this.#ended || !this.#live) return
    this.#position = arrival
    const lagsFar = arrival - this.#told >= limits.mirrorSkippedArrivalsMax
    if (lagsFar && this.#writable) this.#sendItems([], true)
  }

  /** The guest waits for a message that reaches this arrival. */
  promise(arrival: number): void {
    this.#promised = Math.max(this.#promised, arrival)
    if (this.#live && this.#writable) this.#keepPromise()
  }

  end(): void {
    this.#ended = true
  }

  /** False when the guest did not get all of it. */
  #push(commit: CommitChanges): boolean {
    const messages = commit.messages()
    for (const [at, message] of messages.entries()) {
      this.#writable = this.#port.send(message)
      if (!this.#writable && at < messages.length - 1) return false
    }
    this.#position = commit.upTo
    if (messages.length > 0) {
      this.#told = commit.upTo
      this.#cursor = commit.cursor
    }
    return true
  }

  #read(page: MirrorPage): void {
    this.#reading = false
    if (this.#ended) return
    if (this.#stale) {
      this.pump()
      return
    }
    try {
      this.#sendPage(page)
    } catch (error) {
      this.#failed(error)
    }
  }

  #sendPage(page: MirrorPage): void {
    const batch = new ItemBatch()
    for (const [at, { arrival, tag, state }] of page.entries.entries()) {
      const item = this.#itemOf(arrival, tag, state)
      if (item !== undefined) {
        if (!batch.fits(item) && !this.#sendItems(batch.take(), false)) {
          // Large records: what was read in vain is not to be more than what is sent.
          this.#pageRecords = Math.max(1, at)
          return
        }
        batch.add(item)
      }
      this.#position = arrival
    }
    this.#position = page.upTo
    this.#pageRecords = Math.min(limits.mirrorPageRecords, this.#pageRecords * 2)
    const live = page.upTo >= this.#port.arrival()
    const lagsFar = page.upTo - this.#told >= limits.mirrorSkippedArrivalsMax
    if (live || lagsFar || !batch.empty) this.#sendItems(batch.take(), live)
    if (live) {
      this.#live = true
      this.#port.moved(true)
    } else {
      this.pump()
    }
  }

  #itemOf(
    arrival: number,
    tag: Uint8Array,
    state: MirrorPage['entries'][number]['state'],
  ): Uint8Array | undefined {
    const { policy } = this.#showing
    const hidden = state === undefined || (state.deleted === undefined && !policy.visible(state))
    if (hidden && arrival <= this.#unnamedUpTo) return undefined
    return encodeChanged(this.#showing, { tag, collection: state?.collection, state })
  }

  /** What was held is shown now, and lies behind the position. The cursor is below all that was held when it was told. */
  #rewind(): void {
    this.#position = this.#cursor
    this.#stale = true
    // It may be hidden now and have been named before.
    this.#unnamedUpTo = 0
  }

  #fallBack(): void {
    this.#live = false
    this.#port.moved(false)
    this.pump()
  }

  #keepPromise(): void {
    if (this.#told < this.#promised) this.#sendItems([], true)
  }

  /** Up to the position. Returns whether more may follow. */
  #sendItems(items: readonly Uint8Array[], caughtUp: boolean): boolean {
    // After a rewind the guest still has what it was told to have.
    this.#told = Math.max(this.#told, this.#position)
    this.#cursor = Math.max(this.#cursor, Math.min(this.#position, this.#port.heldFloor() - 1))
    const head = { caughtUp, upTo: this.#told, cursor: this.#cursor }
    this.#writable = this.#port.send(encodeChanges(head, items))
    return this.#writable
  }

  #failed(error: unknown): void {
    this.#reading = false
    if (this.#ended) return
    this.#ended = true
    this.#port.failed(error)
  }
}
