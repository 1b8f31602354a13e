/** How many records each collection has. Invariant: the sums are those of the collections. */
import type { CollectionCount } from './index-state.ts'

export class RecordCounts {
  readonly #counts = new Map<string, { alive: number; deleted: number }>()
  alive = 0
  deleted = 0

  constructor(counts: readonly CollectionCount[]) {
    for (const { collection, alive, deleted } of counts) {
      this.#counts.set(collection, { alive, deleted })
      this.alive += alive
      this.deleted += deleted
    }
  }

  /** Living records of a collection. */
  of(collection: string): number {
    return this.#counts.get(collection)?.alive ?? 0
  }

  deletedOf(collection: string): number {
    return this.#counts.get(collection)?.deleted ?? 0
  }

  /** Collections that have, or had, a record. */
  collections(): string[] {
    return [...this.#counts.keys()]
  }

  list(): CollectionCount[] {
    return [...this.#counts].map(([collection, { alive, deleted }]) => ({ collection, alive, deleted }))
  }

  change(
    collection: string,
    before: 'alive' | 'deleted' | undefined,
    after: 'alive' | 'deleted' | undefined,
  ): void {
    if (before === after) return
    let counts = this.#counts.get(collection)
    if (counts === undefined) {
      counts = { alive: 0, deleted: 0 }
      this.#counts.set(collection, counts)
    }
    if (before !== undefined) {
      counts[before] -= 1
      this[before] -= 1
    }
    if (after !== undefined) {
      counts[after] += 1
      this[after] += 1
    }
    if (counts.alive === 0 && counts.deleted === 0) this.#counts.delete(collection)
  }
}
