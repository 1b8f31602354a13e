/**
 * `--seed N` and `--count N` of a program that runs a simulation, and the command that runs it again with one seed.
 * Invariant: what it does not know it refuses, so that a typo does not run other seeds than were asked for.
 */
import { parseArgs } from 'node:util'

export interface SimulationArguments {
  readonly from?: number
  readonly count?: number
  readonly replay: (seed: number) => string
}

/** `argv` as the process has it: the runtime, the program, its arguments. `--seed` alone is one seed. `TypeError` for anything else. */
export function simulationArguments(argv: readonly string[]): SimulationArguments {
  const [, program = '', ...args] = argv
  const { values } = parseArgs({ args, options: { seed: { type: 'string' }, count: { type: 'string' } } })
  const seed = wholeNumber('--seed', values.seed)
  const count = wholeNumber('--count', values.count) ?? (seed === undefined ? undefined : 1)
  const runner = /\.[cm]?ts$/.test(program) ? 'npx tsx' : 'node'
  return {
    ...(seed === undefined ? {} : { from: seed }),
    ...(count === undefined ? {} : { count }),
    replay: (failed) => `${runner} ${quote(program)} --seed ${failed}`,
  }
}

function wholeNumber(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value))
    throw new TypeError(`${name}: expected a whole number, got ${text}`)
  return value
}

function quote(path: string): string {
  return /^[\w./@:-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`
}
