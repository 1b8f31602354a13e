/** Arguments of `createIndex`. Invariant: a definition that passes is one that the database can keep; everything else is a `TypeError`. */
import { isPlainObject, limits } from '../../../runtime/index.ts'
import { idProblem } from '../../database/index.ts'
import type { IndexDefinition } from '../../database/index.ts'
import type { WaitOptions } from '../deadline.ts'
import { checkPaths } from './field-path.ts'

export interface IndexOptions extends WaitOptions {
  /** No two records have the same values, as long as they are written here; another device may still write such. Default false. */
  readonly unique?: boolean
  /** Default: the fields, joined by commas. */
  readonly name?: string
}

export interface ParsedIndex {
  readonly definition: IndexDefinition
  readonly options: WaitOptions
}

/** Takes `(fields, options?)`, or the fields one by one. */
export function parseIndex(collection: string, input: readonly unknown[]): ParsedIndex {
  const [first, second, ...others] = input
  const isOne = Array.isArray(first) || input.length < 2 || typeof second !== 'string'
  const fields: readonly unknown[] = isOne ? (Array.isArray(first) ? [...first] : [first]) : input
  const given = isOne ? (second ?? {}) : {}
  if (isOne && others.length > 0) throw new TypeError('createIndex: expected fields, then options')
  if (!isPlainObject(given)) throw new TypeError('createIndex: expected options as a plain object')
  checkPaths('createIndex', fields, limits.indexFieldsMax)
  if (fields.includes('id')) throw new TypeError('createIndex: records are found by id without an index')
  const { unique = false, name = fields.join(','), ...options } = given
  if (typeof unique !== 'boolean') throw new TypeError('createIndex: unique: expected true or false')
  if (typeof name !== 'string') throw new TypeError('createIndex: name: expected text')
  const problem = idProblem(name)
  if (problem !== undefined) throw new TypeError(`createIndex: name: ${problem}`)
  return { definition: { name, collection, fields, unique }, options }
}
