/** Checks what a caller says about children, so that a typo is an error and not a default. All throw `TypeError`. */
import type { ChildSpec } from '../behaviour.ts'
import { limits } from '../limits.ts'

const childKeys: Readonly<Record<keyof ChildSpec<never>, true>> = {
  name: true,
  behaviour: true,
  restart: true,
  significant: true,
  mailboxMax: true,
  stopBudgetMs: true,
  passivateAfterMs: true,
}

export function checkChildSpec(spec: ChildSpec<never>): void {
  if (typeof spec !== 'object' || spec === null)
    throw new TypeError(`spawn: spec: expected an object, got ${String(spec)}`)
  checkKeys('spawn', spec, childKeys)
  const { name, behaviour, restart, significant, mailboxMax, stopBudgetMs, passivateAfterMs } = spec
  if (typeof name !== 'string' || name === '' || name.length > limits.cellNameCharsMax || name.includes('/'))
    throw new TypeError(
      `spawn: name: expected 1 to ${limits.cellNameCharsMax} characters without a slash, got ${String(name)}`,
    )
  if (typeof behaviour !== 'object' || typeof behaviour?.start !== 'function')
    throw new TypeError(
      `spawn: behaviour of ${name}: expected what reducer(), machine() or supervisor() return, got ${typeof behaviour}`,
    )
  if (restart !== undefined) checkOneOf('spawn: restart', restart, ['permanent', 'transient', 'temporary'])
  if (significant !== undefined && typeof significant !== 'boolean')
    throw new TypeError(`spawn: significant: expected true or false, got ${String(significant)}`)
  if (significant === true && restart !== 'transient' && restart !== 'temporary')
    throw new TypeError(
      `spawn: significant: expected a transient or temporary child, ${name} is permanent and never ends by itself`,
    )
  if (mailboxMax !== undefined) checkCount('spawn: mailboxMax', mailboxMax, 1, 2 ** 30)
  if (stopBudgetMs !== undefined) checkPositive('spawn: stopBudgetMs', stopBudgetMs)
  if (passivateAfterMs === undefined) return
  checkPositive('spawn: passivateAfterMs', passivateAfterMs)
  if (behaviour.supervision !== undefined)
    throw new TypeError(
      `spawn: passivateAfterMs: ${name} supervises, and would put its children to sleep with it`,
    )
}

/** Names the key that is not known, and the one that was probably meant. */
export function checkKeys(caller: string, given: object, known: Readonly<Record<string, true>>): void {
  for (const key in given) {
    if (known[key] === true) continue
    const meant = Object.keys(known).find((other) => isNear(key.toLowerCase(), other.toLowerCase()))
    const hint =
      meant === undefined ? `expected one of ${Object.keys(known).join(', ')}` : `did you mean ${meant}?`
    throw new TypeError(`${caller}: ${key}: unknown; ${hint}`)
  }
}

export function checkOneOf(what: string, given: unknown, allowed: readonly string[]): void {
  if (typeof given !== 'string' || !allowed.includes(given))
    throw new TypeError(`${what}: expected ${allowed.join(', ')}, got ${String(given)}`)
}

export function checkCount(what: string, given: number, min: number, max: number): void {
  if (!Number.isSafeInteger(given) || given < min || given > max)
    throw new TypeError(`${what}: expected a whole number from ${min} to ${max}, got ${given}`)
}

export function checkPositive(what: string, given: number): void {
  if (!(given > 0 && given < Infinity)) throw new TypeError(`${what}: expected more than 0, got ${given}`)
}

/** At most two letters differ (Levenshtein), or one begins with the other. */
function isNear(a: string, b: string): boolean {
  if (a.length > 2 && (a.startsWith(b) || b.startsWith(a))) return true
  let above = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1
      row.push(Math.min((above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (above[j - 1] ?? 0) + cost))
    }
    above = row
  }
  return (above[b.length] ?? 0) <= 2
}
