/** What applications say about sharing with other apps, checked at the door. Invariant: what leaves here is a copy and well formed. */
import { isAbsolute, resolve } from 'node:path'
import { isPlainObject, isWellFormed, limits } from '../../runtime/index.ts'
import { checkGroupName } from '../topology/group/index.ts'
import type { Grants } from '../topology/host/index.ts'
import { ExportPolicy } from '../topology/policy/index.ts'

/** An app group by its name, whose directory then lies under the user's home, or with a directory of its own. */
export type AppGroupPlace = string | { readonly id: string; readonly directory: string }

export const sharedModes = ['readOnly', 'readWrite'] as const
export type SharedMode = (typeof sharedModes)[number]

/** Of an app that names none. */
const DEFAULT_APP = 'default'

/** `TypeError` for anything that is no app group; directories are absolute. */
export function checkAppGroup(
  place: unknown,
  world: { groupDirectory(name: string): string },
): { id: string; directory: string } {
  if (typeof place === 'string') {
    const id = checkGroupName(place, 'appGroup')
    return { id, directory: resolve(world.groupDirectory(id)) }
  }
  if (!isPlainObject(place)) throw new TypeError('appGroup: expected a name, or { id, directory }')
  expectNames(place, 'appGroup', ['id', 'directory'])
  const { id, directory } = place
  if (typeof directory !== 'string' || !isAbsolute(directory)) {
    throw new TypeError('appGroup.directory: expected an absolute path')
  }
  // One group has one path here: shares are told apart by it.
  return { id: checkGroupName(id, 'appGroup.id'), directory: resolve(directory) }
}

/** `TypeError` for a name that is not one of these: a misspelled limit would let in more than was meant. */
export function expectNames(options: object, what: string, names: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (!names.includes(name)) {
      throw new TypeError(`${what}: expected ${names.join(', ')}, got ${name.slice(0, 100)}`)
    }
  }
}

export function checkApp(app: unknown): string {
  return app === undefined ? DEFAULT_APP : checkGroupName(app, 'app')
}

export function checkMode(mode: unknown): SharedMode {
  for (const known of sharedModes) if (mode === known) return known
  throw new TypeError(`mode: expected one of ${sharedModes.join(', ')}, got ${String(mode)}`)
}

export function checkPolicy(policy: unknown, what: string): ExportPolicy {
  if (policy instanceof ExportPolicy) return policy
  throw new TypeError(`${what}: expected an ExportPolicy`)
}

/** Why a database of this name cannot be shared, or undefined. */
export function sharedNameProblem(name: string): string | undefined {
  if (name.length === 0) return 'it is empty'
  if (!isWellFormed(name)) return 'it has a lone surrogate'
  return Buffer.byteLength(name) > limits.sharedNameBytesMax
    ? `it has more than ${limits.sharedNameBytesMax} bytes of UTF-8`
    : undefined
}

/** Without a prototype: an app may be called `constructor`. */
export function checkGrants(grants: unknown): Grants | undefined {
  if (grants === undefined) return undefined
  if (!isPlainObject(grants)) throw new TypeError("grants: expected a plain object like { app: 'readOnly' }")
  const entries = Object.entries(grants)
  if (entries.length > limits.grantsMax) {
    throw new TypeError(`grants: expected at most ${limits.grantsMax} apps, got ${entries.length}`)
  }
  const checked: { [app: string]: SharedMode } = Object.create(null)
  for (const [app, mode] of entries) {
    checkGroupName(app, 'grants')
    if (mode !== 'readOnly' && mode !== 'readWrite') {
      throw new TypeError(`grants.${app}: expected one of ${sharedModes.join(', ')}, got ${String(mode)}`)
    }
    checked[app] = mode
  }
  return Object.freeze(checked)
}
