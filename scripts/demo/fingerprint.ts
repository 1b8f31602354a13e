/** One hash of a whole collection. Invariant: two collections have the same exactly when they are equal, field for field. */
import type { Collection } from '../../actors/index.ts'
import { encodeCbor, nodeCrypto, toHex } from '../../runtime/index.ts'

const readMs = 60_000

/** `without`: a field that does not count. */
export async function fingerprint(collection: Collection, without?: string): Promise<string> {
  const docs = await collection.query().all({ timeoutMs: readMs })
  docs.sort((a, b) => (a.id < b.id ? -1 : 1))
  // Fields in one order: what an edit added last may stand elsewhere on the other side.
  const rows = docs.map((doc) =>
    Object.entries(doc)
      .filter(([name]) => name !== without)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  )
  return toHex(nodeCrypto.sha256(encodeCbor(rows)))
}
