/**
 * An export policy made ready: what it lets through, and what a guest may write under it.
 * Invariant: everything here is a pure function of the rules, so two hosts with equal rules have equal versions and verdicts.
 */
import { BlazeError, encodeCbor } from '../../../runtime/index.ts'
import type { CborItem, CryptoProvider } from '../../../runtime/index.ts'
import { compileFilter } from '../../database/index.ts'
import type { Filter, GuestPolicy, Predicate, RecordInput, RecordState } from '../../database/index.ts'
import type { ExportRules, Fields } from './export-policy.ts'

const VERSION_BYTES = 16

export interface CompiledPolicy {
  /** 16 bytes; equal for rules that mean the same whatever the order of their names (PROTOCOL §12). */
  readonly version: Uint8Array
  readonly readOnly: boolean
  readonly collections: readonly string[]
  exports(collection: string): boolean
  /** Of an exported collection. */
  fieldVisible(collection: string, field: string): boolean
  /** Alive, exported, and the filter holds. */
  visible(state: RecordState): boolean
  /** Only the visible fields, removed ones included. */
  project(state: RecordState): RecordState
}

export function compilePolicy(rules: ExportRules, crypto: CryptoProvider): CompiledPolicy {
  return new RulesInForce(rules, crypto)
}

/** What one guest may see and write. `readOnly`: by its grant or its own wish; `home`: see `homeOf`. */
export function guestPolicy(
  policy: CompiledPolicy,
  o: { readonly home: Uint8Array; readonly readOnly: boolean },
): GuestPolicy {
  const readOnly = o.readOnly || policy.readOnly
  return {
    home: o.home,
    check: (collection, inputs) => checkWrite(policy, collection, { readOnly, inputs }),
    visible: (state) => policy.visible(state),
    fieldVisible: (collection, field) => policy.fieldVisible(collection, field),
  }
}

function checkWrite(
  policy: CompiledPolicy,
  collection: string,
  o: { readonly readOnly: boolean; readonly inputs: readonly RecordInput[] },
): void {
  if (!policy.exports(collection)) {
    throw new BlazeError(
      'FORBIDDEN',
      `the export policy of the host does not share the collection ${collection}`,
      {
        details: { collection },
      },
    )
  }
  if (o.readOnly) {
    throw new BlazeError('READ_ONLY', 'the host shares this database with this app for reading only', {
      details: { collection },
    })
  }
  for (const { values } of o.inputs) {
    for (const field of values.keys()) {
      if (policy.fieldVisible(collection, field)) continue
      throw new BlazeError(
        'FORBIDDEN',
        `the export policy of the host does not share the field ${field.slice(0, 100)} of ${collection}`,
        { details: { collection, field } },
      )
    }
  }
}

interface CollectionRules {
  /** Undefined: all. */
  readonly include: ReadonlySet<string> | undefined
  readonly exclude: ReadonlySet<string>
  readonly filter: Filter | undefined
  readonly holds: Predicate
}

class RulesInForce implements CompiledPolicy {
  readonly version: Uint8Array
  readonly readOnly: boolean
  readonly collections: readonly string[]
  readonly #byCollection = new Map<string, CollectionRules>()

  constructor(rules: ExportRules, crypto: CryptoProvider) {
    this.readOnly = rules.readOnly
    this.collections = [...rules.collections].sort()
    for (const collection of this.collections) {
      const include = fieldsOf(rules.include, collection)
      const filter = Object.hasOwn(rules.filter, collection) ? rules.filter[collection] : undefined
      this.#byCollection.set(collection, {
        include: include === undefined ? undefined : new Set(include.filter((name) => name !== 'id')),
        exclude: new Set(fieldsOf(rules.exclude, collection)),
        filter,
        holds: filter === undefined ? () => true : compileFilter(filter),
      })
    }
    this.version = crypto.sha256(encodeCbor(this.#canonical())).slice(0, VERSION_BYTES)
  }

  exports(collection: string): boolean {
    return this.#byCollection.has(collection)
  }

  fieldVisible(collection: string, field: string): boolean {
    const rules = this.#byCollection.get(collection)
    return rules !== undefined && (field === 'id' || isShared(rules, field))
  }

  visible(state: RecordState): boolean {
    if (state.deleted !== undefined) return false
    return this.#byCollection.get(state.collection)?.holds(state) ?? false
  }

  project(state: RecordState): RecordState {
    const rules = this.#byCollection.get(state.collection)
    if (rules === undefined) return { ...state, fields: new Map() }
    if (rules.include === undefined && rules.exclude.size === 0) return state
    return { ...state, fields: new Map([...state.fields].filter(([field]) => isShared(rules, field))) }
  }

  #canonical(): CborItem {
    const rows = [...this.#byCollection].map(([collection, { include, exclude, filter }]) => [
      collection,
      include === undefined ? null : [...include].sort(),
      [...exclude].sort(),
      filter === undefined ? null : canonicalFilter(filter),
    ])
    return [this.readOnly, rows]
  }
}

function isShared({ include, exclude }: CollectionRules, field: string): boolean {
  return (include === undefined || include.has(field)) && !exclude.has(field)
}

function fieldsOf(fields: Fields | undefined, collection: string): readonly string[] | undefined {
  if (fields === undefined || isList(fields)) return fields
  return Object.hasOwn(fields, collection) ? fields[collection] : undefined
}

function isList(fields: Fields): fields is readonly string[] {
  return Array.isArray(fields)
}

function canonicalFilter(filter: Filter): CborItem {
  if ('and' in filter) return ['and', ...filter.and.map(canonicalFilter)]
  if ('or' in filter) return ['or', ...filter.or.map(canonicalFilter)]
  if ('not' in filter) return ['not', canonicalFilter(filter.not)]
  // As bytes of its own: the depth of the value and of the filter do not add up.
  return [filter.op, filter.field, encodeCbor(filter.value)]
}
