/**
 * Writes one CBOR item (RFC 8949): shortest numbers, shortest doubles that lose nothing, keys of maps in one order.
 * Invariant: equal items give equal bytes, and what `CborDecoder` would refuse is `BAD_VALUE` before anything is returned.
 */
import { limits } from '../limits.ts'
import { writeU32 } from './bytes.ts'
import { FIRST, MAJOR, refuse, TAG_UUID } from './cbor-item.ts'
import { sortedNames } from './cbor-map-key.ts'
import { slabBytes } from './slab.ts'
import { Uuid } from './uuid.ts'
import { dateProblem, integerProblem, isPlainObject, isWellFormed } from './value.ts'

const NEVER = -1
const UUID_BYTES = 16
const U32 = 2 ** 32
/** UTF-8 takes at most so many bytes per UTF-16 unit. */
const UTF8_BYTES_PER_UNIT = 3
const HEAD_BYTES_MAX = 9
/** Shorter texts and byte strings are quicker one by one. */
const LOOP_UNITS = 12
const LOOP_BYTES = 24
/** Largest double with a half form, and the least with one that is not subnormal. */
const HALF_MAX = 65_504
const HALF_MIN = 2 ** -14
const HALF_SUBNORMAL_MIN = 2 ** -24

const double = new DataView(new ArrayBuffer(8))

/** Keeps its buffer between items, so one is not used for two items at a time. */
export class CborEncoder {
  #bytes: Buffer = Buffer.allocUnsafeSlow(limits.slabBytesMax)
  #at = 0
  #undefinedAtDepth = NEVER

  /** Bytes that it keeps. */
  get capacity(): number {
    return this.#bytes.length
  }

  /** Bytes of `item`, made by `slabBytes`. */
  encode(item: unknown, undefinedAtDepth: number = NEVER): Uint8Array {
    this.#at = 0
    this.#undefinedAtDepth = undefinedAtDepth
    this.#item(item, 0)
    const encoded = slabBytes(this.#at)
    encoded.set(this.#bytes.subarray(0, this.#at))
    return encoded
  }

  /** `depth` containers are around the item. */
  #item(item: unknown, depth: number): void {
    switch (typeof item) {
      case 'string':
        return this.#text(item)
      case 'number':
        return this.#number(item)
      case 'boolean':
        return this.#byte(item ? FIRST.true : FIRST.false)
      case 'bigint':
        return this.#bigint(item)
      case 'undefined':
        if (depth !== this.#undefinedAtDepth) throw refuse('undefined is no value')
        return this.#byte(FIRST.undefined)
      case 'object':
        return item === null ? this.#byte(FIRST.null) : this.#object(item, depth)
      default:
        throw refuse(`${typeof item} is no value`)
    }
  }

  #object(item: object, depth: number): void {
    if (item instanceof Uint8Array) return this.#byteString(item)
    if (depth >= limits.cborDepthMax) throw refuse(`nested deeper than ${limits.cborDepthMax}`)
    if (Array.isArray(item)) {
      this.#head(MAJOR.array, item.length)
      // Not `forEach`, which skips holes: a hole reads as undefined and is treated like one.
      for (let at = 0; at < item.length; at += 1) this.#item(item[at], depth + 1)
    } else if (item instanceof Uuid) {
      this.#reserve(3 + UUID_BYTES)
      this.#bytes[this.#at] = FIRST.tagOfOneByte
      this.#bytes[this.#at + 1] = TAG_UUID
      this.#bytes[this.#at + 2] = MAJOR.bytes | UUID_BYTES
      item.copyTo(this.#bytes, this.#at + 3)
      this.#at += 3 + UUID_BYTES
    } else if (item instanceof Date) {
      this.#date(item)
    } else {
      this.#map(item, depth)
    }
  }

  #map(item: object, depth: number): void {
    if (!isPlainObject(item)) throw refuse('an object with a class is no value')
    const names = sortedNames(item)
    this.#head(MAJOR.map, names.length)
    for (const name of names) {
      const value = item[name]
      if (value === undefined) throw refuse('undefined is no value')
      this.#text(name)
      this.#item(value, depth + 1)
    }
  }

  #date(date: Date): void {
    const ms = date.getTime()
    const problem = dateProblem(ms)
    if (problem !== undefined) throw refuse(problem)
    this.#byte(FIRST.date)
    const seconds = ms / 1000
    if (Number.isInteger(seconds)) this.#integer(seconds)
    else this.#double(seconds)
  }

  #number(value: number): void {
    if (Number.isSafeInteger(value) && !Object.is(value, -0)) this.#integer(value)
    else this.#double(value)
  }

  #integer(value: number): void {
    if (value < 0) this.#head(MAJOR.negint, -1 - value)
    else this.#head(MAJOR.uint, value)
  }

  #bigint(value: bigint): void {
    const problem = integerProblem(value)
    if (problem !== undefined) throw refuse(problem)
    const major = value < 0n ? MAJOR.negint : MAJOR.uint
    const size = value < 0n ? -1n - value : value
    if (size <= Number.MAX_SAFE_INTEGER) this.#head(major, Number(size))
    else this.#longHead(major, Number(size >> 32n), Number(size & 0xffff_ffffn))
  }

  #double(value: number): void {
    this.#reserve(HEAD_BYTES_MAX)
    const half = halfOf(value)
    const bytes = this.#bytes
    const at = this.#at
    if (half !== undefined) {
      bytes[at] = FIRST.float16
      bytes[at + 1] = half >>> 8
      bytes[at + 2] = half
      this.#at = at + 3
    } else if (Math.fround(value) === value) {
      double.setFloat32(0, value)
      bytes[at] = FIRST.float32
      writeU32(bytes, at + 1, double.getUint32(0))
      this.#at = at + 5
    } else {
      double.setFloat64(0, value)
      bytes[at] = FIRST.float64
      writeU32(bytes, at + 1, double.getUint32(0))
      writeU32(bytes, at + 5, double.getUint32(4))
      this.#at = at + 9
    }
  }

  #text(text: string): void {
    if (text.length > LOOP_UNITS || !this.#ascii(text)) this.#utf8(text)
  }

  /** False, with nothing written, when the text is longer in UTF-8 than in units. */
  #ascii(text: string): boolean {
    const { length } = text
    this.#reserve(1 + length)
    const bytes = this.#bytes
    const start = this.#at + 1
    for (let at = 0; at < length; at += 1) {
      const unit = text.charCodeAt(at)
      if (unit > 0x7f) return false
      bytes[start + at] = unit
    }
    bytes[this.#at] = MAJOR.text | length
    this.#at = start + length
    return true
  }

  #utf8(text: string): void {
    if (!isWellFormed(text)) throw refuse('the text has a lone surrogate')
    this.#reserve(HEAD_BYTES_MAX + text.length * UTF8_BYTES_PER_UNIT)
    const guess = headBytes(text.length)
    const start = this.#at + guess
    const length = this.#bytes.write(text, start)
    const excess = headBytes(length) - guess
    if (excess > 0) this.#bytes.copyWithin(start + excess, start, start + length)
    this.#head(MAJOR.text, length)
    this.#at += length
  }

  #byteString(value: Uint8Array): void {
    const { length } = value
    this.#head(MAJOR.bytes, length)
    this.#reserve(length)
    if (length > LOOP_BYTES) this.#bytes.set(value, this.#at)
    else for (let at = 0; at < length; at += 1) this.#bytes[this.#at + at] = value[at] as number
    this.#at += length
  }

  /** A first byte and its argument, a safe integer, in as few bytes as it needs. */
  #head(major: number, argument: number): void {
    this.#reserve(HEAD_BYTES_MAX)
    const bytes = this.#bytes
    const at = this.#at
    if (argument < 24) {
      bytes[at] = major | argument
      this.#at = at + 1
    } else if (argument < 2 ** 8) {
      bytes[at] = major | 24
      bytes[at + 1] = argument
      this.#at = at + 2
    } else if (argument < 2 ** 16) {
      bytes[at] = major | 25
      bytes[at + 1] = argument >>> 8
      bytes[at + 2] = argument
      this.#at = at + 3
    } else if (argument < U32) {
      bytes[at] = major | 26
      writeU32(bytes, at + 1, argument)
      this.#at = at + 5
    } else {
      this.#longHead(major, Math.floor(argument / U32), argument % U32)
    }
  }

  #longHead(major: number, high: number, low: number): void {
    this.#reserve(HEAD_BYTES_MAX)
    this.#bytes[this.#at] = major | 27
    writeU32(this.#bytes, this.#at + 1, high)
    writeU32(this.#bytes, this.#at + 5, low)
    this.#at += HEAD_BYTES_MAX
  }

  #byte(value: number): void {
    this.#reserve(1)
    this.#bytes[this.#at] = value
    this.#at += 1
  }

  #reserve(length: number): void {
    const end = this.#at + length
    if (end <= this.#bytes.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(end, this.#bytes.length * 2))
    grown.set(this.#bytes.subarray(0, this.#at))
    this.#bytes = grown
  }
}

function headBytes(argument: number): number {
  return argument < 24 ? 1 : argument < 2 ** 8 ? 2 : argument < 2 ** 16 ? 3 : 5
}

/**
 * The bits of a half-precision double, or undefined where that would change the value. Of the subnormal ones only powers of two have
 * their half form; the others take four bytes.
 */
function halfOf(value: number): number | undefined {
  if (Number.isNaN(value)) return 0x7e00
  const size = Math.abs(value)
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0
  if (size === 0) return sign
  if (size === Infinity) return sign | 0x7c00
  if (size > HALF_MAX || size < HALF_SUBNORMAL_MIN || Math.fround(size) !== size) return undefined
  double.setFloat32(0, size)
  const bits = double.getUint32(0)
  const exponent = (bits >>> 23) - 127
  const fraction = bits & 0x7f_ffff
  if (size < HALF_MIN) return fraction === 0 ? sign | (1 << (exponent + 24)) : undefined
  return (fraction & 0x1fff) === 0 ? sign | ((exponent + 15) << 10) | (fraction >>> 13) : undefined
}
