/** First in, first out, in an array of a power of two that grows; costs no allocation per item. Holds anything but undefined. */

const capacityFirst = 4

export class Ring<T> {
  #slots: (T | undefined)[] | undefined
  #mask = 0
  #head = 0
  length = 0

  push(item: T): void {
    let slots = this.#slots
    if (slots === undefined || this.length === slots.length) slots = this.#grow()
    slots[(this.#head + this.length) & this.#mask] = item
    this.length++
  }

  /** Puts it in front of all others. */
  unshift(item: T): void {
    let slots = this.#slots
    if (slots === undefined || this.length === slots.length) slots = this.#grow()
    this.#head = (this.#head - 1) & this.#mask
    slots[this.#head] = item
    this.length++
  }

  shift(): T | undefined {
    const slots = this.#slots
    if (slots === undefined || this.length === 0) return undefined
    const item = slots[this.#head]
    slots[this.#head] = undefined
    this.#head = (this.#head + 1) & this.#mask
    this.length--
    return item
  }

  #grow(): (T | undefined)[] {
    const old = this.#slots
    const capacity = old === undefined ? capacityFirst : old.length * 2
    // `fill` keeps the array packed, which an array of holes is not.
    const slots: (T | undefined)[] = new Array<T | undefined>(capacity).fill(undefined)
    if (old !== undefined) for (let i = 0; i < this.length; i++) slots[i] = old[(this.#head + i) & this.#mask]
    this.#slots = slots
    this.#mask = capacity - 1
    this.#head = 0
    return slots
  }
}
