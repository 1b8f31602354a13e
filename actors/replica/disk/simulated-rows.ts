/**
 * The rows of a simulated store, which outlive its handles.
 * Invariant: a fork never sees a later change; whichever of the two changes first copies.
 */
import { bytesKey } from '../../../runtime/index.ts'
import type { RangeOptions, StoreOperation, StoreReader, StoreRow } from '../store.ts'

export class SimulatedRows implements StoreReader {
  #keys: string[] = []
  #rows = new Map<string, StoreRow>()
  #shared = false

  get size(): number {
    return this.#rows.size
  }

  /** The same rows; whichever changes first copies. */
  fork(): SimulatedRows {
    const copy = new SimulatedRows()
    copy.#keys = this.#keys
    copy.#rows = this.#rows
    copy.#shared = true
    this.#shared = true
    return copy
  }

  /** In the order of the keys. */
  at(index: number): StoreRow | undefined {
    const row = this.#rows.get(this.#keys[index] ?? '')
    return row === undefined ? undefined : [row[0].slice(), row[1].slice()]
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#rows.get(bytesKey(key))?.[1].slice()
  }

  async range(options: RangeOptions): Promise<StoreRow[]> {
    const from = lowerBound(this.#keys, bytesKey(options.gte))
    const to = Math.max(from, lowerBound(this.#keys, bytesKey(options.lt)))
    const keys =
      options.reverse === true
        ? this.#keys.slice(Math.max(from, to - options.limit), to).reverse()
        : this.#keys.slice(from, Math.min(to, from + options.limit))
    return keys.flatMap((key): StoreRow[] => {
      const row = this.#rows.get(key)
      return row === undefined ? [] : [[row[0].slice(), row[1].slice()]]
    })
  }

  /** What undoes the operations, once they are applied. */
  inverse(operations: readonly StoreOperation[]): StoreOperation[] {
    return operations.map(({ key }): StoreOperation => {
      const value = this.get(key)
      return value === undefined
        ? { type: 'del', key: key.slice() }
        : { type: 'put', key: key.slice(), value }
    })
  }

  apply(operations: readonly StoreOperation[]): void {
    if (this.#shared) {
      this.#keys = [...this.#keys]
      this.#rows = new Map(this.#rows)
      this.#shared = false
    }
    for (const operation of operations) {
      const key = bytesKey(operation.key)
      const known = this.#rows.has(key)
      if (operation.type === 'put') {
        if (!known) this.#keys.splice(lowerBound(this.#keys, key), 0, key)
        this.#rows.set(key, [operation.key.slice(), operation.value.slice()])
      } else if (known) {
        this.#keys.splice(lowerBound(this.#keys, key), 1)
        this.#rows.delete(key)
      }
    }
  }
}

function lowerBound(keys: readonly string[], key: string): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((keys[middle] as string) < key) low = middle + 1
    else high = middle
  }
  return low
}
