/** What a group of the long lane is. Invariant: a wrong option is refused before anything runs. */
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ParseArgsConfig } from 'node:util'

/** Of the checkout. */
export const longRoot: string = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

export interface LongLane {
  readonly options: NonNullable<ParseArgsConfig['options']>
  /** Its options, for the usage line. */
  readonly usage: string
  /** Resolves with the exit code. */
  run(values: Readonly<Record<string, string | undefined>>): Promise<number>
}

/** `TypeError` unless it is a whole number from 0. */
export function numberOf(name: string, text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isSafeInteger(value) || value < 0)
    throw new TypeError(`--${name}: expected a whole number, got ${text}`)
  return value
}
