/**
 * Puts the bytes of large values into documents that name them (REPLICATION rule 30).
 * Invariant: what is not all here stays `PartialBytes`; a document without large values costs a look at its fields.
 */
import { BlazeError, limits, setOwn } from '../../runtime/index.ts'
import { PartialBytes } from '../database/index.ts'
import type { Doc, RecordDatabase } from '../database/index.ts'

/** Undefined when there is nothing to fetch; else resolves when the documents are whole. `TOO_LARGE` when they would not fit into memory. */
export function fetchLarge(database: RecordDatabase, docs: readonly Doc[]): Promise<void> | undefined {
  for (const doc of docs) if (namesLarge(doc)) return fetchAll(database, docs)
  return undefined
}

function namesLarge(doc: Doc): boolean {
  for (const name in doc) if (doc[name] instanceof PartialBytes) return true
  return false
}

async function fetchAll(database: RecordDatabase, docs: readonly Doc[]): Promise<void> {
  let bytes = 0
  for (const doc of docs) {
    for (const [name, value] of Object.entries(doc)) {
      if (!(value instanceof PartialBytes)) continue
      bytes += value.bytes
      if (bytes > limits.largeAnswerBytesMax) throw tooLarge()
      const large = PartialBytes.largeOf(value)
      const whole = await database.request<Uint8Array | undefined>((reply) => ({
        type: 'large.read',
        large,
        reply,
      }))
      if (whole !== undefined) setOwn(doc, name, whole)
    }
  }
}

function tooLarge(): BlazeError {
  return new BlazeError(
    'TOO_LARGE',
    `the large values of the answer exceed ${limits.largeAnswerBytesMax} bytes; select other fields, or ask for fewer records`,
  )
}
