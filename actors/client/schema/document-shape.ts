/**
 * What an application says of the documents of a collection: their schema, its version, and how older ones are read.
 * Invariant: what is stored has passed the schema as it is stored; reading never changes a field that is stored, it only adds some.
 */
import { BlazeError, cloneValue, isPlainObject, setOwn } from '../../../runtime/index.ts'
import type { Env, Value } from '../../../runtime/index.ts'
import {
  FieldOperation,
  FIRST_SCHEMA_VERSION,
  newerSchema,
  parseDoc,
  PartialBytes,
  sameInput,
  SCHEMA_VERSION_MAX,
  schemaVersionOf,
} from '../../database/index.ts'
import type { Doc, FieldValues } from '../../database/index.ts'
import type { InputOf, OutputOf, StandardSchemaV1 } from './standard-schema.ts'
import { checkSchema, validate } from './validation.ts'

/** Fields of a document without its id. */
export interface Fields {
  [field: string]: Value
}

export interface CollectionOptions<S extends StandardSchemaV1 = StandardSchemaV1> {
  /** Documents without their id pass it before they are stored; what it returns is stored. */
  readonly schema?: S
  /** Of the documents, from 1, which is also that of those without one. Higher ones than this app knows are not read. */
  readonly version?: number
  /** Makes a document of version `from` one of `version`, by adding fields; called when an older one is read. */
  readonly upgrade?: (doc: Fields, from: number) => Readonly<Record<string, unknown>>
}

/** As it is read: with its id. */
export type Stored<T> = T & { id: string }
/** The same for the type that a caller names, or names not. */
export type Read<T> = unknown extends T ? Doc : Stored<T>
export type SchemaInput<S extends StandardSchemaV1> = InputOf<S>
export type SchemaOutput<S extends StandardSchemaV1> = OutputOf<S>

export class DocumentShape<Out = Doc> {
  readonly #env: Env
  readonly #collection: string
  readonly #options: CollectionOptions

  /** `TypeError` for bad options. */
  constructor(env: Env, collection: string, options: CollectionOptions = {}) {
    if (!isPlainObject(options)) throw new TypeError('options: expected a plain object')
    const { schema, version, upgrade } = options
    if (schema !== undefined) checkSchema(schema)
    if (version !== undefined && !isVersion(version)) {
      throw new TypeError(`version: expected a whole number from 1 to ${SCHEMA_VERSION_MAX}`)
    }
    if (upgrade !== undefined && typeof upgrade !== 'function')
      throw new TypeError('upgrade: expected a function')
    if (upgrade !== undefined && version === undefined)
      throw new TypeError('upgrade: expected a version beside it')
    this.#env = env
    this.#collection = collection
    this.#options = options
  }

  /** Undefined when the application names none. */
  get version(): number | undefined {
    return this.#options.version
  }

  /** Whether an update has to look at the whole document. */
  get judgesWhole(): boolean {
    return this.#options.schema !== undefined || this.#options.version !== undefined
  }

  /** What is stored of these fields; at once when the schema answers at once. `SCHEMA_INVALID`, `TIMEOUT`, `BAD_VALUE`. */
  check(values: FieldValues): FieldValues | Promise<FieldValues> {
    const { schema } = this.#options
    if (schema === undefined) return values
    const fields: Fields = {}
    const operations = new Map<string, FieldOperation>()
    for (const [name, input] of values) {
      if (input instanceof FieldOperation) operations.set(name, input)
      const value = input instanceof FieldOperation ? input.shown : input
      if (value !== undefined) setOwn(fields, name, cloneValue(value))
    }
    const output = validate({ env: this.#env, schema, collection: this.#collection }, fields)
    return output instanceof Promise
      ? output.then((later: unknown) => this.#stored(later, operations))
      : this.#stored(output, operations)
  }

  /** A document as the application knows it. `NOT_SUPPORTED` for one of a newer version, `SCHEMA_INVALID` for a bad `upgrade`. */
  read(doc: Doc): Out {
    return this.#upgraded(doc) as Out
  }

  /** A field that the schema leaves as its operation shows it stays an operation. */
  #stored(output: unknown, operations: ReadonlyMap<string, FieldOperation>): FieldValues {
    const { id, values } = parseDoc(output)
    if (id !== undefined) throw this.#invalid('the schema adds an id: ids are given beside the fields')
    const stored = new Map(values)
    for (const [name, operation] of operations) {
      if (sameInput(values.get(name), operation.shown)) stored.set(name, operation)
    }
    return stored
  }

  #upgraded(doc: Doc): Doc {
    const { version, upgrade } = this.#options
    if (version === undefined) return doc
    const from = schemaVersionOf(doc)
    if (from > version) throw newerSchema({ collection: this.#collection, id: doc.id }, from, version)
    if (from === version || upgrade === undefined) return doc
    let upgraded: unknown
    try {
      upgraded = upgrade(fieldsOf(doc), from)
    } catch (cause) {
      throw this.#invalid(`upgrade failed on a document of version ${from}`, cause)
    }
    return this.#added(doc, parseDoc(upgraded).values)
  }

  /** The document with the fields that were added. */
  #added(doc: Doc, values: FieldValues): Doc {
    const added: Doc = { ...doc }
    for (const [name, value] of values) {
      if (value === undefined) continue
      const before = Object.hasOwn(doc, name) ? doc[name] : undefined
      if (before !== undefined && !sameInput(before, value)) throw this.#notAdditive('changes', name)
      if (value instanceof FieldOperation)
        throw this.#invalid(`upgrade gives an operation for the field ${name}`)
      setOwn(added, name, value)
    }
    for (const name of Object.keys(fieldsOf(doc))) {
      if (values.get(name) === undefined) throw this.#notAdditive('removes', name)
    }
    return added
  }

  #notAdditive(does: string, name: string): BlazeError {
    return this.#invalid(
      `upgrade ${does} the field ${name}: it may only add fields, because older apps go on writing the others; add a new field instead`,
    )
  }

  #invalid(problem: string, cause?: unknown): BlazeError {
    return new BlazeError('SCHEMA_INVALID', `${this.#collection}: ${problem}`, {
      cause,
      details: { collection: this.#collection, issues: [], count: 0 },
    })
  }
}

/** Its own copy, without what is not all here. */
function fieldsOf(doc: Doc): Fields {
  const fields: Fields = {}
  for (const [name, value] of Object.entries(doc)) {
    if (name !== 'id' && !(value instanceof PartialBytes)) setOwn(fields, name, cloneValue(value))
  }
  return fields
}

function isVersion(version: unknown): boolean {
  return (
    Number.isSafeInteger(version) &&
    Number(version) >= FIRST_SCHEMA_VERSION &&
    Number(version) <= SCHEMA_VERSION_MAX
  )
}
