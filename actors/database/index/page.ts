/**
 * One page of an index: sorted entries as bytes (PROTOCOL §6.3).
 * Invariant: keys ascend strictly, a page is never empty, and its bytes are at most `limits.indexPageBytes` unless it has one entry.
 */
import { BlazeError, limits } from '../../../runtime/index.ts'

const COUNT_BYTES = 2
const LENGTH_BYTES = 2

/** Keys and values are texts of one char a byte. */
export type IndexEntry = readonly [key: string, value: string]

/** Methods of every Node that the library declarations of this language level lack; `toString` and `write` cost three times as much. */
type TextBuffer = Buffer & {
  latin1Slice(from: number, to: number): string
  latin1Write(text: string, at: number): number
}

/** A page that is read: nothing is copied until it is asked for. */
export class IndexPage {
  readonly #bytes: TextBuffer
  /** Where each entry begins, and where the last one ends. */
  readonly #starts: Uint16Array

  /** `DAMAGED` unless the bytes are those of a page. */
  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) as TextBuffer
    if (bytes.length < COUNT_BYTES || bytes.length > 0xffff) throw badPage()
    const count = this.#bytes.readUInt16BE(0)
    const starts = new Uint16Array(count + 1)
    let at = COUNT_BYTES
    for (let entry = 0; entry < count; entry += 1) {
      starts[entry] = at
      at = this.#skip(this.#skip(at))
    }
    if (count === 0 || at !== bytes.length) throw badPage()
    starts[count] = at
    this.#starts = starts
  }

  get count(): number {
    return this.#starts.length - 1
  }

  get bytes(): number {
    return this.#bytes.length
  }

  key(entry: number): string {
    const at = this.#start(entry)
    const from = at + LENGTH_BYTES
    return this.#bytes.latin1Slice(from, from + this.#length(at))
  }

  value(entry: number): string {
    const at = this.#start(entry)
    const from = at + LENGTH_BYTES + this.#length(at) + LENGTH_BYTES
    return this.#bytes.latin1Slice(from, this.#start(entry + 1))
  }

  /** Bytes of the entry as they stand in the page. */
  raw(entry: number): Uint8Array {
    return this.#bytes.subarray(this.#start(entry), this.#start(entry + 1))
  }

  /** The first entry whose key is not below `key`; `count` when there is none. */
  seek(key: string): number {
    let low = 0
    let high = this.count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.key(middle) < key) low = middle + 1
      else high = middle
    }
    return low
  }

  /** The value of exactly this key. */
  get(key: string): string | undefined {
    const entry = this.seek(key)
    return entry < this.count && this.key(entry) === key ? this.value(entry) : undefined
  }

  #start(entry: number): number {
    return this.#starts[entry] as number
  }

  /** Plain arithmetic: a checked read costs more than the rest of a search. */
  #length(at: number): number {
    return ((this.#bytes[at] as number) << 8) | (this.#bytes[at + 1] as number)
  }

  #skip(at: number): number {
    if (at + LENGTH_BYTES > this.#bytes.length) throw badPage()
    return at + LENGTH_BYTES + this.#length(at)
  }
}

/** Makes pages out of entries that come in order. */
export class PageWriter {
  readonly #emit: (first: string, bytes: Uint8Array) => void
  readonly #buffer = Buffer.allocUnsafe(limits.indexPageBytes * 2) as TextBuffer
  #length = COUNT_BYTES
  #count = 0
  #first = ''

  /** `emit` owns the bytes. */
  constructor(emit: (first: string, bytes: Uint8Array) => void) {
    this.#emit = emit
  }

  add(key: string, value: string): void {
    this.#room(2 * LENGTH_BYTES + key.length + value.length)
    if (this.#count === 0) this.#first = key
    this.#count += 1
    this.#text(key)
    this.#text(value)
  }

  /** An entry as another page has it. */
  addRaw(page: IndexPage, entry: number): void {
    const raw = page.raw(entry)
    this.#room(raw.length)
    if (this.#count === 0) this.#first = page.key(entry)
    this.#count += 1
    this.#buffer.set(raw, this.#length)
    this.#length += raw.length
  }

  /** Ends the page under way, if any. */
  flush(): void {
    if (this.#count === 0) return
    this.#buffer.writeUInt16BE(this.#count, 0)
    this.#emit(this.#first, new Uint8Array(this.#buffer.subarray(0, this.#length)))
    this.#length = COUNT_BYTES
    this.#count = 0
  }

  get isEmpty(): boolean {
    return this.#count === 0
  }

  /** Bytes of the page under way. */
  get bytes(): number {
    return this.#length
  }

  /** Adds all of a page to the small one under way; what does not fit into one page is halved, so that neither is small. */
  share(page: IndexPage): void {
    const total = this.#length + page.bytes
    const half = total > limits.indexPageBytes ? total / 2 : Infinity
    let halved = false
    for (let entry = 0; entry < page.count; entry += 1) {
      if (!halved && this.#length >= half) {
        this.flush()
        halved = true
      }
      this.addRaw(page, entry)
    }
  }

  #room(bytes: number): void {
    if (this.#count > 0 && this.#length + bytes > limits.indexPageBytes) this.flush()
  }

  #text(text: string): void {
    this.#length = this.#buffer.writeUInt16BE(text.length, this.#length)
    this.#length += this.#buffer.latin1Write(text, this.#length)
  }
}

export function badPage(): BlazeError {
  return new BlazeError(
    'DAMAGED',
    'an index page is damaged; the index is made anew when the database is reopened',
  )
}
