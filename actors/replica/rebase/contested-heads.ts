/**
 * Heads of replica ids of others whose history is not the one that is held here (REPLICATION rule 23): the device that owns the id has
 * to be shown them. Invariant: one head an id, the newest; their number has a bound.
 */
import { bytesKey, limits } from '../../../runtime/index.ts'
import type { VectorEntry } from '../vector.ts'

export class ContestedHeads {
  readonly #entries = new Map<string, VectorEntry>()
  readonly #listeners = new Set<(entry: VectorEntry) => void>()

  entries(): readonly VectorEntry[] {
    return [...this.#entries.values()]
  }

  add(entry: VectorEntry): void {
    const key = bytesKey(entry.replicaId)
    const known = this.#entries.get(key)
    if (known !== undefined && known.seq >= entry.seq) return
    if (known === undefined && this.#entries.size >= limits.contestedHeadsMax) return
    this.#entries.set(key, entry)
    for (const listener of this.#listeners) listener(entry)
  }

  onAdded(listener: (entry: VectorEntry) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}
