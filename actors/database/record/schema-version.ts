/** Which version of its collection's schema a document has. Beside the document, so that nothing of ours stands among its fields. */
import type { Doc } from './document.ts'

/** Of documents without one. */
export const FIRST_SCHEMA_VERSION = 1
/** Two bytes, more than any application will need. */
export const SCHEMA_VERSION_MAX = 65_535

const versions = new WeakMap<Doc, number>()

/** The version that the record was stored with. */
export function schemaVersionOf(doc: Doc): number {
  return versions.get(doc) ?? FIRST_SCHEMA_VERSION
}

/** For `docOf`. */
export function setSchemaVersion(doc: Doc, version: number): void {
  versions.set(doc, version)
}
