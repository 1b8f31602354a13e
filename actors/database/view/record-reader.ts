/**
 * Turns the live envelopes of a tag into what may be shown: opens, checks, holds, joins (REPLICATION rules 3, 4 and 15).
 * Invariant: an envelope that is held or bad is neither shown nor named by the context of a later write, so nothing kills it unseen.
 */
import { bytesKey, BlazeError, equalBytes, limits } from '../../../runtime/index.ts'
import type { CryptoProvider } from '../../../runtime/index.ts'
import { contextOf } from '../../replica/index.ts'
import type { ContextEntry, Envelope } from '../../replica/index.ts'
import type { HybridClock } from '../clock.ts'
import type { Keyring } from '../keyring.ts'
import { decodeBody } from '../record/record-body.ts'
import type { RecordName } from '../record/record-change.ts'
import { joinRecords } from '../record/record.ts'
import type { RecordState, Stamp } from '../record/record.ts'

/** Why an envelope is not shown: its time or its key has not come, its life is absurd, or it is wrong for good. */
export type HoldReason = 'clock' | 'key' | 'life' | 'bad'

export interface Hold {
  readonly reason: HoldReason
  readonly envelope: Envelope
  /** For `clock`: milliseconds until it may be shown. */
  readonly waitMs: number
  /** Whose it is, where the envelope could be opened. */
  readonly name?: RecordName
}

export interface Assembled {
  /** The join of everything that may be shown; undefined when that is nothing. */
  readonly state: RecordState | undefined
  /** What a write that merges `state` names. */
  readonly context: readonly ContextEntry[]
  readonly holds: readonly Hold[]
}

/** What a caller knows of a tag. */
export interface KnownTag {
  /** The record whose tag it is. */
  readonly name?: RecordName
  /** Each envelope was found to belong to its tag when it came. */
  readonly isProven?: boolean
  /** The state that was sealed into an envelope of our own. */
  readonly staged?: { readonly envelope: Envelope; readonly state: RecordState } | undefined
}

const UNKNOWN: KnownTag = {}

export const NOTHING: Assembled = { state: undefined, context: [], holds: [] }

export interface RecordReaderOptions {
  readonly crypto: CryptoProvider
  readonly keyring: Keyring
  readonly clock: HybridClock
}

export class RecordReader {
  readonly #crypto: CryptoProvider
  readonly #keyring: Keyring
  readonly #clock: HybridClock
  #tellShown: () => void = () => {}

  constructor(options: RecordReaderOptions) {
    this.#crypto = options.crypto
    this.#keyring = options.keyring
    this.#clock = options.clock
  }

  /** See `HybridClock`. */
  get shownMs(): number {
    return this.#clock.shownMs
  }

  /** Called when what is held may have been shown before: a write that was made after it says so. */
  onShown(listener: () => void): void {
    this.#tellShown = listener
  }

  /** Of the envelopes of a record. */
  tag(collection: string, id: string): Uint8Array {
    return this.#keyring.tag(collection, id)
  }

  /** What is known of the tag saves work: see `KnownTag`. */
  assemble(live: readonly Envelope[], known: KnownTag = UNKNOWN): Assembled {
    let state: RecordState | undefined
    const shown: Envelope[] = []
    const holds: Hold[] = []
    for (const envelope of live) {
      const read = known.staged?.envelope === envelope ? known.staged.state : this.#read(envelope, known)
      if ('reason' in read) {
        holds.push(read)
        continue
      }
      shown.push(envelope)
      state = state === undefined ? read : joinRecords(state, read, this.#crypto)
    }
    return new AssembledRecord(state, shown, holds)
  }

  #read(envelope: Envelope, known: KnownTag): RecordState | Hold {
    if (envelope.life > limits.livesMax) return { reason: 'life', envelope, waitMs: 0 }
    const opened = this.#keyring.open(envelope)
    if (opened.kind !== 'open') return { reason: opened.kind, envelope, waitMs: 0 }
    const state = tryDecode(opened.plain, envelope)
    if (state === undefined || !this.#isOf(state, envelope, known)) {
      return { reason: 'bad', envelope, waitMs: 0 }
    }
    const waitMs = this.#observe(state)
    if (waitMs === 0) return state
    if (this.#clock.showed(envelope.replicaId, state)) {
      this.#tellShown()
      return state
    }
    return { reason: 'clock', envelope, waitMs, name: { collection: state.collection, id: state.id } }
  }

  /** Rule 3: the tag has to be that of the ids in the body. A tag that was made of the name proves it as well. */
  #isOf(state: RecordState, envelope: Envelope, { name, isProven }: KnownTag): boolean {
    if (isProven === true) return true
    if (name !== undefined) return state.id === name.id && state.collection === name.collection
    return equalBytes(this.#keyring.tag(state.collection, state.id), envelope.tag)
  }

  /** Lets the clock see all stamps, or returns how long the latest one is still ahead. */
  #observe(state: RecordState): number {
    let waitMs = 0
    let last: Stamp | undefined
    if (state.deleted !== undefined) waitMs = this.#see(state.deleted)
    for (const { stamp } of state.fields.values()) {
      // Most records have one stamp, shared by their fields.
      if (stamp === last) continue
      last = stamp
      waitMs = Math.max(waitMs, this.#see(stamp))
    }
    return waitMs
  }

  #see(stamp: Stamp): number {
    this.#clock.observe(stamp)
    return this.#clock.aheadMs(stamp)
  }
}

/** Its context is made when somebody asks: reading needs none. */
class AssembledRecord implements Assembled {
  readonly state: RecordState | undefined
  readonly holds: readonly Hold[]
  readonly #shown: readonly Envelope[]

  constructor(state: RecordState | undefined, shown: readonly Envelope[], holds: readonly Hold[]) {
    this.state = state
    this.#shown = shown
    this.holds = holds
  }

  get context(): readonly ContextEntry[] {
    return contextFor(this.#shown, this.holds)
  }
}

function tryDecode(plain: Uint8Array, envelope: Envelope): RecordState | undefined {
  try {
    return decodeBody(plain, envelope)
  } catch (error) {
    if (error instanceof BlazeError && error.code === 'BAD_VALUE') return undefined
    throw error
  }
}

/** The context of a write that merges `shown`, cut so that it kills nothing of `holds`. */
function contextFor(shown: readonly Envelope[], holds: readonly Hold[]): ContextEntry[] {
  const context = contextOf(shown)
  if (holds.length === 0) return context
  const firstHeld = new Map<string, number>()
  for (const { envelope } of holds) {
    const key = bytesKey(envelope.replicaId)
    firstHeld.set(key, Math.min(firstHeld.get(key) ?? Infinity, envelope.seq))
  }
  return context
    .map((entry) => ({
      replicaId: entry.replicaId,
      seq: Math.min(entry.seq, (firstHeld.get(bytesKey(entry.replicaId)) ?? Infinity) - 1),
    }))
    .filter((entry) => entry.seq > 0)
}
