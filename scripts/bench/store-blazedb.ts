/**
 * BlazeDB in group `store`: one database with one collection, which has one index.
 *
 * Invariant: only the public API is used, except to have the index stored: it has caught up when `settle` resolved.
 */
import { BlazeDBClient } from '../../actors/index.ts'
import type { Collection } from '../../actors/index.ts'
import { partsOf } from '../../actors/client/client.ts'
import { lookAt } from './store-system.ts'
import type { StorePlace, StoreSystem } from './store-system.ts'
import { rowId } from './store-rows.ts'
import type { StoreRow } from './store-rows.ts'

/** Instead of a password, whose derivation is measured by itself. */
export const benchKey: Uint8Array = new Uint8Array(32).fill(7)

/** What decoded records may take while they are read cold. */
const cacheBytesMax = 32 * 1024 * 1024
/** An index that has not caught up by then never will. */
const settleMs = 60_000

export type BlazeRow = StoreRow & { readonly id: string }

export async function openBlazedb({ at, make }: Omit<StorePlace, 'kind'>): Promise<BlazedbSystem> {
  const db = await BlazeDBClient.open({ name: 'Bench', at, key: benchKey })
  const system = new BlazedbSystem(db)
  if (make) await system.records.createIndex('n')
  return system
}

export class BlazedbSystem implements StoreSystem<BlazeRow> {
  readonly db: BlazeDBClient
  readonly records: Collection

  constructor(db: BlazeDBClient) {
    this.db = db
    this.records = db.collection('records')
  }

  itemOf(row: StoreRow, n: number): BlazeRow {
    return { id: rowId(n), ...row }
  }

  async insert(item: BlazeRow): Promise<void> {
    await this.records.insert(item)
  }

  async insertMany(items: readonly BlazeRow[]): Promise<void> {
    await this.records.insertMany(items)
  }

  async settle(): Promise<void> {
    const { database } = partsOf(this.db)
    await database.request<void>((reply) => ({ type: 'database.flush', reply }))
    const lateMs = performance.now() + settleMs
    while (this.#lag() > 0) {
      if (performance.now() > lateMs) throw new Error(`the index is ${this.#lag()} arrivals behind`)
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
  }

  /** By the view, and by a query. */
  async count(): Promise<number> {
    const { records } = this.db.status()
    const counted = await this.records.query().count()
    if (counted !== records) throw new Error(`the view has ${records} records, a query counts ${counted}`)
    return counted
  }

  async read(n: number): Promise<unknown> {
    const { id: _, ...row } = (await this.records.get(rowId(n))) ?? missing(n)
    return row
  }

  async getAll(numbers: readonly number[]): Promise<number> {
    let looked = 0
    for (const n of numbers) looked += lookAt((await this.records.get(rowId(n))) ?? missing(n))
    const { cacheBytes } = this.db.status()
    if (cacheBytes > cacheBytesMax) throw new Error(`${cacheBytes} bytes of decoded records are held`)
    return looked
  }

  async range(n: number, count: number): Promise<readonly number[]> {
    const query = this.records
      .query()
      .where('n', '>=', n)
      .where('n', '<', n + count)
    const docs = await query.all()
    return docs.map((doc) => (lookAt(doc) > 0 && typeof doc['n'] === 'number' ? doc['n'] : -1))
  }

  async scan(lat: number): Promise<number> {
    const docs = await this.records.query().where('lat', '>=', lat).all()
    return docs.filter((doc) => lookAt(doc) > 0).length
  }

  close(): Promise<void> {
    return this.db.close()
  }

  /** Arrivals that the index has not stored yet. */
  #lag(): number {
    const { lastArrival, indexCursor } = this.db.status()
    return lastArrival - indexCursor
  }
}

function missing(n: number): never {
  throw new Error(`the database has no row ${n}`)
}
