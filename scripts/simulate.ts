/**
 * `npm run simulate -- [FILE] [--seeds N] [--from S] [--seed S] [--json]` runs the `world` that FILE exports (a `MakeWorld` of
 * `blazedb/testing`; also `options`, and `summary` and `details` about all runs, if it has some), or the campaign of this repository
 * where no file is named: 100 seeds from 1 unless told otherwise. `--seed S` alone is one seed, as the message of a failure says;
 * `--count` is another word for `--seeds`. Exit codes: 0 all seeds hold, 1 one does not, 2 wrong arguments.
 *
 * Invariant: it ends with one line, and a failure always names its seed, also when a promise of the world rejects unheard.
 */
import { existsSync } from 'node:fs'
import { dirname, relative, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { simulateAll, SimulationFailure } from '../actors/testing.ts'
import type { CampaignOptions, CampaignReport, MakeWorld } from '../actors/testing.ts'
import { beginStep } from './process/progress-step.ts'

const usage = 'npm run simulate -- [FILE] [--seeds N] [--from S] [--seed S] [--json]'
const seedsDefault = 100
const root = dirname(dirname(fileURLToPath(import.meta.url)))
const campaign = 'specs/simulation/sync/campaign.ts'

interface Simulated {
  readonly world: MakeWorld<unknown>
  readonly options: CampaignOptions
  /** Lines about all runs together. */
  readonly summary?: () => Promise<readonly string[]>
  /** The same as data. */
  readonly details?: () => Promise<object>
}

interface Arguments {
  readonly path: string
  /** As the command that replays a seed names it. */
  readonly file: string
  readonly from: number
  readonly seeds: number
  readonly json: boolean
}

function fail(code: number, message: string): never {
  process.stderr.write(`${message}\n`)
  process.exit(code)
}

async function load(path: string): Promise<Simulated> {
  const exported = (await import(pathToFileURL(path).href)) as Partial<Simulated>
  if (typeof exported.world !== 'function') fail(2, `${path} exports no function \`world\`; usage: ${usage}`)
  return { ...exported, world: exported.world, options: exported.options ?? {} }
}

function readArguments(args: readonly string[]): Arguments {
  const text = { type: 'string' } as const
  const options = { seed: text, from: text, seeds: text, count: text, json: { type: 'boolean' } } as const
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true })
    const [file, ...more] = positionals
    if (more.length > 0) throw new TypeError(`one file, not ${positionals.join(', ')}`)
    const path = file === undefined ? resolve(root, campaign) : resolve(file)
    if (!existsSync(path)) throw new TypeError(`there is no file ${file}`)
    const seed = wholeNumber('--seed', values.seed)
    const seeds = wholeNumber('--seeds', values.seeds ?? values.count)
    return {
      path,
      file: file === undefined ? '' : `${relative(process.cwd(), path)} `,
      from: seed ?? wholeNumber('--from', values.from) ?? 1,
      seeds: seeds ?? (seed === undefined ? seedsDefault : 1),
      json: values.json ?? false,
    }
  } catch (error) {
    return fail(2, `${error instanceof Error ? error.message : String(error)}; usage: ${usage}`)
  }
}

function wholeNumber(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value))
    throw new TypeError(`${name}: expected a whole number, got ${text}`)
  return value
}

const { path, file, from, seeds, json } = readArguments(process.argv.slice(2))
const { world, options, summary, details } = await load(path)
const replay = (seed: number): string => `npm run simulate -- ${file}--seed ${seed}`

let running = from
process.on('unhandledRejection', (error) => {
  tellFailure(error)
  process.stderr.write(`a promise of seed ${running} or of an earlier one was rejected and nobody looked\n`)
  process.stderr.write(
    `${error instanceof Error ? error.stack : String(error)}\n  replay: ${replay(running)}\n`,
  )
  process.exit(1)
})
const startedMs = performance.now()
const seconds = (): number => (performance.now() - startedMs) / 1_000
const step = beginStep(() => {
  const perSecond = (running - from) / Math.max(seconds(), 0.001)
  const left = perSecond === 0 ? '' : `, ${Math.round((from + seeds - running) / perSecond)} s left`
  return `seed ${running}, ${perSecond.toFixed(1)} seeds/s${left}`
}, seeds)
try {
  const report = await simulateAll(world, {
    ...options,
    from,
    count: seeds,
    replay,
    progress: ({ seed }) => {
      running = seed + 1
      step.at(running - from)
    },
  })
  step.end()
  await tell(report)
} catch (error) {
  step.end()
  tellFailure(error)
  if (error instanceof SimulationFailure) process.stderr.write(`${stackOf(error.cause)}\n\n`)
  fail(1, error instanceof SimulationFailure ? error.message : stackOf(error))
}

function tellFailure(error: unknown): void {
  const cause = error instanceof SimulationFailure ? error.cause : error
  const problem = cause instanceof Error ? cause.message : String(cause)
  if (json) process.stdout.write(`${JSON.stringify({ failed: running, problem, replay: replay(running) })}\n`)
}

async function tell(report: CampaignReport): Promise<void> {
  const took = seconds()
  if (json) {
    const found = { ...report, seconds: took, ...(await details?.()) }
    process.stdout.write(`${JSON.stringify(found)}\n`)
    return
  }
  const minutes = (report.virtualMs / 60_000).toFixed(1)
  process.stdout.write(`faults: ${JSON.stringify(report.faults)}\n`)
  for (const line of (await summary?.()) ?? []) process.stdout.write(`${line}\n`)
  process.stdout.write(
    `${seeds} seeds from ${from} hold: ${report.boots} boots, ${minutes} virtual minutes in ${took.toFixed(1)} s\n`,
  )
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
