/** What the specs of large values share: an open database in a simulated world, bytes by chance, and the chunks that are there. */
import * as assert from 'uvu/assert'
import { partsOf } from '../../../actors/client/client.ts'
import { CHUNK_COLLECTION } from '../../../actors/database/chunk/chunk-name.ts'
import type { ImportedRecord, RecordName } from '../../../actors/database/index.ts'
import type { BlazeDBClient, Collection, Doc } from '../../../actors/index.ts'
import { createChance, equalBytes, limits } from '../../../runtime/index.ts'
import { createClientWorld } from './simulated-client.ts'
import type { ClientWorld } from './simulated-client.ts'

export const chunk: number = limits.chunkBytes

export function noise(bytes: number, seed = 1): Uint8Array {
  const chance = createChance(seed)
  return Uint8Array.from({ length: bytes }, () => Math.floor(chance() * 256))
}

export interface Opened extends ClientWorld {
  readonly db: BlazeDBClient
  readonly notes: Collection
}

export async function opened(seed = 1): Promise<Opened> {
  const sim = createClientWorld(seed)
  const db = await sim.open()
  return { ...sim, db, notes: db.collection('notes') }
}

/** Living chunk records, by id. */
export async function chunks(world: Pick<ClientWorld, 'settle'>, db: BlazeDBClient): Promise<string[]> {
  const { database } = partsOf(db)
  const collections = [CHUNK_COLLECTION]
  const names = await world.settle(
    database.request<RecordName[]>((reply) => ({ type: 'mirror.list', collections, reply })),
  )
  const records = await world.settle(
    database.request<ImportedRecord[]>((reply) => ({ type: 'mirror.read', names, reply })),
  )
  return records.filter(({ deleted }) => deleted === undefined).map(({ id }) => id)
}

export function numberOf(doc: Doc | undefined): number {
  return Number(doc?.['n'])
}

/** Not `assert.equal`, which would print every byte. */
export function same(actual: Uint8Array, expected: Uint8Array, what = 'the value'): void {
  assert.ok(equalBytes(actual, expected), `${what}: ${actual.length} bytes, expected ${expected.length}`)
}

export function bytesOf(doc: Doc | undefined, field = 'data'): Uint8Array {
  const value = doc?.[field]
  if (!(value instanceof Uint8Array)) throw new Error(`${field} is no byte value`)
  return value
}
