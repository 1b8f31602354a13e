/** A UUID (RFC 9562) as a value of its own type. Invariant: 16 bytes that never change. */
import { fromHex, toHex, writeU48 } from './bytes.ts'

const FORM = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

export class Uuid {
  readonly #bytes: Uint8Array

  /** `TypeError` unless there are 16 bytes; they are copied. */
  constructor(bytes: Uint8Array) {
    if (!(bytes instanceof Uint8Array) || bytes.length !== 16) throw new TypeError('a UUID has 16 bytes')
    this.#bytes = new Uint8Array(bytes)
  }

  /** `TypeError` unless `text` has the form 8-4-4-4-12 of hexadecimal digits. */
  static parse(text: string): Uuid {
    if (!FORM.test(text)) throw new TypeError('expected a UUID as 8-4-4-4-12 hexadecimal digits')
    return new Uuid(fromHex(text.replaceAll('-', '')))
  }

  /** Version 7: 48 bits of `ms` since the epoch, then 74 bits from `chance` (at least 10 bytes). */
  static v7(ms: number, chance: Uint8Array): Uuid {
    if (chance.length < 10) throw new TypeError('a version 7 UUID takes 10 random bytes')
    const bytes = new Uint8Array(16)
    writeU48(bytes, 0, Math.floor(ms))
    bytes.set(chance.subarray(0, 10), 6)
    bytes[6] = 0x70 | ((bytes[6] as number) & 0x0f)
    bytes[8] = 0x80 | ((bytes[8] as number) & 0x3f)
    return new Uuid(bytes)
  }

  /** A copy. */
  get bytes(): Uint8Array {
    return new Uint8Array(this.#bytes)
  }

  /** Writes the 16 bytes at `at`. */
  copyTo(target: Uint8Array, at: number): void {
    target.set(this.#bytes, at)
  }

  equals(other: Uuid): boolean {
    return this.compare(other) === 0
  }

  /** Order of the bytes. */
  compare(other: Uuid): number {
    for (let at = 0; at < 16; at += 1) {
      const difference = (this.#bytes[at] as number) - (other.#bytes[at] as number)
      if (difference !== 0) return difference
    }
    return 0
  }

  /** Lower case, 8-4-4-4-12. */
  toString(): string {
    const hex = toHex(this.#bytes)
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
  }

  toJSON(): string {
    return this.toString()
  }
}
