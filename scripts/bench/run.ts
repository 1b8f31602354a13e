/**
 * Runs groups of benchmarks, one after the other.
 *
 * Invariant: exit code 0 only when every figure was measured on work that was counted as finished; 2 for wrong arguments.
 */
import { parseArgs } from 'node:util'
import { Stage } from '../process/stage.ts'
import { runActorsGroup } from './actors-group.ts'
import { actorBenches } from './actors-plan.ts'
import { runChannelGroup } from './channel-group.ts'
import { channelBenches } from './channel-plan.ts'
import { Report } from './report.ts'
import { runStoreGroup } from './store-group.ts'
import { storeBenches } from './store-plan.ts'
import { runSyncGroup } from './sync-group.ts'
import { syncBenches } from './sync-plan.ts'
import { runTopologyGroup } from './topology-group.ts'
import type { GroupOptions } from './report.ts'

const groups: Readonly<Record<string, (options: GroupOptions) => Promise<void>>> = {
  actors: runActorsGroup,
  channel: runChannelGroup,
  store: runStoreGroup,
  sync: runSyncGroup,
  topology: runTopologyGroup,
}

/** Of the groups that can run one alone. */
const benchesByGroup: Readonly<Record<string, readonly string[]>> = {
  actors: actorBenches,
  channel: channelBenches,
  store: storeBenches,
  sync: syncBenches,
}

const roundsMax = 100
const recordsMin = 1_000
const recordsMax = 10_000_000

interface Arguments {
  readonly names: readonly string[]
  readonly quick: boolean
  readonly rounds: number
  readonly seed: number
  readonly only: string | undefined
  readonly records: number | undefined
}

function readArguments(args: readonly string[]): Arguments | string {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      quick: { type: 'boolean' },
      rounds: { type: 'string' },
      seed: { type: 'string' },
      only: { type: 'string' },
      records: { type: 'string' },
    },
  })
  const quick = values.quick ?? false
  const rounds = Number(values.rounds ?? (quick ? 1 : 5))
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
  const { only } = values
  const records = values.records === undefined ? undefined : Number(values.records)
  const unknown = positionals.find((name) => !Object.hasOwn(groups, name))
  if (unknown !== undefined) return `no group ${unknown}`
  if (positionals.length === 0) return 'name a group'
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > roundsMax)
    return `--rounds: expected 1 to ${roundsMax}`
  if (!Number.isSafeInteger(seed) || seed < 0) return '--seed: expected a whole number'
  const problem = onlyProblem(only, positionals)
  if (problem !== undefined) return problem
  if (records !== undefined && positionals.some((name) => name !== 'store'))
    return '--records: of the groups, store alone knows it'
  if (
    records !== undefined &&
    (!Number.isSafeInteger(records) || records < recordsMin || records > recordsMax)
  )
    return `--records: expected ${recordsMin} to ${recordsMax}`
  return { names: positionals, quick, rounds, seed, only, records }
}

function onlyProblem(only: string | undefined, names: readonly string[]): string | undefined {
  if (only === undefined) return undefined
  const [name = '', ...others] = names
  const known = benchesByGroup[name]
  if (others.length > 0 || known === undefined)
    return `--only: expected one group out of ${Object.keys(benchesByGroup).join(', ')}`
  return known.includes(only) ? undefined : `--only: expected one of ${known.join(', ')}`
}

function parse(args: readonly string[]): Arguments | string {
  try {
    return readArguments(args)
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

const parsed = parse(process.argv.slice(2))
if (typeof parsed === 'string') {
  process.stderr.write(
    `${parsed}\nusage: npm run bench -- [${Object.keys(groups).join('|')}]… [--quick] [--rounds N] [--seed N] [--only BENCH] [--records N]\n`,
  )
  process.exit(2)
}
const { names, ...options } = parsed
process.stderr.write(`seed ${options.seed}, ${options.rounds} rounds\n`)
const stage = new Stage('bench')
try {
  for (const name of names) {
    const report = new Report({ seed: options.seed, print: (line) => void process.stdout.write(`${line}\n`) })
    await groups[name]?.({ ...options, stage, report })
  }
} catch (error) {
  if (!stage.interrupted) process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
  process.exitCode = 1
} finally {
  await stage.close()
}
