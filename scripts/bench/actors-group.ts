/**
 * Group `actors`: this kernel beside nact, XState, a bare ring buffer and Erlang, on the smallest things that actors do.
 *
 * Invariant: each figure comes from a fresh process that ran nothing else and counted its work as finished; systems take turns, and
 * begin in another order each round.
 */
import { execFileSync, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { actorCases, targets } from './actors-plan.ts'
import type { ActorCase, ActorSystem } from './actors-plan.ts'
import { printTable, sayTargets } from './headline-table.ts'
import { inTurn } from './report.ts'
import type { GroupOptions, Headline } from './report.ts'

/** The same for every system that runs on Node; the heap has room for a million actors of any of them. */
const nodeFlags = ['--expose-gc', '--max-old-space-size=8192']
/** Room for the processes of skynet. */
const erlangFlags = ['-noshell', '+P', '4000000']
/** A system that needs longer for one figure has none. */
const childMs = 60_000

const here = dirname(fileURLToPath(import.meta.url))

const programs: Readonly<Record<Exclude<ActorSystem, 'erlang'>, string>> = {
  blazedb: 'actors-blazedb.js',
  nact: 'actors-nact.js',
  xstate: 'actors-xstate.js',
  'bare ring': 'actors-ring.js',
}

type Answer = { readonly value: number } | { readonly unfinished: string }

export async function runActorsGroup(options: GroupOptions): Promise<void> {
  const { quick, rounds, report, stage, only } = options
  const cases = actorCases(quick).filter(({ bench }) => only === undefined || bench === only)
  const erlang = compileErlang(stage.makeDirectory('erlang'))
  process.stderr.write(`node ${process.version} ${nodeFlags.join(' ')}; erl ${erlangFlags.join(' ')}\n`)
  let child: ChildProcess | undefined
  stage.own('actors', async () => void child?.kill('SIGKILL'))
  const unfinished = new Set<string>()
  for (let round = 1; round <= rounds; round += 1) {
    process.stderr.write(`actors: round ${round} of ${rounds}\n`)
    for (const plan of cases) {
      for (const system of inTurn(plan.systems, round)) {
        const key = `${plan.bench} of ${system}`
        if (unfinished.has(key) || (system === 'erlang' && erlang === undefined)) continue
        child = system === 'erlang' ? startErlang(plan, erlang ?? '') : startNode(plan, system)
        const answer = await answerOf(child, key)
        if ('value' in answer) report.round({ ...plan, system }, answer.value)
        else {
          if (system === 'blazedb') throw new Error(answer.unfinished)
          process.stderr.write(`NO FIGURE: ${answer.unfinished}\n`)
          unfinished.add(key)
        }
      }
    }
  }
  const headlines = report.headlines()
  printTable(headlines, [...unfinished])
  sayTargets(targets, headlines)
  sayTap(headlines)
}

/** What a tap costs that nobody listens at any more. */
function sayTap(headlines: readonly Headline[]): void {
  const find = (listener: string): number =>
    headlines.find(({ measure }) => measure.bench === 'tap-off' && measure.params['listener'] === listener)
      ?.value ?? Number.NaN
  const ratio = find('gone') / find('never')
  if (Number.isFinite(ratio))
    process.stderr.write(`tap-off: ${ratio.toPrecision(3)} of the speed without a listener ever\n`)
}

/** Where the compiled module is; undefined, and said aloud, when this machine has no Erlang. */
function compileErlang(at: string): string | undefined {
  try {
    execFileSync('erlc', ['-o', at, join(here, 'actors.erl')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    return at
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    process.stderr.write('NO FIGURES OF ERLANG: there is no erlc on the PATH; install Erlang to have them\n')
    return undefined
  }
}

function startNode({ bench, params }: ActorCase, system: Exclude<ActorSystem, 'erlang'>): ChildProcess {
  const program = join(here, programs[system])
  return spawn(process.execPath, [...nodeFlags, program, bench, JSON.stringify(params)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}

/** It gets the numbers of the parameters in their order. */
function startErlang({ bench, params }: ActorCase, at: string): ChildProcess {
  const sizes = Object.values(params).map(String)
  return spawn('erl', [...erlangFlags, '-pa', at, '-run', 'actors', 'main', bench, ...sizes], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}

/** Rejects when the child says that its work was not done. */
async function answerOf(child: ChildProcess, what: string): Promise<Answer> {
  let text = ''
  child.stdout?.setEncoding('utf8').on('data', (part: string) => (text += part))
  let late = false
  const timer = setTimeout(() => {
    late = true
    child.kill('SIGKILL')
  }, childMs)
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (...ended) => resolve(ended))
  }).finally(() => clearTimeout(timer))
  if (late) return { unfinished: `${what}: not finished within ${childMs / 1_000} s` }
  if (signal !== null) return { unfinished: `${what}: its process died by ${signal}` }
  if (code !== 0) throw new Error(`${what}: exit code ${code}`)
  const { value } = JSON.parse(text) as { value: number }
  if (!(value > 0)) throw new Error(`${what}: ${value} is no figure`)
  return { value }
}
