/**
 * The raw limit of a store: classic-level as it comes, one put a record, each batch synced unless it is said that it is not.
 *
 * Invariant: it seals, signs and indexes nothing; it does the least that makes bytes durable under a key.
 */
import { ClassicLevel } from 'classic-level'

export type RawStore = ClassicLevel<Uint8Array, Uint8Array>

export interface RawRow {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

export async function openRawStore(at: string): Promise<RawStore> {
  const store: RawStore = new ClassicLevel(at, {
    keyEncoding: 'view',
    valueEncoding: 'view',
    compression: false,
  })
  await store.open()
  return store
}

export async function putBatch(store: RawStore, rows: readonly RawRow[]): Promise<void> {
  await store.batch(putsOf(rows), { sync: true })
}

export async function putBatchUnsynced(store: RawStore, rows: readonly RawRow[]): Promise<void> {
  await store.batch(putsOf(rows), { sync: false })
}

export async function putOne(store: RawStore, { key, value }: RawRow): Promise<void> {
  await store.put(key, value, { sync: true })
}

/** Keys ascend, which is the cheapest order. */
export function makeRows(count: number, options: { keyBytes: number; valueBytes: number }): RawRow[] {
  return Array.from({ length: count }, (_, n) => {
    const key = new Uint8Array(options.keyBytes)
    new DataView(key.buffer).setUint32(0, n)
    const value = new Uint8Array(options.valueBytes)
    globalThis.crypto.getRandomValues(value)
    return { key, value }
  })
}

function putsOf(rows: readonly RawRow[]): { type: 'put'; key: Uint8Array; value: Uint8Array }[] {
  return rows.map(({ key, value }) => ({ type: 'put', key, value }))
}
