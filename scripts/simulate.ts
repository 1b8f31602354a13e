/**
 * `npm run simulate -- FILE [--seed N] [--count N]` runs the `world` that FILE exports (a `MakeWorld` of `blazedb/testing`; also
 * `options`, if it has some), 100 seeds from 1 unless told otherwise. `--seed N` alone is one seed, as the message of a failure says.
 * Exit codes: 0 all seeds hold, 1 one does not, 2 wrong arguments.
 *
 * Invariant: it ends with one line, and a failure always names its seed, also when a promise of the world rejects unheard.
 */
import { existsSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { simulateAll, SimulationFailure, simulationArguments } from '../actors/testing.ts'
import type { CampaignOptions, MakeWorld, SimulationArguments } from '../actors/testing.ts'

const usage = 'npm run simulate -- FILE [--seed N] [--count N]'
const countDefault = 100
const firstDefault = 1

interface Simulated {
  readonly world: MakeWorld<unknown>
  readonly options: CampaignOptions
}

function fail(code: number, message: string): never {
  process.stderr.write(`${message}\n`)
  process.exit(code)
}

async function load(path: string): Promise<Simulated> {
  const exported = (await import(pathToFileURL(path).href)) as Partial<Simulated>
  if (typeof exported.world !== 'function') fail(2, `${path} exports no function \`world\`; usage: ${usage}`)
  return { world: exported.world, options: exported.options ?? {} }
}

function readArguments(args: readonly string[]): SimulationArguments {
  try {
    return simulationArguments(['', '', ...args])
  } catch (error) {
    return fail(2, `${error instanceof Error ? error.message : String(error)}; usage: ${usage}`)
  }
}

const [file = '', ...args] = process.argv.slice(2)
const path = resolve(file)
const { from = firstDefault, count = countDefault } = readArguments(args)
if (file === '' || !existsSync(path)) fail(2, `there is no file ${file}; usage: ${usage}`)
const { world, options } = await load(path)
const replay = (seed: number): string => `npm run simulate -- ${relative(process.cwd(), path)} --seed ${seed}`

let running = from
process.on('unhandledRejection', (error) => {
  process.stderr.write(`a promise of seed ${running} or of an earlier one was rejected and nobody looked\n`)
  process.stderr.write(
    `${error instanceof Error ? error.stack : String(error)}\n  replay: ${replay(running)}\n`,
  )
  process.exit(1)
})
const startedMs = performance.now()
try {
  const report = await simulateAll(world, {
    ...options,
    from,
    count,
    replay,
    progress: ({ seed }) => {
      running = seed + 1
    },
  })
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
  const minutes = (report.virtualMs / 60_000).toFixed(1)
  process.stdout.write(`faults: ${JSON.stringify(report.faults)}\n`)
  process.stdout.write(
    `${count} seeds from ${from} hold: ${report.boots} boots, ${minutes} virtual minutes in ${seconds} s\n`,
  )
} catch (error) {
  if (error instanceof SimulationFailure) process.stderr.write(`${stackOf(error.cause)}\n\n`)
  fail(1, error instanceof SimulationFailure ? error.message : stackOf(error))
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
