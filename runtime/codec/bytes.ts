/**
 * Hand-laid bytes: a bounds-checked reader, a growing writer, and the few operations on byte strings that every layer needs.
 * Invariant: the reader never looks past its end and never allocates by a length it has not checked; what does not fit is
 * `PROTOCOL_VIOLATION`.
 */
import { assert, BlazeError } from '../errors.ts'

const U48_HIGH = 2 ** 32
/** Largest number of six bytes. */
export const U48_MAX: number = 2 ** 48 - 1

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const encoder = new TextEncoder()

/** Reads big-endian numbers and runs of bytes. Every method throws `PROTOCOL_VIOLATION` when it would pass the end. */
export class ByteReader {
  readonly #bytes: Uint8Array
  readonly #what: string
  #at = 0

  /** `what` names the bytes in error messages, for instance `envelope`. */
  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes
    this.#what = what
  }

  get position(): number {
    return this.#at
  }

  get remaining(): number {
    return this.#bytes.length - this.#at
  }

  u8(): number {
    const at = this.#advance(1)
    return this.#bytes[at] as number
  }

  u16(): number {
    const at = this.#advance(2)
    const b = this.#bytes
    return ((b[at] as number) << 8) | (b[at + 1] as number)
  }

  u32(): number {
    return readU32(this.#bytes, this.#advance(4))
  }

  u48(): number {
    return readU48(this.#bytes, this.#advance(6))
  }

  skip(length: number): this {
    this.#advance(length)
    return this
  }

  /** A view of the next `length` bytes, not a copy. */
  bytes(length: number): Uint8Array {
    const at = this.#advance(length)
    return this.#bytes.subarray(at, at + length)
  }

  /** The next `length` bytes as UTF-8; ill-formed text is a violation. */
  text(length: number): string {
    const bytes = this.bytes(length)
    try {
      return decoder.decode(bytes)
    } catch (cause) {
      throw new BlazeError('PROTOCOL_VIOLATION', `${this.#what}: text is not well-formed UTF-8`, { cause })
    }
  }

  /** A view of everything read since `position` was `start`. */
  since(start: number): Uint8Array {
    return this.#bytes.subarray(start, this.#at)
  }

  /** A view of everything that is left. */
  rest(): Uint8Array {
    return this.bytes(this.remaining)
  }

  /** Throws when bytes are left over. */
  end(): void {
    if (this.remaining !== 0) throw this.violation(`${this.remaining} bytes too many at ${this.#at}`)
  }

  /** The error that a caller throws when the bytes it read make no sense. */
  violation(problem: string): BlazeError {
    return new BlazeError('PROTOCOL_VIOLATION', `${this.#what}: ${problem}`)
  }

  #advance(length: number): number {
    const at = this.#at
    if (length > this.#bytes.length - at) {
      throw this.violation(`expected ${length} bytes at ${at}, ${this.#bytes.length - at} remain`)
    }
    this.#at = at + length
    return at
  }
}

/** Writes big-endian numbers and runs of bytes; grows as needed. A number that does not fit its width is a bug. */
export class ByteWriter {
  #bytes: Uint8Array
  #at = 0

  constructor(capacityBytes = 256) {
    this.#bytes = new Uint8Array(capacityBytes)
  }

  get length(): number {
    return this.#at
  }

  u8(value: number): this {
    checkWidth(value, 0xff)
    const at = this.#reserve(1)
    this.#bytes[at] = value
    return this
  }

  u16(value: number): this {
    checkWidth(value, 0xffff)
    const at = this.#reserve(2)
    this.#bytes[at] = value >>> 8
    this.#bytes[at + 1] = value
    return this
  }

  u32(value: number): this {
    checkWidth(value, 0xffff_ffff)
    const at = this.#reserve(4)
    writeU32(this.#bytes, at, value)
    return this
  }

  u48(value: number): this {
    const at = this.#reserve(6)
    writeU48(this.#bytes, at, value)
    return this
  }

  bytes(value: Uint8Array): this {
    const at = this.#reserve(value.length)
    this.#bytes.set(value, at)
    return this
  }

  /** UTF-8 without a length. */
  text(value: string): this {
    return this.bytes(encoder.encode(value))
  }

  /** Everything written so far; the writer must not be used afterwards, because no copy is made. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#at)
  }

  #reserve(length: number): number {
    const at = this.#at
    const end = at + length
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(end, this.#bytes.length * 2))
      grown.set(this.#bytes.subarray(0, at))
      this.#bytes = grown
    }
    this.#at = end
    return at
  }
}

function checkWidth(value: number, max: number): void {
  // The message is made for a failure only: it would cost more than the write.
  if (!Number.isInteger(value) || value < 0 || value > max) {
    assert(false, `number ${value} is not within 0..${max}`)
  }
}

/** The caller has checked that four bytes are there. */
export function readU32(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number)) >>>
    0
  )
}

/** The caller has checked that six bytes are there. */
export function readU48(bytes: Uint8Array, at: number): number {
  return (((bytes[at] as number) << 8) | (bytes[at + 1] as number)) * U48_HIGH + readU32(bytes, at + 2)
}

/** The caller has checked the width and that four bytes are there. */
export function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}

/** The caller has checked that six bytes are there. */
export function writeU48(bytes: Uint8Array, at: number, value: number): void {
  checkWidth(value, U48_MAX)
  const high = Math.floor(value / U48_HIGH)
  bytes[at] = high >>> 8
  bytes[at + 1] = high
  writeU32(bytes, at + 2, value % U48_HIGH)
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** Lower-case hexadecimal. */
export function toHex(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += HEX[byte] as string
  return text
}

/** `TypeError` unless `text` is an even number of hexadecimal digits. */
export function fromHex(text: string): Uint8Array {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) {
    throw new TypeError('expected an even number of hexadecimal digits')
  }
  const bytes = new Uint8Array(text.length / 2)
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = Number.parseInt(text.slice(at * 2, at * 2 + 2), 16)
  return bytes
}

/** Negative, zero or positive: order of the bytes, a prefix before what it begins. Not for secrets. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length)
  for (let at = 0; at < length; at += 1) {
    const difference = (a[at] as number) - (b[at] as number)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

/** Not for secrets: stops at the first difference. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let at = 0; at < a.length; at += 1) if (a[at] !== b[at]) return false
  return true
}

type Sixteen = readonly [
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
]

/** The bytes as a string of as many characters, for keys of a Map. Order is the order of the bytes. */
export function bytesKey(bytes: Uint8Array): string {
  // Ids have 8 or 16 bytes and are looked up per record: naming each byte is four times faster than anything generic.
  const char = String.fromCharCode
  if (bytes.length === 16) {
    const b = bytes as unknown as Sixteen
    // prettier-ignore
    return char(b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15])
  }
  if (bytes.length === 8) {
    const b = bytes as unknown as Sixteen
    return char(b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7])
  }
  let text = ''
  for (const byte of bytes) text += char(byte)
  return text
}

/** Fresh bytes. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) length += part.length
  const out = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}
