/** An ordered map of texts. Invariant: its order is that of `<` on texts, which for texts of one char a byte is the order of the bytes. */
import tree from 'sorted-btree'

/** What is used of the library's tree. */
export interface SortedMap<V> {
  readonly size: number
  get(key: string): V | undefined
  set(key: string, value: V): boolean
  delete(key: string): boolean
  /** From the first key that is not below; the pair is reused when `reused` is given. */
  entries(from?: string, reused?: [string, V]): IterableIterator<[string, V]>
  /** Down from the last key that is not above, or below with `skip`. */
  entriesReversed(from?: string, reused?: [string, V], skip?: boolean): IterableIterator<[string, V]>
}

export function createSortedMap<V>(): SortedMap<V> {
  // The library is CommonJS, so its default export is a field of the module.
  return new tree.default<string, V>(undefined, compareTexts)
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
