/**
 * Decoded records by tag: a young and an old generation; what is used moves to the young one, and the old one goes as a whole.
 * Invariant: the sum of estimates stays within the bound. Entries never leave one by one: a Map pays for deletions at its front.
 */
import type { Assembled } from './record-reader.ts'

interface Entry<T> {
  readonly record: T
  readonly bytes: number
}

export class RecordCache<T = Assembled> {
  readonly #generationBytesMax: number
  #young = new Map<string, Entry<T>>()
  #old = new Map<string, Entry<T>>()
  #youngBytes = 0
  #oldBytes = 0

  constructor(bytesMax: number) {
    this.#generationBytesMax = bytesMax / 2
  }

  get bytes(): number {
    return this.#youngBytes + this.#oldBytes
  }

  get(tag: string): T | undefined {
    const young = this.#young.get(tag)
    if (young !== undefined) return young.record
    const old = this.#old.get(tag)
    if (old === undefined) return undefined
    this.set(tag, old.record, old.bytes)
    return old.record
  }

  /** `bytes` estimates what the record takes in memory; one that exceeds half the bound is not kept. */
  set(tag: string, record: T, bytes: number): void {
    this.delete(tag)
    if (bytes > this.#generationBytesMax) return
    if (this.#youngBytes + bytes > this.#generationBytesMax) {
      this.#old = this.#young
      this.#oldBytes = this.#youngBytes
      this.#young = new Map()
      this.#youngBytes = 0
    }
    this.#young.set(tag, { record, bytes })
    this.#youngBytes += bytes
  }

  delete(tag: string): void {
    const young = this.#young.get(tag)
    if (young !== undefined && this.#young.delete(tag)) this.#youngBytes -= young.bytes
    const old = this.#old.get(tag)
    if (old !== undefined && this.#old.delete(tag)) this.#oldBytes -= old.bytes
  }
}
