/** Export policies and grants as their documentation has them, for the oracle. Invariant: imports nothing of the program. */

/** A record as applications see it. */
export type Shown = Readonly<Record<string, unknown>>

export type Mode = 'readOnly' | 'readWrite'

export type OracleFilter =
  | { readonly field: string; readonly op: '=' | '!=' | '>='; readonly value: number }
  | { readonly and: readonly OracleFilter[] }
  | { readonly or: readonly OracleFilter[] }
  | { readonly not: OracleFilter }

export interface OraclePolicy {
  readonly collections: readonly string[]
  readonly include?: readonly string[]
  readonly exclude?: readonly string[]
  /** By collection. */
  readonly filter: Readonly<Record<string, OracleFilter>>
  readonly readOnly: boolean
}

/** What holds at one moment. */
export interface Terms {
  readonly policy: OraclePolicy
  /** By app; undefined: every app, as far as the policy goes. */
  readonly grants: Readonly<Record<string, Mode>> | undefined
}

/** Records are named `collection/id`. */
export function collectionOf(key: string): string {
  return key.slice(0, key.indexOf('/'))
}

export function shows(policy: OraclePolicy, key: string, state: Shown | undefined): boolean {
  const collection = collectionOf(key)
  if (state === undefined || !policy.collections.includes(collection)) return false
  const filter = policy.filter[collection]
  return filter === undefined || holds(filter, state)
}

export function project(policy: OraclePolicy, state: Shown): Shown {
  return Object.fromEntries(Object.entries(state).filter(([field]) => fieldVisible(policy, field)))
}

export function fieldVisible({ include, exclude }: OraclePolicy, field: string): boolean {
  if (field === 'id') return true
  return (include === undefined || include.includes(field)) && exclude?.includes(field) !== true
}

/** As far as policy and grants go together; undefined: not at all. */
export function modeOf({ policy, grants }: Terms, app: string): Mode | undefined {
  const grant = grants === undefined ? 'readWrite' : grants[app]
  return grant === 'readWrite' && policy.readOnly ? 'readOnly' : grant
}

export function mayWrite(terms: Terms, app: string, key: string, fields: readonly string[]): boolean {
  const { policy } = terms
  return (
    modeOf(terms, app) === 'readWrite' &&
    policy.collections.includes(collectionOf(key)) &&
    fields.every((field) => fieldVisible(policy, field))
  )
}

/** An absent field matches `!=` only. */
function holds(filter: OracleFilter, state: Shown): boolean {
  if ('and' in filter) return filter.and.every((each) => holds(each, state))
  if ('or' in filter) return filter.or.some((each) => holds(each, state))
  if ('not' in filter) return !holds(filter.not, state)
  const value = state[filter.field]
  switch (filter.op) {
    case '=':
      return value === filter.value
    case '!=':
      return value !== filter.value
    case '>=':
      return typeof value === 'number' && value >= filter.value
  }
}
