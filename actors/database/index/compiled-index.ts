/** A secondary index ready for use: its definition, its pages, and how a record's key in it is made. Invariant: its number never means another. */
import { fieldReader } from '../query/condition.ts'
import type { FieldReader } from '../query/condition.ts'
import type { Value } from '../../../runtime/index.ts'
import { compareValues } from '../record/value-order.ts'
import type { RecordState } from '../record/record.ts'
import type { IndexDefinition } from '../view/record-view.ts'
import { encodeIndexKey } from './index-key.ts'
import type { KnownIndex } from './index-state.ts'
import type { PagedIndex } from './paged-index.ts'

export class CompiledIndex implements IndexDefinition {
  readonly no: number
  readonly name: string
  readonly collection: string
  readonly fields: readonly string[]
  readonly unique: boolean
  readonly pages: PagedIndex
  ready: boolean
  /** Whether some key was cut, so that the order is not exact. */
  cut: boolean
  /** Pieces of its directory on disk. */
  pieces: number
  readonly #readers: readonly FieldReader[]

  constructor(known: KnownIndex, pages: PagedIndex) {
    this.no = known.no
    this.name = known.name
    this.collection = known.collection
    this.fields = known.fields
    this.unique = known.unique
    this.ready = known.state === 'ready'
    this.cut = known.cut
    this.pieces = known.pieces
    this.pages = pages
    this.#readers = known.fields.map(fieldReader)
  }

  get definition(): IndexDefinition {
    const { name, collection, fields, unique } = this
    return { name, collection, fields, unique }
  }

  /** Whether both index the same fields in the same way. */
  equals(other: IndexDefinition): boolean {
    return (
      this.unique === other.unique &&
      this.fields.length === other.fields.length &&
      this.fields.every((field, at) => field === other.fields[at])
    )
  }

  /** Key of the fields of a living record. */
  fieldKey(state: RecordState): string {
    const { key, cut } = encodeIndexKey(this.values(state))
    if (cut) this.cut = true
    return key
  }

  /** The same for an index that allows each list of values once; undefined when a field is absent, which binds nothing. */
  uniqueKey(state: RecordState): string | undefined {
    return this.values(state).includes(undefined) ? undefined : this.fieldKey(state)
  }

  /** One for each field. */
  values(state: RecordState): readonly (Value | undefined)[] {
    return this.#readers.map((read) => read(state))
  }

  /** Whether both are alive and have the same values in all fields. An absent one is the same as nothing. */
  isSame(state: RecordState, other: RecordState): boolean {
    if (state.deleted !== undefined || other.deleted !== undefined) return false
    const others = this.values(other)
    return this.values(state).every((value, at) => {
      const theirs = others[at]
      return value !== undefined && theirs !== undefined && compareValues(value, theirs) === 0
    })
  }
}
