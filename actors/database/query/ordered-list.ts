/**
 * Items in an order, in blocks, so that one is put in, taken out and found by its position without moving all others.
 * Invariant: no two items compare as equal; no block is empty, and none is longer than `BLOCK_ITEMS_MAX`.
 */
const BLOCK_ITEMS_MAX = 512

export class OrderedList<T> {
  readonly #compare: (a: T, b: T) => number
  readonly #blocks: T[][] = []
  #size = 0

  /** Negative, zero or positive. */
  constructor(compare: (a: T, b: T) => number) {
    this.#compare = compare
  }

  get size(): number {
    return this.#size
  }

  /** Returns its position; −1 when it is in the list already, which changes nothing. */
  add(item: T): number {
    const at = this.#blockOf(item)
    const block = this.#blocks[at]
    if (block === undefined) {
      const last = this.#blocks.at(-1)
      if (last === undefined || last.length >= BLOCK_ITEMS_MAX) this.#blocks.push([item])
      else last.push(item)
      this.#size += 1
      return this.#size - 1
    }
    const within = this.#within(block, item)
    const found = block[within]
    if (found !== undefined && this.#compare(found, item) === 0) return -1
    block.splice(within, 0, item)
    this.#size += 1
    const position = this.#before(at) + within
    if (block.length > BLOCK_ITEMS_MAX) this.#blocks.splice(at + 1, 0, block.splice(BLOCK_ITEMS_MAX >> 1))
    return position
  }

  /** Returns the position it had; −1 when it is not in the list. */
  delete(item: T): number {
    const at = this.#blockOf(item)
    const block = this.#blocks[at]
    if (block === undefined) return -1
    const within = this.#within(block, item)
    const found = block[within]
    if (found === undefined || this.#compare(found, item) !== 0) return -1
    block.splice(within, 1)
    if (block.length === 0) this.#blocks.splice(at, 1)
    this.#size -= 1
    return this.#before(at) + within
  }

  /** Where it is; −1 when it is not in the list. */
  positionOf(item: T): number {
    const at = this.#blockOf(item)
    const block = this.#blocks[at]
    if (block === undefined) return -1
    const within = this.#within(block, item)
    const found = block[within]
    return found !== undefined && this.#compare(found, item) === 0 ? this.#before(at) + within : -1
  }

  at(position: number): T | undefined {
    let rest = position
    if (rest < 0) return undefined
    for (const block of this.#blocks) {
      if (rest < block.length) return block[rest]
      rest -= block.length
    }
    return undefined
  }

  last(): T | undefined {
    return this.#blocks.at(-1)?.at(-1)
  }

  deleteLast(): void {
    const block = this.#blocks.at(-1)
    if (block === undefined) return
    block.pop()
    this.#size -= 1
    if (block.length === 0) this.#blocks.pop()
  }

  *[Symbol.iterator](): IterableIterator<T> {
    for (const block of this.#blocks) yield* block
  }

  /** The first block that ends with the item or after it. */
  #blockOf(item: T): number {
    const blocks = this.#blocks
    let [low, high] = [0, blocks.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#compare(blocks[middle]?.at(-1) as T, item) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  /** The first item of the block that is the item or after it. */
  #within(block: readonly T[], item: T): number {
    let [low, high] = [0, block.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#compare(block[middle] as T, item) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  #before(at: number): number {
    let items = 0
    for (let block = 0; block < at; block += 1) items += this.#blocks[block]?.length ?? 0
    return items
  }
}
