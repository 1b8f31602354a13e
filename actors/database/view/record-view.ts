/**
 * What queries read from: records as they are shown, the indexes over them, and walks along either.
 * Invariant: nothing here decides what matches. A walk may yield a record that changed meanwhile; who walks checks it again.
 */
import type { RecordState } from '../record/record.ts'

export interface IndexDefinition {
  /** The fields joined by commas unless the application gave another. */
  readonly name: string
  readonly collection: string
  /** Paths, their names separated by dots; 1 to `indexFieldsMax`. */
  readonly fields: readonly string[]
  readonly unique: boolean
}

/** A way to come by records. */
export type AccessPath =
  /** These records, in this order. */
  | { readonly kind: 'ids'; readonly ids: readonly string[] }
  /** All records, in the order of their ids by code unit; after an id in the direction of the walk, or with a prefix. */
  | {
      readonly kind: 'records'
      readonly after?: string
      readonly prefix?: string
      readonly reverse: boolean
    }
  /** All records, in no order: the fastest. */
  | { readonly kind: 'store' }
  /** The entries of an index whose full key (`encodeIndexKey(values).key` and then the id) is in the range, in its order. */
  | {
      readonly kind: 'index'
      readonly index: IndexDefinition
      readonly gte: string
      /** Undefined for no end. */
      readonly lt: string | undefined
      readonly reverse: boolean
    }

export interface RecordWalk {
  /** Up to `limit` next records, alive, as shown; none at the end. Synchronous where it can be. */
  next(limit: number): RecordState[] | Promise<RecordState[]>
  close(): void
}

export interface RecordView {
  /** What is shown of a record, deleted ones included; undefined when it is unknown. */
  read(collection: string, id: string): RecordState | undefined
  /** The same for a pass over many records, which leaves what is kept at hand to those that are read one by one. */
  peek(collection: string, id: string): RecordState | undefined
  /** Those that are complete. */
  indexes(collection: string): readonly IndexDefinition[]
  /** Whether some key of the index was cut, so that its order is not exact. */
  hasCutKeys(index: IndexDefinition): boolean
  /** Living records of the collection. */
  count(collection: string): number
  /** Records that come after the walk began are not owed. */
  walk(collection: string, path: AccessPath): RecordWalk
  /** Resolves once the indexes are usable; undefined when they are. */
  ready(): Promise<void> | undefined
}
