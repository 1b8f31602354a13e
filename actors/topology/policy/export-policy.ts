/**
 * What other apps may see and change of a database, as data.
 * Invariant: the rules are a checked, frozen copy; a name that could not mean anything is a `TypeError`, because a rule with a
 * typing error would share what its author wanted to keep.
 */
import { isPlainObject, limits, setOwn } from '../../../runtime/index.ts'
import { fieldNameProblem, openCollectionProblem, parseFilter } from '../../database/index.ts'
import type { Filter } from '../../database/index.ts'

/** Names of top-level fields, for all collections or by collection. */
export type Fields = readonly string[] | Readonly<Record<string, readonly string[]>>

export interface ExportPolicyOptions {
  /** At least one; nothing else is shared. */
  readonly collections: readonly string[]
  /** A field is shared when `include` is absent for its collection or names it, and `exclude` does not. `id` always is. */
  readonly fields?: { readonly include?: Fields; readonly exclude?: Fields }
  /** By collection: only records for which it holds. It sees the whole record, fields that are not shared included. */
  readonly filter?: Readonly<Record<string, Filter>>
  /** Refuses every write of a guest. Default false. */
  readonly readOnly?: boolean
}

/** What the options say, checked. Plain data. */
export interface ExportRules {
  readonly collections: readonly string[]
  readonly include: Fields | undefined
  readonly exclude: Fields | undefined
  readonly filter: Readonly<Record<string, Filter>>
  readonly readOnly: boolean
}

/** Rules for sharing a database with other apps of this device. `TypeError` names the option that is wrong. */
export class ExportPolicy {
  readonly rules: ExportRules

  constructor(options: ExportPolicyOptions) {
    const input = checkKeys(options, 'options', ['collections', 'fields', 'filter', 'readOnly'])
    const collections = readNames(input['collections'], 'collections', {
      max: limits.exportCollectionsMax,
      problem: openCollectionProblem,
    })
    if (collections.length === 0) throw new TypeError('collections: expected at least one name')
    const fields =
      input['fields'] === undefined ? {} : checkKeys(input['fields'], 'fields', ['include', 'exclude'])
    const readOnly = input['readOnly'] === undefined ? false : input['readOnly']
    if (typeof readOnly !== 'boolean')
      throw new TypeError(`readOnly: expected a boolean, got ${typeof readOnly}`)
    this.rules = Object.freeze({
      collections,
      include: readFields(fields['include'], 'fields.include', { collections, read: readIncluded }),
      exclude: readFields(fields['exclude'], 'fields.exclude', { collections, read: readFieldNames }),
      filter: readFilters(input['filter'], collections),
      readOnly,
    })
    Object.freeze(this)
  }
}

function readFields(
  input: unknown,
  what: string,
  o: { readonly collections: readonly string[]; readonly read: typeof readFieldNames },
): Fields | undefined {
  if (input === undefined) return undefined
  if (Array.isArray(input)) return o.read(input, what)
  if (!isPlainObject(input)) throw new TypeError(`${what}: expected a list of fields, or one by collection`)
  return byCollection(input, what, o)
}

function readFilters(input: unknown, collections: readonly string[]): Readonly<Record<string, Filter>> {
  if (input === undefined) return Object.freeze({})
  if (!isPlainObject(input)) throw new TypeError('filter: expected an object of filters by collection')
  return byCollection(input, 'filter', { collections, read: parseFilter })
}

function byCollection<T>(
  input: { [name: string]: unknown },
  what: string,
  o: { readonly collections: readonly string[]; readonly read: (item: unknown, what: string) => T },
): Readonly<Record<string, T>> {
  const out: Record<string, T> = {}
  for (const collection of Object.keys(input)) {
    const place = `${what}.${shown(collection)}`
    if (!o.collections.includes(collection)) throw new TypeError(`${place}: collections does not name it`)
    const item = input[collection]
    if (item !== undefined) setOwn(out, collection, o.read(item, place))
  }
  return Object.freeze(out)
}

/** `id` may stand there: it is visible anyway. */
function readIncluded(input: unknown, what: string): readonly string[] {
  const problem = (name: string): string | undefined => (name === 'id' ? undefined : fieldProblem(name))
  return readNames(input, what, { max: limits.exportFieldsMax, problem })
}

function readFieldNames(input: unknown, what: string): readonly string[] {
  return readNames(input, what, { max: limits.exportFieldsMax, problem: fieldProblem })
}

function fieldProblem(name: string): string | undefined {
  // A path would keep nothing back: fields are shared whole or not at all.
  if (name.includes('.')) return 'only whole fields are shared or kept back, expected a name without dots'
  return fieldNameProblem(name)
}

function readNames(
  input: unknown,
  what: string,
  rule: { readonly max: number; readonly problem: (name: string) => string | undefined },
): readonly string[] {
  if (!Array.isArray(input)) throw new TypeError(`${what}: expected a list of names`)
  if (input.length > rule.max)
    throw new TypeError(`${what}: expected at most ${rule.max} names, got ${input.length}`)
  const names = new Set<string>()
  for (let at = 0; at < input.length; at += 1) {
    const name: unknown = input[at]
    if (typeof name !== 'string') throw new TypeError(`${what}[${at}]: expected text, got ${typeof name}`)
    const problem = names.has(name) ? 'it is named twice' : rule.problem(name)
    if (problem !== undefined) throw new TypeError(`${what}[${at}] ${shown(name)}: ${problem}`)
    names.add(name)
  }
  return Object.freeze([...names])
}

function checkKeys(input: unknown, what: string, known: readonly string[]): { [name: string]: unknown } {
  if (!isPlainObject(input)) throw new TypeError(`${what}: expected a plain object`)
  for (const key of Object.keys(input)) {
    if (!known.includes(key))
      throw new TypeError(`${what}: expected only ${known.join(', ')}, got ${shown(key)}`)
  }
  return input
}

function shown(name: string): string {
  return name.slice(0, 100)
}
