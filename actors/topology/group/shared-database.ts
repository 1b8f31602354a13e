/** What an app group tells about a database that is shared in it. Informative: nothing is granted or found by it, and nothing in it is secret. */
import { isPlainObject, setOwn } from '../../../runtime/index.ts'

export interface SharedDatabase {
  readonly database: string
  /** App that shares it. */
  readonly app: string
  /** Space id, in hexadecimal. */
  readonly space: string
  readonly pid: number
  /** Version of the export policy, in hexadecimal. */
  readonly policy: string
  /** By app; undefined: every app of the group. */
  readonly grants: Readonly<Record<string, 'readOnly' | 'readWrite'>> | undefined
}

const HEX_ID = /^[0-9a-f]{32}$/

export function formatSharedDatabase(entry: SharedDatabase): { readonly [name: string]: unknown } {
  const { database, app, space, pid, policy, grants } = entry
  return { database, app, space, pid, policy, grants: grants ?? null }
}

/** Undefined for anything that is no entry. */
export function parseSharedDatabase(input: { readonly [name: string]: unknown }): SharedDatabase | undefined {
  const { database, app, space, pid, policy } = input
  const grants = parseGrants(input['grants'])
  if (typeof database !== 'string' || typeof app !== 'string' || typeof pid !== 'number') return undefined
  if (!isHexId(space) || !isHexId(policy) || grants === 'none') return undefined
  return { database, app, space, pid, policy, grants }
}

function isHexId(input: unknown): input is string {
  return typeof input === 'string' && HEX_ID.test(input)
}

function parseGrants(input: unknown): SharedDatabase['grants'] | 'none' {
  if (input === null) return undefined
  if (!isPlainObject(input)) return 'none'
  const grants: Record<string, 'readOnly' | 'readWrite'> = {}
  for (const [app, mode] of Object.entries(input)) {
    if (mode !== 'readOnly' && mode !== 'readWrite') return 'none'
    setOwn(grants, app, mode)
  }
  return grants
}
