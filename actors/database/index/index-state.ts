/**
 * What the indexes of a database remember of one moment beside their pages (PROTOCOL §6.3).
 * Invariant: it is written with the last batch of a merge, so pages, directories and cursor always belong together.
 */
import { BlazeError, decodeCbor, encodeCbor } from '../../../runtime/index.ts'
import type { CborItem } from '../../../runtime/index.ts'
import type { IndexDefinition } from '../view/record-view.ts'

const FORMAT = 1

/** `building`: not every record is in it yet. */
export interface KnownIndex extends IndexDefinition {
  /** Never used again for another index. */
  readonly no: number
  readonly state: 'building' | 'ready'
  /** Keys that were cut when they were made; they never become exact again. */
  readonly cut: boolean
  readonly pieces: number
}

export interface CollectionCount {
  readonly collection: string
  readonly alive: number
  readonly deleted: number
}

export interface HeldMark {
  readonly tag: Uint8Array
  readonly arrival: number
}

export interface IndexState {
  /** Every arrival up to here is in the pages. */
  readonly cursor: number
  /** Pages from this number on belong to a merge that did not end. */
  readonly nextPage: number
  /** Pages that the state before had, and this one has not; they may be gone already. */
  readonly obsolete: readonly number[]
  readonly nextNo: number
  /** Pieces of the built-in view's directory. */
  readonly pieces: number
  readonly indexes: readonly KnownIndex[]
  readonly counts: readonly CollectionCount[]
  readonly held: readonly HeldMark[]
  /** The latest time of a stamp that was shown, in milliseconds; 0 in a state that was written before this was kept. */
  readonly shownMs: number
}

export function encodeIndexState(state: IndexState): Uint8Array {
  return encodeCbor([
    FORMAT,
    state.cursor,
    state.nextPage,
    state.nextNo,
    state.pieces,
    state.indexes.map(({ no, name, collection, fields, unique, state: phase, cut, pieces }) => [
      no,
      name,
      collection,
      [...fields],
      unique,
      phase === 'ready',
      cut,
      pieces,
    ]),
    state.counts.map(({ collection, alive, deleted }) => [collection, alive, deleted]),
    state.held.map(({ tag, arrival }) => [tag, arrival]),
    [...state.obsolete],
    state.shownMs,
  ])
}

/** Undefined for a state of another format: the indexes are made anew then. `BAD_VALUE` for anything else that is none. */
export function decodeIndexState(bytes: Uint8Array): IndexState | undefined {
  const items = listOf(decodeCbor(bytes))
  if (items[0] !== FORMAT) return undefined
  const [, cursor, nextPage, nextNo, pieces, indexes, counts, held, obsolete, shownMs] = items
  return {
    cursor: countOf(cursor),
    nextPage: countOf(nextPage),
    obsolete: listOf(obsolete).map(countOf),
    nextNo: countOf(nextNo),
    pieces: countOf(pieces),
    indexes: listOf(indexes).map(decodeIndex),
    counts: listOf(counts).map((item) => {
      const [collection, alive, deleted] = listOf(item)
      return { collection: textOf(collection), alive: countOf(alive), deleted: countOf(deleted) }
    }),
    held: listOf(held).map((item) => {
      const [tag, arrival] = listOf(item)
      if (!(tag instanceof Uint8Array)) throw bad()
      return { tag, arrival: countOf(arrival) }
    }),
    shownMs: shownMs === undefined ? 0 : countOf(shownMs),
  }
}

function decodeIndex(item: CborItem): KnownIndex {
  const [no, name, collection, fields, unique, ready, cut, pieces] = listOf(item)
  return {
    no: countOf(no),
    name: textOf(name),
    collection: textOf(collection),
    fields: listOf(fields).map(textOf),
    unique: unique === true,
    state: ready === true ? 'ready' : 'building',
    cut: cut === true,
    pieces: countOf(pieces),
  }
}

function listOf(item: CborItem): readonly CborItem[] {
  if (!Array.isArray(item)) throw bad()
  return item as readonly CborItem[]
}

function countOf(item: CborItem): number {
  if (typeof item !== 'number' || !Number.isSafeInteger(item) || item < 0) throw bad()
  return item
}

function textOf(item: CborItem): string {
  if (typeof item !== 'string') throw bad()
  return item
}

function bad(): BlazeError {
  return new BlazeError('BAD_VALUE', 'the state of the indexes has the wrong shape')
}
