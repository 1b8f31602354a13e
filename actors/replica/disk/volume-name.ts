/** Checks the names that a volume is asked for. Invariant: a checked name never leaves its volume. */

/** `TypeError` unless `name` is relative, with forward slashes, and without empty, `.` or `..` steps. `''` only where `root` is allowed. */
export function checkVolumeName(name: string, root: 'root' | 'no root' = 'no root'): string {
  if (name === '' && root === 'root') return name
  const steps = name.split('/')
  if (steps.some((step) => !/^[A-Za-z0-9_][A-Za-z0-9._-]*$/.test(step))) {
    throw new TypeError(
      `expected a relative name of letters, digits, dots and dashes, got ${JSON.stringify(name)}`,
    )
  }
  return name
}
