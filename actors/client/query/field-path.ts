/** Paths to fields, as arguments: names separated by dots. Invariant: what passes is text that an index or a query can hold. */
import { isWellFormed, limits } from '../../../runtime/index.ts'

/** `TypeError` for anything that is no path; `what` names the call. */
export function checkPath(what: string, field: unknown): asserts field is string {
  if (typeof field !== 'string' || field.length === 0)
    throw new TypeError(`${what}: expected a field path as text`)
  if (!isWellFormed(field)) throw new TypeError(`${what}: a field path has a lone surrogate`)
}

/** At least one, at most `max`, each once. */
export function checkPaths(
  what: string,
  fields: readonly unknown[],
  max: number = limits.queryFieldsMax,
): asserts fields is readonly string[] {
  if (fields.length === 0 || fields.length > max) {
    throw new TypeError(`${what}: expected 1 to ${max} fields, got ${fields.length}`)
  }
  for (const field of fields) checkPath(what, field)
  if (new Set(fields).size < fields.length) throw new TypeError(`${what}: a field stands there twice`)
}
