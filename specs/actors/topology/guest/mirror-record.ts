/** Records as a host would send them. Invariant: one name, one tag. */
import type { RecordState } from '../../../../actors/database/index.ts'
import { nodeCrypto } from '../../../../runtime/index.ts'
import type { Value } from '../../../../runtime/index.ts'

/** Name of the shared database. */
export const DATABASE = 'bugs'

const WRITER = new Uint8Array(8).fill(9)

/** A record that was written at one moment. */
export function recordOf(
  collection: string,
  id: string,
  fields: { readonly [name: string]: Value },
  home: Uint8Array | null = null,
): RecordState {
  const stamp = { ms: 1, counter: 0, writer: WRITER }
  const entries = Object.entries(fields).map(([name, value]) => [name, { value, stamp }] as const)
  return { collection, id, home, life: 1, deleted: undefined, fields: new Map(entries) }
}

/** As a host would name it. */
export function tagOf(name: string): Uint8Array {
  return nodeCrypto.sha256(new TextEncoder().encode(name)).slice(0, 16)
}
