/**
 * Synthetic records of 200 bytes of CBOR each, without the id. Invariant: one seed gives one sequence; texts are random, so nothing
 * in them compresses.
 */
import { createChance, encodeCbor } from '../../runtime/index.ts'

export const recordBytes = 200

/** A type, not an interface, so that it is a document. */
export type BenchRecord = {
  readonly title: string
  readonly note: string
  readonly status: string
  readonly done: boolean
  readonly n: number
  readonly lat: number
  readonly lng: number
}

const letters = 'abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'

export function makeRecords(count: number, seed: number): BenchRecord[] {
  const chance = createChance(seed)
  const text = (length: number): string => {
    let made = ''
    for (let at = 0; at < length; at += 1) made += letters[Math.floor(chance() * letters.length)] ?? ''
    return made
  }
  const make = (n: number, noteChars: number): BenchRecord => ({
    title: text(40),
    note: text(noteChars),
    status: chance() < 0.5 ? 'open' : 'shut',
    done: chance() < 0.5,
    // One width for all, so that all have the same length.
    n: 100_000 + n,
    lat: wide(chance() * 180 - 90),
    lng: wide(chance() * 360 - 180),
  })
  // Long enough for its length to take two bytes, as it will.
  const probe = encodeCbor(make(0, 40)).length
  return Array.from({ length: count }, (_, n) => make(n, 40 + recordBytes - probe))
}

/** A number that takes eight bytes: one in so many would do with four. */
function wide(value: number): number {
  return Math.fround(value) === value ? value + 1e-9 : value
}
