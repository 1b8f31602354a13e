/**
 * Cuts a stream of bytes into records: `u32 length | record` (PROTOCOL §7).
 * Invariant: every byte is copied at most once, and no more than one record's worth is held for a length that a peer claims, none of it
 * between two records of a peer that is silent.
 */
import { BlazeError, limits, readU32 } from '../runtime/index.ts'

const HEADER_BYTES = 4
/** A record that is longer, and comes in parts, is gathered where the one before it was: memory of its own costs more than the copy. */
const SMALL_BYTES = 4_096

export class RecordSplitter {
  readonly #header = new Uint8Array(HEADER_BYTES)
  #headerFilled = 0
  /** The record that is being gathered from several chunks. */
  #record: Uint8Array | undefined
  #filled = 0
  /** Where long records are gathered, while there is always a next one. */
  #room: Uint8Array | undefined
  /** Chunks not looked at yet, the first from `#at`. */
  #chunks: Uint8Array[] = []
  #at = 0

  add(chunk: Uint8Array): void {
    if (chunk.length > 0) this.#chunks.push(chunk)
  }

  /** The next whole record, valid until the next call, or undefined until more bytes come. `PROTOCOL_VIOLATION` for a bad length. */
  next(): Uint8Array | undefined {
    for (;;) {
      const chunk = this.#chunks[0]
      if (chunk === undefined) {
        if (this.#record === undefined) this.#room = undefined
        return undefined
      }
      const record = this.#record === undefined ? this.#begin(chunk) : this.#fill(this.#record, chunk)
      if (this.#at === chunk.length) {
        this.#chunks.shift()
        this.#at = 0
      }
      if (record !== undefined) return record
    }
  }

  /** True at the boundary between two records. */
  get empty(): boolean {
    return this.#chunks.length === 0 && this.#headerFilled === 0 && this.#record === undefined
  }

  /** Reads the header, and the record too when all of it lies in this chunk. */
  #begin(chunk: Uint8Array): Uint8Array | undefined {
    while (this.#headerFilled < HEADER_BYTES) {
      const byte = chunk[this.#at]
      if (byte === undefined) return undefined
      this.#header[this.#headerFilled++] = byte
      this.#at++
    }
    const length = readU32(this.#header, 0)
    if (length === 0 || length > limits.recordBytesMax) {
      throw new BlazeError(
        'PROTOCOL_VIOLATION',
        `record: expected 1 to ${limits.recordBytesMax} bytes, the header says ${length}`,
      )
    }
    this.#headerFilled = 0
    const end = this.#at + length
    if (end <= chunk.length) {
      const record = chunk.subarray(this.#at, end)
      this.#at = end
      return record
    }
    this.#record = this.#roomFor(length)
    this.#filled = 0
    return this.#fill(this.#record, chunk)
  }

  #roomFor(length: number): Uint8Array {
    if (length <= SMALL_BYTES) return new Uint8Array(length)
    // Not zeroed: what is handed out was filled.
    this.#room ??= new Uint8Array(Buffer.allocUnsafeSlow(limits.recordBytesMax).buffer)
    return this.#room.subarray(0, length)
  }

  #fill(record: Uint8Array, chunk: Uint8Array): Uint8Array | undefined {
    const part = chunk.subarray(this.#at, this.#at + record.length - this.#filled)
    record.set(part, this.#filled)
    this.#filled += part.length
    this.#at += part.length
    if (this.#filled < record.length) return undefined
    this.#record = undefined
    return record
  }
}
