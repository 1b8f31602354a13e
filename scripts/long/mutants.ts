/**
 * `npm run long -- mutants [--seeds N] [--only TEXT] [--jobs 1|2] [--minutes N] [--json]`: removes one rule of replication after the
 * other (`scripts/mutants/*.patch`) in a copy of the tree, and lets the unchanged campaign look for it, from seed 1. Exit codes: 0 when at
 * most one rule in twenty is not missed, 1 when more are, or a patch does not fit or compile.
 *
 * Invariant: a mutant counts as found only by a named seed that fails with it and holds without it; one that does not fit, compile or end
 * is no find.
 */
import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { patched, reasonToSurvive, write } from '../mutants/apply.ts'
import type { Patched } from '../mutants/apply.ts'
import { beginStep } from '../process/progress-step.ts'
import { longRoot, numberOf } from './long-lane.ts'
import type { LongLane } from './long-lane.ts'

interface Outcome {
  readonly mutant: string
  readonly result:
    | 'found'
    | 'survived'
    | 'does not fit'
    | 'does not compile'
    | 'took too long'
    | 'no result'
    | 'fails without it too'
  /** Seeds until it was found, or that were tried. */
  readonly seeds: number
  readonly seconds: number
  /** What the campaign said, or why there is no result. */
  readonly problem: string
}

interface Search {
  readonly seeds: number
  readonly limitMs: number
  /** What the types of the tree itself complain of. */
  readonly known: ReadonlySet<string>
}

const jobsMax = 2
/** Of the mutants, that may survive. */
const survivorShareMax = 1 / 20
const copied = ['actors', 'runtime', 'transports', 'server', 'specs', 'scripts', 'examples']
const files = ['package.json', 'tsconfig.json']
const compileMsMax = 300_000
const problemCharsMax = 240
/** Of the tree without a mutant. */
const controlSeeds = 20

export const mutantsLane: LongLane = {
  options: {
    seeds: { type: 'string' },
    only: { type: 'string' },
    jobs: { type: 'string' },
    minutes: { type: 'string' },
    json: { type: 'boolean' },
  },
  usage: '[--seeds N] [--only TEXT] [--jobs 1|2] [--minutes N] [--json]',
  async run(values) {
    const seeds = numberOf('seeds', values['seeds'] ?? '1000')
    const limitMs = numberOf('minutes', values['minutes'] ?? '20') * 60_000
    const jobs = Math.max(1, Math.min(jobsMax, numberOf('jobs', values['jobs'] ?? String(jobsMax))))
    const names = mutantNames().filter((name) => name.includes(values['only'] ?? ''))
    process.stderr.write(`mutants: ${names.length}, up to ${seeds} seeds each from seed 1\n`)
    const step = beginStep('mutants', names.length)
    const waiting = [...names]
    const outcomes: Outcome[] = []
    const work = async (): Promise<void> => {
      const copy = copyTree()
      try {
        const known = await typeErrors(copy)
        await expectSound(copy, limitMs)
        for (;;) {
          const name = waiting.shift()
          if (name === undefined) return
          const outcome = await judge(name, copy, { seeds, limitMs, known })
          outcomes.push(outcome)
          step.at(outcomes.length)
          process.stderr.write(`${outcome.mutant}: ${outcome.result}, ${outcome.seeds}\n`)
        }
      } finally {
        rmSync(copy, { recursive: true, force: true })
      }
    }
    await Promise.all(Array.from({ length: jobs }, work))
    step.end()
    outcomes.sort((a, b) => (a.mutant < b.mutant ? -1 : 1))
    return tell(outcomes, Boolean(values['json']))
  },
}

export function mutantNames(): string[] {
  return readdirSync(join(longRoot, 'scripts', 'mutants'))
    .filter((name) => name.endsWith('.patch'))
    .sort()
}

export function mutantPatch(name: string): string {
  return readFileSync(join(longRoot, 'scripts', 'mutants', name), 'utf8')
}

function copyTree(): string {
  const copy = mkdtempSync(join(tmpdir(), 'blazedb-mutant-'))
  for (const name of [...copied, ...files])
    cpSync(join(longRoot, name), join(copy, name), { recursive: true })
  symlinkSync(join(longRoot, 'node_modules'), join(copy, 'node_modules'))
  mkdirSync(join(copy, '.types'))
  return copy
}

async function judge(name: string, copy: string, search: Search): Promise<Outcome> {
  const mutant = name.replace(/\.patch$/, '')
  const startMs = performance.now()
  const outcome = (result: Outcome['result'], seeds: number, problem: string): Outcome => {
    const seconds = Math.round((performance.now() - startMs) / 1_000)
    return { mutant, result, seeds, seconds, problem: problem.slice(0, problemCharsMax) }
  }
  let changes: Patched[]
  try {
    changes = patched(mutantPatch(name), copy)
  } catch (error) {
    return outcome('does not fit', 0, error instanceof Error ? error.message : String(error))
  }
  write(changes, copy, 'after')
  let isMutated = true
  const undo = (): void => {
    if (isMutated) write(changes, copy, 'before')
    isMutated = false
  }
  try {
    const wrong = [...(await typeErrors(copy))].find((error) => !search.known.has(error))
    if (wrong !== undefined) return outcome('does not compile', 0, wrong)
    const campaign = await run(copy, simulator(['--seeds', search.seeds]), search.limitMs)
    if (campaign.code === 0) return outcome('survived', search.seeds, reasonToSurvive(mutantPatch(name)))
    if (campaign.code === null)
      return outcome('took too long', 0, `more than ${search.limitMs / 60_000} minutes`)
    const { failed, problem } = resultOf(campaign.stdout)
    if (failed === undefined) return outcome('no result', 0, campaign.stderr)
    undo()
    const { code } = await run(copy, simulator(['--seed', failed]), search.limitMs)
    return outcome(code === 0 ? 'found' : 'fails without it too', failed, problem)
  } finally {
    undo()
  }
}

/** A tree that fails by itself would find every mutant. */
async function expectSound(copy: string, limitMs: number): Promise<void> {
  const { code, stdout, stderr } = await run(copy, simulator(['--seeds', controlSeeds]), limitMs)
  if (code === 0) return
  throw new Error(`the tree itself fails the campaign: ${resultOf(stdout).problem || stderr}`)
}

async function typeErrors(copy: string): Promise<Set<string>> {
  const tsc = join(longRoot, 'node_modules', 'typescript', 'bin', 'tsc')
  const args = [tsc, '--noEmit', '--incremental', '--tsBuildInfoFile', join(copy, '.types', 'info')]
  const { code, stdout } = await run(copy, args, compileMsMax)
  if (code === null) throw new Error(`tsc: no answer within ${compileMsMax / 1_000} s`)
  return new Set(stdout.split('\n').filter((line) => line.includes('error TS')))
}

function simulator(seeds: readonly [option: string, number: number]): string[] {
  return ['--import', import.meta.resolve('tsx'), 'scripts/simulate.ts', ...seeds.map(String), '--json']
}

function resultOf(stdout: string): { readonly failed: number | undefined; readonly problem: string } {
  const line = stdout.trim().split('\n').at(-1) ?? ''
  if (!line.startsWith('{')) return { failed: undefined, problem: '' }
  const { failed, problem } = JSON.parse(line) as { failed?: number; problem?: string }
  return { failed, problem: problem ?? '' }
}

/** `code` is null when it took too long. */
function run(
  cwd: string,
  args: readonly string[],
  limitMs: number,
): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
  const child = spawn(process.execPath, args, {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: limitMs,
    killSignal: 'SIGKILL',
  })
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => void (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => void (stderr += text))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, stdout, stderr }))
  })
}

function tell(outcomes: readonly Outcome[], json: boolean): number {
  const found = outcomes.filter(({ result }) => result === 'found').length
  const holds = outcomes.length - found <= Math.floor(outcomes.length * survivorShareMax)
  if (json) process.stdout.write(`${JSON.stringify({ found, of: outcomes.length, mutants: outcomes })}\n`)
  else {
    const width = Math.max(...outcomes.map(({ mutant }) => mutant.length))
    for (const { mutant, result, seeds, seconds, problem } of outcomes)
      process.stdout.write(
        `${mutant.padEnd(width)}  ${result === 'found' ? `seed ${String(seeds).padStart(4)}` : result}  ${seconds} s  ${problem}\n`,
      )
    process.stdout.write(`${found} of ${outcomes.length} mutants found\n`)
  }
  return holds ? 0 : 1
}
