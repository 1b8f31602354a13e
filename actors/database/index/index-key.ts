/**
 * Lists of values as keys of an index: texts of one char per byte (latin-1) that sort as the values do (`compareValues`).
 * Invariant: each value delimits itself, so no key of n values begins another one of n values; a key that was cut sorts where it
 * begins, so ranges over keys never miss a match, and hold others too only where a key was cut.
 */
import { limits, Uuid } from '../../../runtime/index.ts'
import type { Value } from '../../../runtime/index.ts'

export interface IndexKey {
  readonly key: string
  /** It has `indexKeyBytesMax`, the rest was left out: other values may have the same key. */
  readonly cut: boolean
}

/** Full keys (key and id) from `gte` on and before `lt`; undefined for no end. */
export interface KeyRange {
  readonly gte: string
  readonly lt: string | undefined
}

/** What a range asks of the field after the equal ones. */
export interface KeyBound {
  readonly op: '<' | '<=' | '>' | '>=' | 'prefix'
  /** For `prefix` a text. */
  readonly value: Value
}

/** First byte of a value, in the order of types. What follows a value in a full key is one of them, or the id. */
const ABSENT = '\x01'
const NULL = '\x02'
const FALSE = '\x03'
const TRUE = '\x04'
const NUMBER = '\x05'
const TEXT = '\x06'
const BYTES = '\x07'
const DATE = '\x08'
const UUID = '\x09'
const ARRAY = '\x0a'
const MAP = '\x0b'
const END = '\x00'
/** An `END` that is not one: the byte 0 in a text or in bytes. */
const ESCAPED_ZERO = '\x00\xff'
/** Follows no value in a full key: with it ends the range of all keys that begin with some values. */
export const KEY_END = '\xff'

/** First byte of a number. A positive one is `POSITIVE` + its exponent for 1 to 64, with two more bytes for other exponents. */
const NAN = '\x00'
const MINUS_INFINITY = '\x01'
const ZERO = '\x80'
const POSITIVE = 0x82
const EXPONENT_MAX_SHORT = 64
const INFINITE = '\xfe'

/** Undefined stands for an absent field, which sorts before null. */
export function encodeIndexKey(values: readonly (Value | undefined)[]): IndexKey {
  let key = ''
  for (const value of values) {
    key += encodeValue(value)
    // One that just fits leaves no room for what follows, so bounds on that would mean nothing.
    if (key.length >= limits.indexKeyBytesMax)
      return { key: key.slice(0, limits.indexKeyBytesMax), cut: true }
  }
  return { key, cut: false }
}

/** A text, alone or as the end of a full key: sorts by UTF-16 code unit, and has no byte above 0xef. */
export function encodeIndexId(id: string): string {
  return isAscii(id) ? id : encodeUnits(id)
}

/** The full keys of entries whose first fields equal `equal`, and whose next field is within all bounds. */
export function keyRange(equal: readonly Value[], bounds: readonly KeyBound[]): KeyRange {
  const start = encodeIndexKey(equal)
  let gte = start.key
  let lt = gte === '' ? undefined : gte + KEY_END
  // Once the equal part was cut, nothing of the bounds is in the keys.
  if (start.cut) return { gte, lt }
  for (const bound of bounds) {
    const range = boundRange(equal, start.key, bound)
    if (range.gte > gte) gte = range.gte
    if (range.lt !== undefined && (lt === undefined || range.lt < lt)) lt = range.lt
  }
  return { gte, lt }
}

/** No key is in it. */
export function isEmptyRange({ gte, lt }: KeyRange): boolean {
  return lt !== undefined && gte >= lt
}

function boundRange(equal: readonly Value[], start: string, { op, value }: KeyBound): KeyRange {
  if (op === 'prefix') {
    const key = (start + TEXT + encodeText(typeof value === 'string' ? value : '')).slice(
      0,
      limits.indexKeyBytesMax,
    )
    return { gte: key, lt: afterAllWith(key) }
  }
  const { key, cut } = encodeIndexKey([...equal, value])
  switch (op) {
    case '>':
      // A cut key may belong to something that is greater.
      return { gte: cut ? key : key + KEY_END, lt: undefined }
    case '>=':
      return { gte: key, lt: undefined }
    case '<':
      // An absent field is not less than anything.
      return { gte: start + NULL, lt: cut ? key + KEY_END : key }
    case '<=':
      return { gte: start + NULL, lt: key + KEY_END }
  }
}

/** The lowest text that is above all that begin with `prefix`. */
function afterAllWith(prefix: string): string {
  let length = prefix.length
  while (prefix[length - 1] === KEY_END) length -= 1
  return prefix.slice(0, length - 1) + String.fromCharCode(prefix.charCodeAt(length - 1) + 1)
}

/** May stop early once it is longer than any key. */
function encodeValue(value: Value | undefined): string {
  switch (typeof value) {
    case 'undefined':
      return ABSENT
    case 'boolean':
      return value ? TRUE : FALSE
    case 'number':
      return NUMBER + encodeNumber(value)
    case 'bigint':
      return NUMBER + encodeBigint(value)
    case 'string':
      return TEXT + encodeText(value) + END
    default:
  }
  if (value === null) return NULL
  if (value instanceof Uint8Array) return BYTES + encodeBytes(value) + END
  if (value instanceof Date) return DATE + encodeNumber(value.getTime())
  if (value instanceof Uuid) return UUID + latin1(value.bytes)
  if (Array.isArray(value)) return encodeList(ARRAY, value)
  return encodeList(MAP, flatten(value))
}

function encodeList(rank: string, items: Iterable<Value>): string {
  let key = rank
  for (const item of items) {
    if (key.length > limits.indexKeyBytesMax) return key
    key += encodeValue(item)
  }
  return key + END
}

function* flatten(map: { [name: string]: Value }): Generator<Value> {
  for (const name of Object.keys(map).sort()) {
    yield name
    yield map[name] as Value
  }
}

function encodeText(text: string): string {
  // Each code unit takes a byte at least.
  const head = text.length > limits.indexKeyBytesMax ? text.slice(0, limits.indexKeyBytesMax + 1) : text
  const bytes = isAscii(head) ? head : encodeUnits(head)
  return bytes.includes('\0') ? bytes.replaceAll('\0', ESCAPED_ZERO) : bytes
}

function encodeBytes(bytes: Uint8Array): string {
  const text = latin1(bytes.subarray(0, limits.indexKeyBytesMax + 1))
  return text.includes('\0') ? text.replaceAll('\0', ESCAPED_ZERO) : text
}

/** CESU-8: as UTF-8, but each surrogate by itself, for the order of code units is not the order of code points. */
function encodeUnits(text: string): string {
  let key = ''
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at)
    if (unit < 0x80) key += text[at]
    else if (unit < 0x800) key += String.fromCharCode(0xc0 | (unit >> 6), 0x80 | (unit & 0x3f))
    else {
      key += String.fromCharCode(0xe0 | (unit >> 12), 0x80 | ((unit >> 6) & 0x3f), 0x80 | (unit & 0x3f))
    }
  }
  return key
}

function encodeNumber(value: number): string {
  if (value > 0) return value === Infinity ? INFINITE : encodePositive(value)
  if (value < 0) return value === -Infinity ? MINUS_INFINITY : complement(encodePositive(-value))
  return value === 0 ? ZERO : NAN
}

function encodeBigint(value: bigint): string {
  if (BigInt.asIntN(53, value) === value) return encodeNumber(Number(value))
  const bits = (value < 0n ? -value : value).toString(2)
  const fraction = bits.slice(1).replace(/0+$/, '')
  let key = encodeExponent(bits.length)
  let at = 0
  do {
    const group = Number.parseInt(fraction.slice(at, at + 7).padEnd(7, '0'), 2)
    at += 7
    key += String.fromCharCode(group * 2 + (at < fraction.length ? 1 : 0))
  } while (at < fraction.length)
  return value < 0n ? complement(key) : key
}

/** Exponent, then the bits below the highest one: seven to a byte, whose last bit says that more follow. */
function encodePositive(value: number): string {
  const exponent = exponentOf(value)
  let key = encodeExponent(exponent)
  // In two steps, because neither 2^1073 nor 2^-1074 alone takes every value into [1, 2).
  const half = exponent >> 1
  let fraction = value / 2 ** half / 2 ** (exponent - 1 - half) - 1
  do {
    fraction *= 128
    const group = Math.floor(fraction)
    fraction -= group
    key += String.fromCharCode(group * 2 + (fraction > 0 ? 1 : 0))
  } while (fraction > 0)
  return key
}

function encodeExponent(exponent: number): string {
  if (exponent >= 1 && exponent <= EXPONENT_MAX_SHORT) return String.fromCharCode(POSITIVE + exponent)
  const first = exponent < 1 ? POSITIVE : POSITIVE + EXPONENT_MAX_SHORT + 1
  const offset = exponent + 0x8000
  return String.fromCharCode(first, offset >> 8, offset & 0xff)
}

const float = new DataView(new ArrayBuffer(8))

/** `e` with 2^(e−1) ≤ value < 2^e. */
function exponentOf(value: number): number {
  if (value >= 1 && value <= 0xffffffff) return 32 - Math.clz32(value)
  float.setFloat64(0, value)
  const biased = float.getUint16(0) >> 4
  // A subnormal one has no exponent of its own.
  return biased === 0 ? exponentOf(value * 2 ** 64) - 64 : biased - 1022
}

function complement(key: string): string {
  let result = ''
  for (let at = 0; at < key.length; at += 1) result += String.fromCharCode(0xff - key.charCodeAt(at))
  return result
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}

function isAscii(text: string): boolean {
  // oxlint-disable-next-line no-control-regex
  return /^[\x00-\x7f]*$/.test(text)
}
