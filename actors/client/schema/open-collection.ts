/** Makes a collection of a database. Invariant: its name and options are checked before anybody can use it. */
import type { Doc, RecordDatabase } from '../../database/index.ts'
import { Collection } from '../collection.ts'
import type { Atomically } from '../collection.ts'
import { DocumentShape } from './document-shape.ts'
import type { CollectionOptions } from './document-shape.ts'

/** What the types of `In` and `Out` are is the word of the caller, who knows the schema. `TypeError` for a bad name or bad options. */
export function openCollection<In = unknown, Out = Doc>(
  database: RecordDatabase,
  name: string,
  parts: { readonly options: CollectionOptions | undefined; readonly atomically: Atomically | undefined },
): Collection<In, Out> {
  const { options, atomically } = parts
  return new Collection<In, Out>(database, name, {
    shape: new DocumentShape<Out>(database.env, name, options),
    atomically,
  })
}
