/**
 * The raw limit of group `store`: classic-level, one put of a row's bytes under a key of 16.
 *
 * Invariant: it seals, signs and indexes nothing; keys ascend, which is the cheapest order, and are their own index.
 */
import { decodeCbor, encodeCbor } from '../../runtime/index.ts'
import { openRawStore, putBatch, putOne } from './raw-store.ts'
import type { RawRow, RawStore } from './raw-store.ts'
import { firstN } from './store-rows.ts'
import type { StoreRow } from './store-rows.ts'
import type { StorePlace, StoreSystem } from './store-system.ts'

/** A UUID has so many. */
const keyBytes = 16

export async function openClassicLevel({ at }: StorePlace): Promise<StoreSystem<RawRow>> {
  return new ClassicLevelSystem(await openRawStore(at))
}

export function rawKey(n: number): Uint8Array {
  const key = new Uint8Array(keyBytes)
  new DataView(key.buffer).setUint32(0, n)
  return key
}

class ClassicLevelSystem implements StoreSystem<RawRow> {
  readonly #store: RawStore

  constructor(store: RawStore) {
    this.#store = store
  }

  itemOf(row: StoreRow, n: number): RawRow {
    return { key: rawKey(n), value: encodeCbor(row) }
  }

  insert(item: RawRow): Promise<void> {
    return putOne(this.#store, item)
  }

  insertMany(items: readonly RawRow[]): Promise<void> {
    return putBatch(this.#store, items)
  }

  async settle(): Promise<void> {
    // It has no index.
  }

  async count(): Promise<number> {
    let count = 0
    for await (const _ of this.#store.keys()) count += 1
    return count
  }

  async read(n: number): Promise<unknown> {
    return decodeCbor(this.#get(n))
  }

  async getAll(numbers: readonly number[]): Promise<number> {
    let looked = 0
    for (const n of numbers) looked += this.#get(n).length
    return looked
  }

  async range(n: number, count: number): Promise<readonly number[]> {
    const from = rawKey(n - firstN)
    const found = await this.#store.iterator({ gte: from, limit: count, highWaterMarkBytes: 1 << 20 }).all()
    return found.map(([key]) => firstN + new DataView(key.buffer, key.byteOffset).getUint32(0))
  }

  /** All of them: it cannot look into a value. */
  async scan(): Promise<number> {
    let count = 0
    const iterator = this.#store.values({ highWaterMarkBytes: 1 << 20 })
    for (let values = await iterator.nextv(1_000); values.length > 0; values = await iterator.nextv(1_000))
      count += values.length
    await iterator.close()
    return count
  }

  close(): Promise<void> {
    return this.#store.close()
  }

  #get(n: number): Uint8Array {
    const value = this.#store.getSync(rawKey(n))
    if (value === undefined) throw new Error(`classic-level has no row ${n}`)
    return value
  }
}
