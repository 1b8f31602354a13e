/**
 * Runs a schema of the application over a document.
 * Invariant: whatever the schema does (refuse, throw, answer nonsense, never answer), the call ends with a value or a code.
 */
import { BlazeError, isPlainObject, limits } from '../../../runtime/index.ts'
import type { Env } from '../../../runtime/index.ts'
import { bounded } from '../deadline.ts'
import type { StandardIssue, StandardSchemaV1 } from './standard-schema.ts'

/** `TypeError` for what is no Standard Schema. */
export function checkSchema(schema: unknown): void {
  const standard = (schema as Partial<StandardSchemaV1> | null | undefined)?.['~standard']
  if (standard?.version === 1 && typeof standard.validate === 'function') return
  throw new TypeError(
    'schema: expected a Standard Schema, version 1 (zod, valibot, arktype and others make them)',
  )
}

/** The output, at once when the schema answers at once. `SCHEMA_INVALID`, `TIMEOUT` after `limits.schemaMs`. */
export function validate(
  {
    env,
    schema,
    collection,
  }: { readonly env: Env; readonly schema: StandardSchemaV1; readonly collection: string },
  value: unknown,
): unknown {
  let result: unknown
  try {
    result = schema['~standard'].validate(value)
  } catch (cause) {
    throw threw(collection, cause)
  }
  if (!isThenable(result)) return outputOf(collection, result)
  const answered = Promise.resolve(result).then(
    (later) => outputOf(collection, later),
    (cause: unknown) => {
      throw threw(collection, cause)
    },
  )
  return bounded(env, `the schema of ${collection}`, { timeoutMs: limits.schemaMs }, answered)
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}

function outputOf(collection: string, result: unknown): unknown {
  if (typeof result !== 'object' || result === null)
    throw threw(collection, new TypeError('no result object'))
  const { issues } = result as { issues?: unknown }
  if (issues !== undefined && issues !== null) throw invalid(collection, issues)
  return (result as { value?: unknown }).value
}

function threw(collection: string, cause: unknown): BlazeError {
  return new BlazeError('SCHEMA_INVALID', `the schema of ${collection} failed on the document`, {
    cause,
    details: { collection, issues: [], count: 0 },
  })
}

function invalid(collection: string, issues: unknown): BlazeError {
  const all: readonly unknown[] = Array.isArray(issues) ? issues : []
  const told = all.slice(0, limits.schemaIssuesMax).map(issueOf)
  const first = told[0]?.path.join('.')
  const where = first === undefined || first === '' ? '' : `, first at ${first}`
  return new BlazeError('SCHEMA_INVALID', `the document does not fit the schema of ${collection}${where}`, {
    details: { collection, issues: told, count: all.length },
  })
}

function issueOf(issue: unknown): { readonly message: string; readonly path: string[] } {
  const { message, path } = (
    isPlainObject(issue) || typeof issue === 'object' ? (issue ?? {}) : {}
  ) as Partial<StandardIssue>
  const segments = Array.isArray(path) ? path.slice(0, limits.schemaPathMax) : []
  return { message: cut(message), path: segments.map((segment) => cut(keyOf(segment))) }
}

function keyOf(segment: unknown): unknown {
  return typeof segment === 'object' && segment !== null && 'key' in segment ? segment.key : segment
}

function cut(text: unknown): string {
  const whole =
    typeof text === 'string' ? text : typeof text === 'symbol' ? text.toString() : `${text as number}`
  return whole.slice(0, limits.schemaTextCharsMax)
}
