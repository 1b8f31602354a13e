/** Decoded records by tag, least recently used out first. Invariant: the sum of estimates stays within the bound. */
import type { Assembled } from './record-reader.ts'

interface Entry {
  readonly record: Assembled
  readonly bytes: number
}

export class RecordCache {
  readonly #bytesMax: number
  /** Least recently used first. */
  readonly #entries = new Map<string, Entry>()
  /** Goes on where the last eviction ended: a fresh one would skip all that was deleted before it, each time. */
  #oldest: Iterator<string> | undefined
  #bytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get bytes(): number {
    return this.#bytes
  }

  get(tag: string): Assembled | undefined {
    const entry = this.#entries.get(tag)
    if (entry === undefined) return undefined
    this.#entries.delete(tag)
    this.#entries.set(tag, entry)
    return entry.record
  }

  /** `bytes` estimates what the record takes in memory; one that exceeds the bound is not kept. */
  set(tag: string, record: Assembled, bytes: number): void {
    this.delete(tag)
    if (bytes > this.#bytesMax) return
    this.#entries.set(tag, { record, bytes })
    this.#bytes += bytes
    while (this.#bytes > this.#bytesMax) {
      this.#oldest ??= this.#entries.keys()
      const { done, value } = this.#oldest.next()
      if (done === true) this.#oldest = undefined
      else this.delete(value)
    }
  }

  delete(tag: string): void {
    const entry = this.#entries.get(tag)
    if (entry === undefined) return
    this.#entries.delete(tag)
    this.#bytes -= entry.bytes
  }
}
