/** Names of app groups and apps. Invariant: a checked name is one step of a path on every file system, and the same one. */
import { limits } from '../../../runtime/index.ts'

const FORM = /^[a-z0-9_][a-z0-9._-]*$/

/** Of a group or an app. `TypeError` names `what` unless it is 1 to 64 of a-z 0-9 . _ -, beginning with neither dot nor dash. */
export function checkGroupName(name: unknown, what: string): string {
  if (typeof name !== 'string') throw new TypeError(`${what}: expected a name as text, got ${typeof name}`)
  if (!isGroupName(name)) {
    throw new TypeError(
      `${what}: expected 1 to ${limits.groupNameCharsMax} of a-z 0-9 . _ - that begin with none of . and -, got ${JSON.stringify(name.slice(0, 100))}`,
    )
  }
  return name
}

export function isGroupName(name: string): boolean {
  return name.length <= limits.groupNameCharsMax && FORM.test(name)
}
