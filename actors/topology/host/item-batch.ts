/** Items that share one changes message. Invariant: bounded by number and bytes, but for a single item that is larger. */
import { limits } from '../../../runtime/index.ts'

export class ItemBatch {
  #items: Uint8Array[] = []
  #bytes = 0

  get empty(): boolean {
    return this.#items.length === 0
  }

  /** False: take what is here first. */
  fits(item: Uint8Array): boolean {
    if (this.#items.length === 0) return true
    return (
      this.#items.length < limits.mirrorPageRecords && this.#bytes + item.length <= limits.mirrorMessageBytes
    )
  }

  add(item: Uint8Array): void {
    this.#items.push(item)
    this.#bytes += item.length
  }

  /** Empties the batch. */
  take(): readonly Uint8Array[] {
    const items = this.#items
    this.#items = []
    this.#bytes = 0
    return items
  }
}
