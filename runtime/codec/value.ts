/**
 * The values a record may hold, checked and copied at the door.
 * Invariant: what `copyValue` returned shares nothing with the caller and can be encoded; everything else was `BAD_VALUE`.
 */
import { BlazeError } from '../errors.ts'
import { limits } from '../limits.ts'
import { equalBytes } from './bytes.ts'
import { Uuid } from './uuid.ts'

/** Integers beyond 2^53 are bigints, within ±2^63; a bigint that is a safe integer reads back as a number. */
export type Value =
  null | boolean | number | bigint | string | Uint8Array | Date | Uuid | Value[] | { [name: string]: Value }

/** Both bounds of a bigint. */
const INT_MIN = -(2n ** 63n)
const INT_MAX = 2n ** 63n - 1n
/** Milliseconds, either side of the epoch, for which seconds as a double give the same date back: about 71,000 years. */
const DATE_MS_MAX = 2 ** 51

/** What is left of the copy that is being made: bytes that its CBOR takes at least. */
let room = 0

/**
 * A deep copy of `input`. `BAD_VALUE` names the place: unknown type, lone surrogate, too deep, out of range, undefined. `TOO_LARGE` once
 * it is clear that its CBOR exceeds `bytesMax`, so that a small web of shared objects does not become a huge tree.
 */
export function copyValue(input: unknown, place: string, bytesMax: number = limits.copiedBytesMax): Value {
  room = bytesMax
  return copy(input, place, 0)
}

/** A deep copy of a value that is known to be good. */
export function cloneValue(value: Value): Value {
  if (value === null || typeof value !== 'object' || value instanceof Uuid) return value
  if (value instanceof Uint8Array) return new Uint8Array(value)
  if (value instanceof Date) return new Date(value.getTime())
  if (Array.isArray(value)) return value.map(cloneValue)
  const out: { [name: string]: Value } = {}
  for (const [name, item] of Object.entries(value)) setOwn(out, name, cloneValue(item))
  return out
}

/** Same type and content; 0 and −0 differ, NaN equals itself. */
export function equalValue(a: Value, b: Value): boolean {
  if (Object.is(a, b)) return true
  if (a === null || b === null || typeof a !== 'object' || typeof b !== 'object') return false
  if (a instanceof Uint8Array) return b instanceof Uint8Array && equalBytes(a, b)
  if (a instanceof Date) return b instanceof Date && a.getTime() === b.getTime()
  if (a instanceof Uuid) return b instanceof Uuid && a.equals(b)
  if (Array.isArray(a)) {
    return (
      Array.isArray(b) && a.length === b.length && a.every((item, at) => equalValue(item, b[at] as Value))
    )
  }
  if (b instanceof Uint8Array || b instanceof Date || b instanceof Uuid || Array.isArray(b)) return false
  const names = Object.keys(a)
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => Object.hasOwn(b, name) && equalValue(a[name] as Value, b[name] as Value))
  )
}

/** Sets an own property of any name; `__proto__` is a name like others. */
export function setOwn<T>(target: { [name: string]: T }, name: string, value: T): void {
  if (name === '__proto__') {
    Object.defineProperty(target, name, { value, configurable: true, enumerable: true, writable: true })
  } else {
    target[name] = value
  }
}

/** True for text without lone surrogates, which UTF-8 cannot carry. */
export function isWellFormed(text: string): boolean {
  // In every Node that the project runs on; the library declarations of this language level lack it.
  return (text as unknown as { isWellFormed(): boolean }).isWellFormed()
}

/** True for an object made by `{}` or `Object.create(null)`, nothing with a class. */
export function isPlainObject(input: unknown): input is { [name: string]: unknown } {
  if (input === null || typeof input !== 'object') return false
  const prototype: unknown = Object.getPrototypeOf(input)
  return prototype === null || prototype === Object.prototype
}

/** Why a date cannot be stored, or undefined. */
export function dateProblem(ms: number): string | undefined {
  return Number.isNaN(ms) || Math.abs(ms) > DATE_MS_MAX
    ? 'the date is invalid or beyond 71,000 years'
    : undefined
}

/** Why an integer cannot be stored, or undefined. */
export function integerProblem(value: bigint): string | undefined {
  return value < INT_MIN || value > INT_MAX ? 'the integer needs more than 64 bits' : undefined
}

function copy(input: unknown, place: string, depth: number): Value {
  take(1, place)
  switch (typeof input) {
    case 'boolean':
    case 'number':
      return input
    case 'bigint': {
      const problem = integerProblem(input)
      if (problem !== undefined) throw bad(place, problem)
      return input >= Number.MIN_SAFE_INTEGER && input <= Number.MAX_SAFE_INTEGER ? Number(input) : input
    }
    case 'string':
      take(input.length, place)
      if (!isWellFormed(input)) throw bad(place, 'the text has a lone surrogate')
      return input
    case 'object':
      return input === null ? null : copyObject(input, place, depth)
    default:
      throw bad(place, `${typeof input} is no value`)
  }
}

function copyObject(input: object, place: string, depth: number): Value {
  if (input instanceof Uint8Array) {
    take(input.length, place)
    return new Uint8Array(input)
  }
  if (input instanceof Uuid) return input
  if (input instanceof Date) {
    const problem = dateProblem(input.getTime())
    if (problem !== undefined) throw bad(place, problem)
    return new Date(input.getTime())
  }
  if (depth >= limits.valueDepthMax) throw bad(place, `nested deeper than ${limits.valueDepthMax}`)
  if (Array.isArray(input)) return copyArray(input, place, depth)
  if (!isPlainObject(input)) throw bad(place, 'an object with a class is no value')
  if (hasSymbols(input)) throw bad(place, 'a symbol is no name')
  const out: { [name: string]: Value } = {}
  for (const name of Object.keys(input)) {
    if (!isWellFormed(name)) throw bad(place, 'a name has a lone surrogate')
    setOwn(out, name, copy(input[name], `${place}.${name}`, depth + 1))
  }
  return out
}

function copyArray(input: readonly unknown[], place: string, depth: number): Value[] {
  if (Object.getPrototypeOf(input) !== Array.prototype) throw bad(place, 'an array with a class is no value')
  const { length } = input
  // Not `map`, which skips holes: a hole reads as undefined and is refused like one.
  const out = Array.from({ length }, (_item, at) => copy(input[at], `${place}[${at}]`, depth + 1))
  if (Object.keys(input).length !== length || hasSymbols(input)) throw bad(place, 'an array has items only')
  return out
}

/** Names that are symbols would be lost. */
function hasSymbols(input: object): boolean {
  return Object.getOwnPropertySymbols(input).length > 0
}

function take(bytes: number, place: string): void {
  room -= bytes
  if (room < 0) throw new BlazeError('TOO_LARGE', `${place.slice(0, 200)}: the value is too large`)
}

function bad(place: string, problem: string): BlazeError {
  return new BlazeError('BAD_VALUE', `${place.slice(0, 200)}: ${problem}`)
}
