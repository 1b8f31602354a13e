/**
 * Records as text that is equal when they are, and as the oracle takes them.
 * Invariant: it tells every value of the campaign apart, and knows nothing of how the database stores any of them.
 */
import { PartialBytes } from '../../../actors/index.ts'
import type { Shown, ShownRecord, ShownValue } from './effect.ts'

export interface ShownDoc {
  readonly id: string
  readonly [field: string]: unknown
}

export function shownOf(docs: ReadonlyMap<string, readonly ShownDoc[]>): Shown {
  return new Map(
    [...docs].map(([collection, all]) => [collection, new Map(all.map((doc) => [doc.id, plain(doc)]))]),
  )
}

/** Records and fields have no order. */
export function textOf(shown: Shown): string {
  const lines = [...shown].flatMap(([collection, records]) =>
    [...records].map(([id, record]) => `${collection}/${id} ${fieldsOf(record)}`),
  )
  return lines.sort().join('\n')
}

function fieldsOf(record: ShownRecord): string {
  return JSON.stringify(Object.entries(record).sort(([x], [y]) => (x < y ? -1 : 1)))
}

function plain(doc: ShownDoc): ShownRecord {
  return Object.fromEntries(Object.entries(doc).map(([field, value]) => [field, plainValue(value)]))
}

/** Throws on what the campaign never writes. */
function plainValue(value: unknown): ShownValue {
  if (value instanceof Uint8Array)
    return `bytes:${value.length}:${value.reduce((sum, byte) => sum + byte, 0)}`
  if (value instanceof PartialBytes) return `partial:${value.bytes}`
  if (Array.isArray(value)) return value.map(plainValue)
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value
  throw new Error(`a value that nobody wrote: ${JSON.stringify(value)}`)
}
