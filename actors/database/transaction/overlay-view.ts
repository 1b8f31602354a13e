/**
 * The records of a view with some states laid over it: what a transaction sees of a collection, its own writes included.
 * Invariant: a record that is laid over the view never comes from the view itself, and all that a walk yields belongs to one moment.
 */
import { encodeIndexId, encodeIndexKey } from '../index/index-key.ts'
import { valueAt } from '../query.ts'
import type { RecordState } from '../record/record.ts'
import type { AccessPath, IndexDefinition, RecordView, RecordWalk } from '../view/record-view.ts'

export interface OverlayViewOptions {
  readonly base: RecordView
  readonly collection: string
  /** By id; undefined where nothing is shown. */
  readonly states: ReadonlyMap<string, RecordState | undefined>
  /** Throws once what was read is no longer one moment. */
  readonly check: () => void
}

/** A record in the order of a walk. */
interface Placed {
  readonly key: string
  readonly state: RecordState
}

export class OverlayView implements RecordView {
  readonly #o: OverlayViewOptions

  constructor(options: OverlayViewOptions) {
    this.#o = options
  }

  read(collection: string, id: string): RecordState | undefined {
    this.#o.check()
    return this.#isOver(collection, id) ? this.#o.states.get(id) : this.#o.base.read(collection, id)
  }

  peek(collection: string, id: string): RecordState | undefined {
    this.#o.check()
    return this.#isOver(collection, id) ? this.#o.states.get(id) : this.#o.base.peek(collection, id)
  }

  indexes(collection: string): readonly IndexDefinition[] {
    return this.#o.base.indexes(collection)
  }

  hasCutKeys(index: IndexDefinition): boolean {
    if (this.#o.base.hasCutKeys(index)) return true
    for (const state of this.#o.states.values()) {
      if (isAlive(state) && encodeIndexKey(valuesOf(index, state)).cut) return true
    }
    return false
  }

  count(collection: string): number {
    const { base, states, check } = this.#o
    check()
    let count = base.count(collection)
    if (collection !== this.#o.collection) return count
    for (const [id, state] of states) {
      count += Number(isAlive(state)) - Number(isAlive(base.peek(collection, id)))
    }
    return count
  }

  ready(): Promise<void> | undefined {
    return this.#o.base.ready()
  }

  walk(collection: string, path: AccessPath): RecordWalk {
    if (path.kind === 'ids') return this.#walkIds(collection, path.ids)
    const { base, states, check } = this.#o
    const walk = base.walk(collection, path)
    const over = collection === this.#o.collection ? states : NO_STATES
    return new OverlayWalk({ walk, path, over, check })
  }

  #walkIds(collection: string, ids: readonly string[]): RecordWalk {
    let at = 0
    return {
      next: (limit) => {
        const found: RecordState[] = []
        while (found.length < limit && at < ids.length) {
          const state = this.peek(collection, ids[at] as string)
          at += 1
          if (isAlive(state)) found.push(state)
        }
        return found
      },
      close: () => {
        at = ids.length
      },
    }
  }

  #isOver(collection: string, id: string): boolean {
    return collection === this.#o.collection && this.#o.states.has(id)
  }
}

interface OverlayWalkOptions {
  readonly walk: RecordWalk
  readonly path: WalkedPath
  readonly over: ReadonlyMap<string, RecordState | undefined>
  readonly check: () => void
}

type WalkedPath = Exclude<AccessPath, { kind: 'ids' }>

/** Merges the walk of the view with what lies over it, both in the order of the path. */
class OverlayWalk implements RecordWalk {
  readonly #o: OverlayWalkOptions
  /** What lies over the view, in order; taken from the front. */
  readonly #over: readonly Placed[]
  #overAt = 0
  /** What the view gave and was not yielded yet. */
  #held: RecordState[] = []
  #ended = false

  constructor(options: OverlayWalkOptions) {
    this.#o = options
    const { over, path } = options
    const placed: Placed[] = []
    for (const state of over.values()) {
      if (!isAlive(state)) continue
      const key = placeOf(path, state)
      if (key !== undefined) placed.push({ key, state })
    }
    const sign = path.kind !== 'store' && path.reverse ? -1 : 1
    this.#over = placed.sort((a, b) => (a.key < b.key ? -sign : a.key > b.key ? sign : 0))
  }

  async next(limit: number): Promise<RecordState[]> {
    const { walk, over, check } = this.#o
    check()
    while (!this.#ended && this.#held.length === 0) {
      const rows = await walk.next(limit)
      check()
      if (rows.length === 0) this.#ended = true
      this.#held = rows.filter(({ id }) => !over.has(id))
    }
    return this.#merged(limit)
  }

  close(): void {
    this.#o.walk.close()
  }

  #merged(limit: number): RecordState[] {
    const merged: RecordState[] = []
    while (merged.length < limit) {
      const [mine] = this.#held
      const other = this.#over[this.#overAt]
      // What the view gives next may come before the rest of what lies over it.
      if (mine === undefined && !this.#ended) break
      if (mine === undefined && other === undefined) break
      if (other !== undefined && (mine === undefined || this.#isBefore(other, mine))) {
        merged.push(other.state)
        this.#overAt += 1
      } else if (mine !== undefined) {
        merged.push(mine)
        this.#held.shift()
      }
    }
    return merged
  }

  #isBefore(other: Placed, mine: RecordState): boolean {
    const { path } = this.#o
    if (path.kind === 'store') return false
    const key = keyOf(path, mine)
    return path.reverse ? other.key > key : other.key < key
  }
}

const NO_STATES: ReadonlyMap<string, RecordState | undefined> = new Map()

/** The key of a record on the path; undefined when it is not on it. */
function placeOf(path: WalkedPath, state: RecordState): string | undefined {
  const key = keyOf(path, state)
  switch (path.kind) {
    case 'store':
      return key
    case 'records': {
      const { after, prefix, reverse } = path
      if (prefix !== undefined && !key.startsWith(prefix)) return undefined
      return after === undefined || (reverse ? key < after : key > after) ? key : undefined
    }
    case 'index':
      return key >= path.gte && (path.lt === undefined || key < path.lt) ? key : undefined
  }
}

function keyOf(path: WalkedPath, state: RecordState): string {
  if (path.kind !== 'index') return state.id
  return encodeIndexKey(valuesOf(path.index, state)).key + encodeIndexId(state.id)
}

function valuesOf({ fields }: IndexDefinition, state: RecordState): ReturnType<typeof valueAt>[] {
  return fields.map((field) => valueAt(state, field.split('.')))
}

function isAlive(state: RecordState | undefined): state is RecordState {
  return state !== undefined && state.deleted === undefined
}
