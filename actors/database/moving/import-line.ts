/**
 * One line of an import: what `export` wrote, or any JSON object as a record.
 * Invariant: a number that this machine cannot hold exactly is refused, never rounded; nothing of a line is used unless all of it is right.
 */
import { BlazeError, isPlainObject, setOwn } from '../../../runtime/index.ts'
import type { Value } from '../../../runtime/index.ts'
import { checkId, parseDoc } from '../record/document.ts'
import { openCollectionProblem } from '../record/name.ts'
import type { FieldValues } from '../record/record-change.ts'
import { lineError } from './line-reader.ts'
import type { Line } from './line-reader.ts'
import { parseTagged } from './tagged-json.ts'
import type { Json } from './tagged-json.ts'

export interface ImportedLine {
  readonly collection: string
  /** Undefined: one has to be made. */
  readonly id: string | undefined
  readonly values: FieldValues
}

/** Texts, which are skipped, and numbers. */
const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g
/** Fewer digits are always exact. */
const MANY_DIGITS = /\d{16}/
const EXPONENT = /\d[eE]/

/** Undefined for an empty line. `collection` takes the lines that name none. `IMPORT_INVALID`. */
export function parseLine(line: Line, collection: string | undefined): ImportedLine | undefined {
  const { number, text } = line
  if (text.trim().length === 0) return undefined
  let json: Json
  try {
    json = JSON.parse(text) as Json
  } catch (cause) {
    throw lineError(number, `it is no JSON: ${cause instanceof Error ? cause.message : String(cause)}`, cause)
  }
  if (!isPlainObject(json)) throw lineError(number, 'expected an object')
  checkNumbers(line)
  try {
    return isExported(json) ? parseExported(json) : parsePlain(json, collection)
  } catch (error) {
    if (error instanceof TypeError || isRefused(error)) throw lineError(number, error.message, error)
    throw error
  }
}

function isRefused(error: unknown): error is BlazeError {
  return error instanceof BlazeError && (error.code === 'BAD_VALUE' || error.code === 'TOO_LARGE')
}

interface Exported {
  readonly collection: string
  readonly id: string
  readonly fields: { [name: string]: Json }
}

function isExported(json: { readonly [name: string]: unknown }): json is Exported & typeof json {
  const { collection, id, fields } = json
  return (
    Object.keys(json).length === 3 &&
    typeof collection === 'string' &&
    typeof id === 'string' &&
    isPlainObject(fields)
  )
}

function parseExported({ collection, id, fields }: Exported): ImportedLine {
  if (Object.hasOwn(fields, 'id')) throw new TypeError('fields: id is no field')
  const doc: { [name: string]: Value } = {}
  for (const [name, item] of Object.entries(fields)) setOwn(doc, name, parseTagged(item))
  return { collection: checkCollection(collection), id: checkId(id), values: parseDoc(doc).values }
}

function parsePlain(
  json: { readonly [name: string]: unknown },
  collection: string | undefined,
): ImportedLine {
  if (collection === undefined) {
    throw new TypeError('expected { collection, id, fields }; for other objects, say into which collection')
  }
  return { collection, ...parseDoc(json) }
}

/** `TypeError` unless applications may write it. */
function checkCollection(name: string): string {
  const problem = openCollectionProblem(name)
  if (problem !== undefined) throw new TypeError(`collection: ${problem}`)
  return name
}

/** `JSON.parse` rounds silently, and reads 1e999 as Infinity. */
function checkNumbers({ number, text }: Line): void {
  if (!MANY_DIGITS.test(text) && !EXPONENT.test(text)) return
  for (const [token] of text.matchAll(TOKENS)) {
    if (token.startsWith('"')) continue
    const value = Number(token)
    const isInteger = !/[.eE]/.test(token)
    if (Number.isFinite(value) && (!isInteger || Number.isSafeInteger(value))) continue
    throw lineError(number, `the number ${token.slice(0, 40)} would not be kept exactly`)
  }
}
