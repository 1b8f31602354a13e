/**
 * The built-in view (collection, id) of what is shown, in memory: it grows with the number of ids, deleted ones included.
 * Invariant: a tag stands at most once in it; deleted ids stay, because a mirror has to learn of them.
 */
import type { RecordState } from '../record/record.ts'

interface Ids {
  /** Record id → tag, as `bytesKey`. */
  readonly alive: Map<string, string>
  readonly deleted: Map<string, string>
}

export interface IndexEntry {
  readonly collection: string
  readonly id: string
  readonly deleted: boolean
}

export class CollectionIndex {
  readonly #collections = new Map<string, Ids>()
  #alive = 0
  #deleted = 0

  get records(): number {
    return this.#alive
  }

  get deletedRecords(): number {
    return this.#deleted
  }

  collections(): string[] {
    return [...this.#collections.keys()]
  }

  /** Living records of the collection. */
  count(collection: string): number {
    return this.#collections.get(collection)?.alive.size ?? 0
  }

  /** Ids of the collection, in order of their first appearance here. */
  ids(collection: string): IterableIterator<string> {
    return (this.#collections.get(collection)?.alive ?? NO_IDS).keys()
  }

  deletedIds(collection: string): IterableIterator<string> {
    return (this.#collections.get(collection)?.deleted ?? NO_IDS).keys()
  }

  /** Tag of an id that is shown, alive or deleted. */
  tag(collection: string, id: string): string | undefined {
    const ids = this.#collections.get(collection)
    return ids?.alive.get(id) ?? ids?.deleted.get(id)
  }

  isAlive(collection: string, id: string): boolean {
    return this.#collections.get(collection)?.alive.has(id) === true
  }

  set(tag: string, state: RecordState): void {
    let ids = this.#collections.get(state.collection)
    if (ids === undefined) {
      ids = { alive: new Map(), deleted: new Map() }
      this.#collections.set(state.collection, ids)
    }
    if (state.deleted === undefined) {
      if (ids.deleted.delete(state.id)) this.#deleted -= 1
      if (!ids.alive.has(state.id)) this.#alive += 1
      ids.alive.set(state.id, tag)
    } else {
      if (ids.alive.delete(state.id)) this.#alive -= 1
      if (!ids.deleted.has(state.id)) this.#deleted += 1
      ids.deleted.set(state.id, tag)
    }
  }

  /** Forgets a record, alive or deleted. */
  remove(collection: string, id: string): void {
    const ids = this.#collections.get(collection)
    if (ids?.alive.delete(id) === true) this.#alive -= 1
    if (ids?.deleted.delete(id) === true) this.#deleted -= 1
  }

  /** Forgets what the tag stood for. Looks through everything: only for the rare record that is held after it was shown. */
  unset(tag: string): IndexEntry | undefined {
    for (const [collection, ids] of this.#collections) {
      for (const deleted of [false, true]) {
        const map = deleted ? ids.deleted : ids.alive
        for (const [id, known] of map) {
          if (known !== tag) continue
          map.delete(id)
          if (deleted) this.#deleted -= 1
          else this.#alive -= 1
          return { collection, id, deleted }
        }
      }
    }
    return undefined
  }
}

const NO_IDS: ReadonlyMap<string, string> = new Map()
