/** Indexes of collection `c` of one simulated database, asked as its client asks. */
import type { IndexAudit } from '../../../../actors/database/index/index-audit.ts'
import type { OneDatabase } from '../one-database.ts'

export interface IndexOptions {
  readonly unique?: boolean
  /** Default: the fields joined by commas. */
  readonly name?: string
}

export function createIndex(
  one: OneDatabase,
  fields: readonly string[],
  { unique = false, name = fields.join(',') }: IndexOptions = {},
): Promise<void> {
  const definition = { name, collection: 'c', fields, unique }
  return one.settle(one.database.request<void>((reply) => ({ type: 'index.create', definition, reply })))
}

export function dropIndex(one: OneDatabase, name: string): Promise<boolean> {
  return one.settle(
    one.database.request<boolean>((reply) => ({ type: 'index.drop', collection: 'c', name, reply })),
  )
}

export async function indexNames(one: OneDatabase): Promise<string[]> {
  const list = await one.settle(
    one.database.request<readonly { name: string }[]>((reply) => ({
      type: 'index.list',
      collection: 'c',
      reply,
    })),
  )
  return list.map(({ name }) => name)
}

/** Merges everything into the pages. */
export function flushIndexes(one: OneDatabase): Promise<void> {
  return one.settle(one.database.request<void>((reply) => ({ type: 'database.flush', reply })))
}

export function verifyIndexes(one: OneDatabase): Promise<IndexAudit> {
  return one.settle(
    one.database.request<IndexAudit>((reply) => ({ type: 'index.verify', signal: undefined, reply })),
  )
}
