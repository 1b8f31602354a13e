/**
 * Finds the indexes of a database on disk, or begins them anew.
 * Invariant: indexes hold nothing that records do not say, so what is missing or damaged of them is dropped and made again, never trusted.
 */
import { BlazeError, limits } from '../../../runtime/index.ts'
import type { CryptoProvider, Env } from '../../../runtime/index.ts'
import type { Replica, StoreOperation } from '../../replica/index.ts'
import { decodeDirectory } from './directory.ts'
import { DEFINITIONS, piecesOf, RECORDS } from './index-flush.ts'
import { decodeIndexState } from './index-state.ts'
import type { HeldMark, IndexState, KnownIndex } from './index-state.ts'
import { indexRows, pagesFrom, PageStore, STATE } from './page-store.ts'
import type { Fence } from './paged-index.ts'
import { RecordIndexes } from './record-indexes.ts'

export interface LoadIndexesOptions {
  readonly env: Env
  readonly crypto: CryptoProvider
  readonly replica: Replica
  /** 32 bytes. */
  readonly key: Uint8Array
}

export interface LoadedIndexes {
  readonly state: IndexState
  readonly fences: readonly Fence[]
  readonly indexes: readonly { readonly known: KnownIndex; readonly fences: readonly Fence[] }[]
}

export interface OpenedIndexes {
  readonly indexes: RecordIndexes
  readonly pages: PageStore
  /** Arrivals after this one are not in them. */
  readonly cursor: number
  /** Tags of which something was held back. */
  readonly held: readonly HeldMark[]
  /** See `IndexState`. */
  readonly shownMs: number
  /** Why they begin anew; undefined when they were whole, or there were none. */
  readonly problem: string | undefined
}

const BOOT_BYTES = 16

export async function openIndexes(options: LoadIndexesOptions): Promise<OpenedIndexes> {
  const { env, crypto, replica, key } = options
  const boot = env.entropy(BOOT_BYTES)
  const pages = new PageStore({ store: replica.store, crypto, key, boot })
  let loaded: LoadedIndexes | undefined
  let problem: string | undefined
  try {
    loaded = load(pages)
    if (loaded !== undefined && loaded.state.cursor > replica.lastArrival) {
      problem = 'they are newer than the records'
      loaded = undefined
    }
  } catch (error) {
    problem = problemOf(error)
  }
  const isAnew = loaded === undefined
  const definitions = definitionsOf(pages)
  if (loaded === undefined) {
    loaded = anew(definitions ?? [])
    await removeRows(replica, indexRows)
  } else {
    if (loaded.state.obsolete.length > 0) {
      pages.stageRemoval(loaded.state.obsolete)
      await replica.extra(pages.take())
    }
    await removeRows(replica, pagesFrom(loaded.state.nextPage))
  }
  const { state } = loaded
  pages.nextPage = state.nextPage
  const indexes = new RecordIndexes({ env, crypto, replica, pages }, loaded)
  indexes.storedCursor = state.cursor
  if (!isAnew && definitions !== undefined) reconcile(indexes, definitions)
  if (isAnew && state.indexes.length > 0) await indexes.storeDefinitions()
  return { indexes, pages, cursor: state.cursor, held: state.held, shownMs: state.shownMs, problem }
}

function load(pages: PageStore): LoadedIndexes | undefined {
  const state = readState(pages, STATE)
  if (state === undefined) return undefined
  return {
    state,
    fences: decodeDirectory(pages.pieces(RECORDS, state.pieces)),
    indexes: state.indexes.map((known) => ({
      known,
      fences: decodeDirectory(pages.pieces(known.no, known.pieces)),
    })),
  }
}

function readState(pages: PageStore, no: number): IndexState | undefined {
  if (!pages.has(no)) return undefined
  const count = piecesOf(pages.pieces(no, 1))
  return decodeIndexState(pages.pieces(no, count).subarray(4))
}

/** Undefined when they are not there, or cannot be read. */
function definitionsOf(pages: PageStore): readonly KnownIndex[] | undefined {
  try {
    return readState(pages, DEFINITIONS)?.indexes
  } catch (error) {
    problemOf(error)
    return undefined
  }
}

/** What was created or dropped after the last merge: the definitions were written first. */
function reconcile(indexes: RecordIndexes, definitions: readonly KnownIndex[]): void {
  for (const index of indexes.all()) {
    if (!definitions.some(({ no }) => no === index.no)) indexes.drop(index)
  }
  for (const known of definitions) {
    if (!indexes.all().some(({ no }) => no === known.no)) indexes.restore(known)
  }
}

function anew(definitions: readonly KnownIndex[]): LoadedIndexes {
  const indexes = definitions.map((known) => ({ ...known, state: 'ready', cut: false, pieces: 0 }) as const)
  const nextNo = 1 + indexes.reduce((most, { no }) => Math.max(most, no), 0)
  return {
    // Ready: they are complete when all arrivals have been replayed.
    state: {
      cursor: 0,
      nextPage: 1,
      obsolete: [],
      nextNo,
      pieces: 0,
      indexes,
      counts: [],
      held: [],
      shownMs: 0,
    },
    fences: [],
    indexes: indexes.map((known) => ({ known, fences: [] })),
  }
}

/** What is wrong with the data; a fault of the disk, or a bug, goes on. */
function problemOf(error: unknown): string {
  const known = error instanceof BlazeError && isOfData.has(error.code)
  if (!known) throw error
  return error.message
}

const isOfData: ReadonlySet<string> = new Set(['DAMAGED', 'BAD_VALUE', 'PROTOCOL_VIOLATION'])

async function removeRows(replica: Replica, rows: { gte: Uint8Array; lt: Uint8Array }): Promise<void> {
  for (;;) {
    const found = await replica.store.range({ ...rows, limit: limits.rangeRowsMax })
    if (found.length === 0) return
    await replica.extra(found.map(([key]): StoreOperation => ({ type: 'del', key })))
  }
}
