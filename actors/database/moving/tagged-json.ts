/**
 * Values as JSON without loss: what JSON lacks is an object of one member whose name begins with `$` (docs/export.md has the table).
 * Invariant: `parseTagged(formatTagged(value))` is the value; a map that looks like one of these objects is wrapped in `$map`.
 */
import { BlazeError, isPlainObject, limits, setOwn, Uuid } from '../../../runtime/index.ts'
import type { Value } from '../../../runtime/index.ts'

/** What `JSON.parse` gives, and `JSON.stringify` takes. */
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json }

const SPECIAL_NUMBERS: ReadonlyMap<string, number> = new Map([
  ['NaN', NaN],
  ['Infinity', Infinity],
  ['-Infinity', -Infinity],
  ['-0', -0],
])
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
const INTEGER = /^-?\d+$/

export function formatTagged(value: Value): Json {
  switch (typeof value) {
    case 'number':
      return formatNumber(value)
    case 'bigint':
      return { $bigint: String(value) }
    case 'object':
      return value === null ? null : formatObject(value)
    default:
      return value
  }
}

function formatNumber(value: number): Json {
  if (Number.isFinite(value) && !Object.is(value, -0) && !isLargeInteger(value)) return value
  return { $number: Object.is(value, -0) ? '-0' : String(value) }
}

/** A double whose JSON may look like an integer that no double holds. */
function isLargeInteger(value: number): boolean {
  return Number.isInteger(value) && !Number.isSafeInteger(value)
}

function formatObject(value: Exclude<Value, null | boolean | number | bigint | string>): Json {
  if (Array.isArray(value)) return value.map(formatTagged)
  if (value instanceof Uint8Array) {
    return { $bytes: Buffer.from(value.buffer, value.byteOffset, value.length).toString('base64') }
  }
  if (value instanceof Date) return { $date: value.toISOString() }
  if (value instanceof Uuid) return { $uuid: value.toString() }
  const map: { [name: string]: Json } = {}
  for (const [name, item] of Object.entries(value)) setOwn(map, name, formatTagged(item))
  return isTag(map) ? { $map: map } : map
}

/** `BAD_VALUE` for a tag that `formatTagged` does not make. What it returns is a value but for its exact depth, and size. */
export function parseTagged(json: Json): Value {
  return parseNested(json, 0)
}

function parseNested(json: Json, depth: number): Value {
  if (json === null || typeof json !== 'object') return json
  // A map that looks like a tag stands in one, which is a level of its own.
  if (depth > 2 * limits.valueDepthMax)
    throw new BlazeError('BAD_VALUE', `nested deeper than ${limits.valueDepthMax}`)
  if (Array.isArray(json)) return json.map((item) => parseNested(item, depth + 1))
  return isTag(json) ? parseTag(json, depth) : parseMap(json, depth)
}

function parseMap(json: { [name: string]: Json }, depth: number): Value {
  const map: { [name: string]: Value } = {}
  for (const [name, item] of Object.entries(json)) setOwn(map, name, parseNested(item, depth + 1))
  return map
}

function isTag(map: { [name: string]: Json }): boolean {
  const [name, ...more] = Object.keys(map)
  return name !== undefined && more.length === 0 && name.startsWith('$')
}

function parseTag(json: { [name: string]: Json }, depth: number): Value {
  const [name = '', content = null] = Object.entries(json)[0] ?? []
  if (name === '$map' && isPlainObject(content))
    return parseMap(json['$map'] as { [name: string]: Json }, depth + 1)
  if (typeof content === 'string') {
    const value = parseText(name, content)
    if (value !== undefined) return value
  }
  throw new BlazeError('BAD_VALUE', `{ ${JSON.stringify(name.slice(0, 40))}: … } stands for no value`)
}

function parseText(name: string, text: string): Value | undefined {
  switch (name) {
    case '$number':
      return SPECIAL_NUMBERS.get(text) ?? parseLargeInteger(text)
    case '$bigint':
      return INTEGER.test(text) && text.length <= 20 ? BigInt(text) : undefined
    case '$bytes':
      return BASE64.test(text) ? new Uint8Array(Buffer.from(text, 'base64')) : undefined
    case '$date':
      return parseDate(text)
    case '$uuid':
      return parseUuid(text)
    default:
      return undefined
  }
}

function parseLargeInteger(text: string): number | undefined {
  const value = Number(text)
  return isLargeInteger(value) && String(value) === text ? value : undefined
}

function parseDate(text: string): Date | undefined {
  const date = new Date(text)
  // Only the one form: others depend on the time zone of the machine.
  return Number.isNaN(date.getTime()) || date.toISOString() !== text ? undefined : date
}

function parseUuid(text: string): Uuid | undefined {
  try {
    return Uuid.parse(text)
  } catch (error) {
    if (error instanceof TypeError) return undefined
    throw error
  }
}
