/**
 * Reads one CBOR item of the allow-list (RFC 8949), in one pass.
 * Invariant: nothing is built from a length or count before it was compared with the bytes that remain, no nesting passes
 * `limits.cborDepthMax`, and whatever is not on the list is `BAD_VALUE`. The item shares no memory with the bytes.
 */
import { limits } from '../limits.ts'
import { readU32 } from './bytes.ts'
import type { CborItem } from './cbor-item.ts'
import { FIRST, MAJOR, refuse, TAG_UUID } from './cbor-item.ts'
import { readText } from './cbor-text.ts'
import { Uuid } from './uuid.ts'
import type { Value } from './value.ts'
import { dateProblem, setOwn } from './value.ts'

const NEVER = -1
const UUID_BYTES = 16
const U32 = 2 ** 32
/** Upper halves of 64 bits: of the largest safe integer, and of the largest integer taken. */
const SAFE_HIGH = 2 ** 21 - 1
const INT_HIGH = 2 ** 31 - 1
/** Shorter copies are quicker byte by byte. */
const LOOP_BYTES = 24

const double = new DataView(new ArrayBuffer(8))

export class CborDecoder {
  readonly #bytes: Uint8Array
  readonly #undefinedAtDepth: number
  #at = 0

  constructor(bytes: Uint8Array, undefinedAtDepth: number = NEVER) {
    this.#bytes = bytes
    this.#undefinedAtDepth = undefinedAtDepth
  }

  /** The item that the bytes are. */
  decode(): CborItem {
    const item = this.#item(0)
    if (this.#at !== this.#bytes.length) throw refuse('bytes follow the item')
    return item
  }

  /** `depth` containers are around the item. */
  #item(depth: number): CborItem {
    const first = this.#first()
    switch (first & 0xe0) {
      case MAJOR.uint:
        return this.#integer(first & 31, false)
      case MAJOR.negint:
        return this.#integer(first & 31, true)
      case MAJOR.bytes:
        return this.#byteString(this.#run(first))
      case MAJOR.text:
        return this.#text(first)
      case MAJOR.array:
        return this.#array(first, depth)
      case MAJOR.map:
        return this.#map(first, depth)
      case MAJOR.tag:
        return this.#tagged(first, depth)
      default:
        return this.#simple(first, depth)
    }
  }

  #array(first: number, depth: number): CborItem[] {
    const count = this.#length(first)
    this.#enter(count, depth)
    const items: CborItem[] = []
    for (let left = count; left > 0; left -= 1) items.push(this.#item(depth + 1))
    return items
  }

  #map(first: number, depth: number): { [name: string]: Value } {
    const count = this.#length(first)
    this.#enter(count * 2, depth)
    const map: { [name: string]: Value } = {}
    for (let left = count; left > 0; left -= 1) {
      const head = this.#first()
      if ((head & 0xe0) !== MAJOR.text) throw refuse('the key of a map is not text')
      const name = this.#text(head)
      if (Object.hasOwn(map, name)) throw refuse('a key comes twice in a map')
      const item = this.#item(depth + 1)
      if (item === undefined) throw refuse('undefined is no value')
      // A map and what it holds are values: only arrays around values may hold undefined.
      setOwn(map, name, item as Value)
    }
    return map
  }

  #tagged(first: number, depth: number): Date | Uuid {
    if (first === FIRST.date) {
      this.#enter(1, depth)
      return this.#date(this.#item(depth + 1))
    }
    if (first !== FIRST.tagOfOneByte || this.#first() !== TAG_UUID) throw refuse('the tag is not supported')
    this.#enter(1, depth)
    const head = this.#first()
    if ((head & 0xe0) !== MAJOR.bytes || this.#length(head) !== UUID_BYTES)
      throw refuse('a UUID has 16 bytes')
    const start = this.#skip(UUID_BYTES)
    return new Uuid(this.#bytes.subarray(start, start + UUID_BYTES))
  }

  #date(seconds: CborItem): Date {
    const ms = typeof seconds === 'number' ? Math.round(seconds * 1000) : Number.NaN
    const problem = dateProblem(ms)
    if (problem !== undefined) throw refuse(problem)
    return new Date(ms)
  }

  #simple(first: number, depth: number): CborItem {
    switch (first) {
      case FIRST.false:
        return false
      case FIRST.true:
        return true
      case FIRST.null:
        return null
      case FIRST.undefined:
        if (depth !== this.#undefinedAtDepth) throw refuse('undefined is no value')
        return undefined
      case FIRST.float16:
        return this.#half()
      case FIRST.float32:
        double.setUint32(0, readU32(this.#bytes, this.#skip(4)))
        return double.getFloat32(0)
      case FIRST.float64: {
        const at = this.#skip(8)
        double.setUint32(0, readU32(this.#bytes, at))
        double.setUint32(4, readU32(this.#bytes, at + 4))
        return double.getFloat64(0)
      }
      default:
        throw refuse('the item is of no kind that is supported')
    }
  }

  #half(): number {
    const at = this.#skip(2)
    const half = ((this.#bytes[at] as number) << 8) | (this.#bytes[at + 1] as number)
    const exponent = (half >> 10) & 31
    const fraction = half & 1023
    const size =
      exponent === 0
        ? fraction * 2 ** -24
        : exponent < 31
          ? (fraction + 1024) * 2 ** (exponent - 25)
          : fraction === 0
            ? Infinity
            : Number.NaN
    return half > 0x7fff ? -size : size
  }

  #integer(minor: number, negative: boolean): number | bigint {
    if (minor !== 27) {
      const size = this.#argument(minor)
      return negative ? -1 - size : size
    }
    const at = this.#skip(8)
    const high = readU32(this.#bytes, at)
    const low = readU32(this.#bytes, at + 4)
    if (high === 0) throw refuse('an integer takes more bytes than it needs')
    if (high > INT_HIGH) throw refuse('the integer needs more than 64 bits')
    // The lowest of 54 bits is no safe integer.
    if (high <= SAFE_HIGH && !(negative && high === SAFE_HIGH && low === U32 - 1)) {
      const size = high * U32 + low
      return negative ? -1 - size : size
    }
    const size = (BigInt(high) << 32n) | BigInt(low)
    return negative ? -1n - size : size
  }

  #text(first: number): string {
    const length = this.#run(first)
    const start = this.#skip(length)
    return readText(this.#bytes, start, start + length)
  }

  #byteString(length: number): Uint8Array {
    const start = this.#skip(length)
    const copy = new Uint8Array(length)
    if (length > LOOP_BYTES) copy.set(this.#bytes.subarray(start, start + length))
    else for (let at = 0; at < length; at += 1) copy[at] = this.#bytes[start + at] as number
    return copy
  }

  /** Refuses a container or tag of which not every item can have its byte, or that is nested too deep. */
  #enter(items: number, depth: number): void {
    if (items > this.#bytes.length - this.#at) throw refuse('a count exceeds the bytes that remain')
    if (depth >= limits.cborDepthMax) throw refuse(`nested deeper than ${limits.cborDepthMax}`)
  }

  /** Bytes of a byte string or text, all of them there. */
  #run(first: number): number {
    const length = this.#length(first)
    if (length > this.#bytes.length - this.#at) throw refuse('a length exceeds the bytes that remain')
    return length
  }

  #length(first: number): number {
    return this.#argument(first & 31)
  }

  /** What follows a first byte, in as few bytes as it needs. Lengths of eight bytes exceed any body. */
  #argument(minor: number): number {
    if (minor < 24) return minor
    let value = -1
    if (minor === 24) {
      value = this.#bytes[this.#skip(1)] as number
      if (value >= 24) return value
    } else if (minor === 25) {
      const at = this.#skip(2)
      value = ((this.#bytes[at] as number) << 8) | (this.#bytes[at + 1] as number)
      if (value >= 2 ** 8) return value
    } else if (minor === 26) {
      value = readU32(this.#bytes, this.#skip(4))
      if (value >= 2 ** 16) return value
    }
    throw refuse(
      value < 0 ? 'a length that is indefinite or of eight bytes' : 'a number takes more bytes than it needs',
    )
  }

  #first(): number {
    return this.#bytes[this.#skip(1)] as number
  }

  /** Where the next `length` bytes begin. */
  #skip(length: number): number {
    const at = this.#at
    if (length > this.#bytes.length - at) throw refuse('the item ends too early')
    this.#at = at + length
    return at
  }
}
