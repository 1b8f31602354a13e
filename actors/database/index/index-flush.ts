/**
 * Merges what waits in memory into the pages of all indexes.
 * Invariant: the disk goes from one whole state to the next: new pages are written aside in small batches, and one batch brings directories,
 * state and cursor. Then the old pages go. What a merge left that did not end is removed at the next opening.
 */
import { BlazeError, limits } from '../../../runtime/index.ts'
import type { Env } from '../../../runtime/index.ts'
import type { Replica } from '../../replica/index.ts'
import type { CompiledIndex } from './compiled-index.ts'
import { encodeDirectory } from './directory.ts'
import { encodeIndexState } from './index-state.ts'
import type { CollectionCount, HeldMark } from './index-state.ts'
import { STATE } from './page-store.ts'
import type { PageStore } from './page-store.ts'
import type { PagedIndex } from './paged-index.ts'

/** Number of the built-in view's directory, and of the definitions kept aside. */
export const RECORDS = 0xfffe
export const DEFINITIONS = 0xffff

export interface FlushOptions {
  readonly env: Env
  readonly replica: Replica
  readonly pages: PageStore
}

export interface FlushMoment {
  readonly cursor: number
  readonly held: readonly HeldMark[]
  readonly shownMs: number
  readonly nextNo: number
  readonly counts: readonly CollectionCount[]
  readonly records: PagedIndex
  readonly indexes: readonly CompiledIndex[]
}

export class IndexFlush {
  readonly #o: FlushOptions
  /** The cursor that is on disk. */
  cursor = 0
  #recordPieces: number
  #statePieces = 0
  #definitionPieces = 0
  #dropped: CompiledIndex[] = []
  #running: Promise<void> | undefined
  /** Begins when the running one has ended; everybody who comes until then shares it. */
  #waiting: Promise<void> | undefined

  constructor(options: FlushOptions, pieces: { readonly records: number }) {
    this.#o = options
    this.#recordPieces = pieces.records
  }

  /** `take` is called when the merge before has ended: what it returns has to be true of the changes of that moment. */
  run(take: () => FlushMoment): Promise<void> {
    const begin = (): Promise<void> => {
      this.#running = this.#waiting
      this.#waiting = undefined
      return this.#run(take())
    }
    if (this.#waiting !== undefined) return this.#waiting
    const waiting = (this.#running ?? Promise.resolve()).then(begin, begin)
    this.#waiting = waiting
    const ended = (): void => {
      if (this.#running === waiting) this.#running = undefined
    }
    waiting.then(ended, ended)
    return waiting
  }

  get isRunning(): boolean {
    return this.#running !== undefined || this.#waiting !== undefined
  }

  /** Its pages and directory go with the next merge. */
  dropped(index: CompiledIndex): void {
    this.#dropped.push(index)
  }

  async storeDefinitions(nextNo: number, indexes: readonly CompiledIndex[]): Promise<void> {
    const { pages } = this.#o
    const state = encodeIndexState({
      cursor: 0,
      nextPage: 1,
      obsolete: [],
      nextNo,
      pieces: 0,
      indexes: indexes.map((index) => ({
        ...index.definition,
        no: index.no,
        state: 'building',
        cut: index.cut,
        pieces: 0,
      })),
      counts: [],
      held: [],
      shownMs: 0,
    })
    this.#definitionPieces = pages.stagePieces(DEFINITIONS, framed(state), this.#definitionPieces)
    await this.#write()
  }

  async #run(moment: FlushMoment): Promise<void> {
    const { pages } = this.#o
    const dropped = this.#dropped
    this.#dropped = []
    const targets = [moment.records, ...moment.indexes.map((index) => index.pages)]
    const ready = moment.indexes.map((index) => index.ready)
    for (const target of targets) target.freeze()
    for (const target of targets) await this.#merge(target)

    const obsolete = targets.flatMap((target) => target.merging.obsolete)
    for (const { pages: gone } of dropped) obsolete.push(...gone.fences.map(({ page }) => page))
    for (const { no, pieces } of dropped) if (pieces > 0) pages.stagePieces(no, new Uint8Array(0), pieces)
    this.#recordPieces = this.#stageDirectory(RECORDS, moment.records, this.#recordPieces)
    for (const index of moment.indexes)
      index.pieces = this.#stageDirectory(index.no, index.pages, index.pieces)
    const state = encodeIndexState({
      ...moment,
      nextPage: pages.nextPage,
      obsolete,
      pieces: this.#recordPieces,
      indexes: moment.indexes.map((index, at) => ({
        ...index.definition,
        no: index.no,
        state: ready[at] === true ? 'ready' : 'building',
        cut: index.cut,
        pieces: index.pieces,
      })),
    })
    this.#statePieces = pages.stagePieces(STATE, framed(state), this.#statePieces)
    await this.#write()
    for (const target of targets) target.adopt()
    this.cursor = moment.cursor
    // Not in the same batch: others hear that it landed before this does, and read the old pages once more.
    pages.stageRemoval(obsolete)
    await this.#write()
  }

  #stageDirectory(no: number, target: PagedIndex, before: number): number {
    if (before > 0 && !target.isRearranged) return before
    return this.#o.pages.stagePieces(no, encodeDirectory(target.merging.fences), before)
  }

  async #merge(target: PagedIndex): Promise<void> {
    const { env, pages } = this.#o
    let since = env.monotonic()
    for (const _ of target.merge()) {
      if (pages.stagedBytes >= limits.indexBatchBytes) await this.#write()
      // When changes come faster than they are merged, the merge gets more of the thread, and so writers wait.
      const sliceMs = target.changes > limits.indexDeltaEntries ? limits.sliceMs * 8 : limits.sliceMs
      if (env.monotonic() - since < sliceMs) continue
      await new Promise<void>((resolve) => env.defer(resolve))
      since = env.monotonic()
    }
  }

  async #write(): Promise<void> {
    const { pages, replica } = this.#o
    const operations = pages.take()
    for (;;) {
      try {
        await replica.extra(operations)
        return
      } catch (error) {
        if (!(error instanceof BlazeError) || error.code !== 'OVERLOADED') throw error
        await replica.settled()
      }
    }
  }
}

/** The number of pieces of the state has no other place than its own first bytes. */
function framed(bytes: Uint8Array): Uint8Array {
  const framedBytes = new Uint8Array(4 + bytes.length)
  new DataView(framedBytes.buffer).setUint32(0, bytes.length)
  framedBytes.set(bytes, 4)
  return framedBytes
}

/** How many pieces a framed text has, by its first one. */
export function piecesOf(first: Uint8Array): number {
  const length = 4 + new DataView(first.buffer, first.byteOffset, first.byteLength).getUint32(0)
  return Math.max(1, Math.ceil(length / limits.indexPieceBytes))
}
