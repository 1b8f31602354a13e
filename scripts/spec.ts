/**
 * Runs spec files, each in a child process with a time limit, several at once, and counts what they report.
 *
 * Invariant: nothing passes silently. A file that reports no test, hangs, exits badly or keeps handles open is
 * counted as failed, and whatever a spec skipped is named above the last line.
 *
 * `npx tsx scripts/spec.ts [part of a path …]`. A line `// time limit: 240 s` among the first lines of a file
 * raises its limit; a line `// alone` makes it run by itself after the others, `// last` after all of those.
 *
 * Spec processes write down which states and transitions of machines they visit, for the last files to judge. That needs all of them, so
 * a run with filters does so only when the caller names a directory in `BLAZEDB_SPEC_VISITS`, which may gather several runs.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { loaderArgs, loaderVariable } from './typescript/loader.ts'
import { transpile } from './typescript/transpile.ts'

/** Seconds a file may take when it does not say otherwise. */
const timeLimitSecondsDefault = 120
/** Lines at the top of a file in which marks are looked for. */
const markLinesMax = 20
/** Characters of a child's output that are kept; the middle of a longer output is cut. */
const outputCharsMax = 200_000
/** Lines of a failed file's result that the closing lines repeat: a log may be read from its end, or cut. */
const repeatedLinesMax = 40
/** Transpiling all of the tree costs what this many processes lose when each does its own part. */
const transpiledFilesMin = 10
/** Preloaded into spec processes, where it exists. */
const recorder = 'specs/fixtures/visit-recorder.ts'
/** Names the directory in which the recorder leaves what it saw. */
const visitsVariable = 'BLAZEDB_SPEC_VISITS'

export interface SpecFile {
  /** Relative to the root, with forward slashes. */
  readonly path: string
  readonly timeLimitSeconds: number
  readonly alone: boolean
  readonly last: boolean
}

export interface SpecResult {
  readonly path: string
  readonly passed: number
  readonly failed: number
  /** Sentences that name what did not run. */
  readonly skipped: readonly string[]
  /** Why the file as a whole failed, if it did. */
  readonly fault: string | undefined
  readonly seconds: number
  readonly output: string
}

export interface SpecSummary {
  readonly passed: number
  readonly failed: number
  readonly skipped: readonly string[]
  /** The results of failed files as they were printed, each shortened to `repeatedLinesMax` lines. */
  readonly failures: readonly string[]
}

/** Lists `specs/**\/*.spec.ts` below `root`, with their marks. */
export function findSpecs(root: string, filters: readonly string[]): SpecFile[] {
  return readdirSync(join(root, 'specs'), { recursive: true, encoding: 'utf8' })
    .map((name) => `specs/${name.replaceAll('\\', '/')}`)
    .filter((path) => path.endsWith('.spec.ts'))
    .filter(
      (path) => filters.length === 0 || filters.some((part) => path.includes(part.replace(/^\.\//, ''))),
    )
    .sort()
    .map((path) => ({ path, ...readMarks(readFileSync(join(root, path), 'utf8')) }))
}

/** Reads the marks at the top of a spec file. */
export function readMarks(text: string): Omit<SpecFile, 'path'> {
  const head = text.split('\n', markLinesMax)
  const limit = head
    .map((line) => /^\/\/ time limit: (\d+) s$/.exec(line.trim()))
    .find((found) => found !== null)
  const marked = (mark: string): boolean => head.some((line) => line.trim() === mark)
  return {
    timeLimitSeconds: limit ? Number(limit[1]) : timeLimitSecondsDefault,
    alone: marked('// alone'),
    last: marked('// last'),
  }
}

/** Judges what a finished child printed. */
export function judge(
  output: string,
  exit: { code: number | null; timedOutAfterSeconds?: number },
): Judgement {
  const text = stripVTControlCharacters(output)
  const count = (label: string): number =>
    [...text.matchAll(new RegExp(`^\\s*${label}:\\s+(\\d+)\\s*$`, 'gm'))].reduce(
      (sum, m) => sum + Number(m[1]),
      0,
    )
  const [total, passed, skippedTests] = [count('Total'), count('Passed'), count('Skipped')]
  const skipped = [...text.matchAll(/^[\s•✘]*SKIPPED: *(.*)$/gm)].map((match) => (match[1] ?? '').trim())
  if (skippedTests > 0) skipped.push(`${skippedTests} tests marked skip, or left out by an only`)

  let fault: string | undefined
  if (exit.timedOutAfterSeconds !== undefined) {
    const when = total > 0 ? 'after its tests ended: something is still open' : 'before its tests ended'
    fault = `stopped by the time limit of ${exit.timedOutAfterSeconds} s ${when}`
  } else if (total === 0) {
    fault = `reported no test (exit code ${exit.code}): is test.run() missing, or did it end early?`
  } else if (exit.code !== 0 && passed === total) {
    fault = `its tests passed, but it ended with exit code ${exit.code}`
  }
  return { passed, failed: total - passed + (fault === undefined ? 0 : 1), skipped, fault }
}

type Judgement = Pick<SpecResult, 'passed' | 'failed' | 'skipped' | 'fault'>

/** Runs every file that matches a filter (all without filters) and prints as it goes. */
export async function runSpecs(options: {
  root: string
  filters: readonly string[]
  print: (line: string) => void
}): Promise<SpecSummary> {
  const { root, filters, print } = options
  const files = findSpecs(root, filters)
  if (files.length === 0) {
    print(`no spec file matches ${filters.join(' ') || 'specs/**/*.spec.ts'}`)
    return { passed: 0, failed: 1, skipped: [], failures: [] }
  }

  const worthIt =
    files.length >= transpiledFilesMin && existsSync(join(root, 'scripts/typescript/preload.ts'))
  const transpiled = worthIt ? await transpile(root) : undefined
  const visits = openVisits(root, filters)
  const close = (): void => {
    visits.close()
    transpiled?.close()
  }
  // Children lead process groups of their own, so an interrupt has to be handed on.
  const interrupt = (): never => {
    for (const pid of running) killGroup(pid)
    close()
    process.exit(130)
  }
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt)

  const results: SpecResult[] = []
  const runOne = async (file: SpecFile): Promise<void> => {
    const result = await runFile(root, file, { visits, loader: transpiled?.loader })
    results.push(result)
    print(formatResult(result, `${results.length}/${files.length}`))
  }
  // The files with the longest limits start first, so that none of them is left running at the end.
  const together = files
    .filter((f) => !f.alone && !f.last)
    .sort((a, b) => b.timeLimitSeconds - a.timeLimitSeconds)
  const worker = async (): Promise<void> => {
    for (let file = together.shift(); file !== undefined; file = together.shift()) await runOne(file)
  }
  await Promise.all(Array.from({ length: availableParallelism() + 1 }, worker))
  for (const file of files.filter((f) => f.alone && !f.last)) await runOne(file)
  for (const file of files.filter((f) => f.last)) await runOne(file)
  process.off('SIGINT', interrupt).off('SIGTERM', interrupt)
  close()

  results.sort((a, b) => (a.path < b.path ? -1 : 1))
  return {
    passed: results.reduce((sum, result) => sum + result.passed, 0),
    failed: results.reduce((sum, result) => sum + result.failed, 0),
    skipped: results.flatMap((result) => result.skipped.map((what) => `${result.path}: ${what}`)),
    failures: results
      .filter((result) => result.failed > 0)
      .map((result) => cutMiddle(formatResult(result, ''), repeatedLinesMax)),
  }
}

/** Prints the closing lines: failures again, what was skipped, then the totals, alone on the last line. */
export function printSummary(summary: SpecSummary, print: (line: string) => void): void {
  for (const failure of summary.failures) print(failure)
  for (const what of summary.skipped) print(`SKIPPED: ${what}`)
  print(`${summary.passed} passed, ${summary.failed} failed`)
}

/** Where the spec processes of this run leave their visits; undefined when the run is not asked for them. */
interface VisitStore {
  readonly directory: string | undefined
  readonly preload: readonly string[]
  close(): void
}

function openVisits(root: string, filters: readonly string[]): VisitStore {
  const preload = ['--import', pathToFileURL(join(root, recorder)).href]
  const given = process.env[visitsVariable]
  const none = { directory: undefined, preload: [], close() {} }
  if (!existsSync(join(root, recorder))) return none
  if (given !== undefined) {
    const directory = resolve(given)
    mkdirSync(directory, { recursive: true })
    return { directory, preload, close() {} }
  }
  if (filters.length > 0) return none
  const directory = mkdtempSync(join(tmpdir(), 'blazedb-visits-'))
  return { directory, preload, close: () => rmSync(directory, { recursive: true, force: true }) }
}

const running = new Set<number>()

interface SpecSetting {
  readonly visits: VisitStore
  /** Undefined: tsx. */
  readonly loader: string | undefined
}

function runFile(root: string, file: SpecFile, { visits, loader }: SpecSetting): Promise<SpecResult> {
  const startedMs = performance.now()
  const env = {
    ...process.env,
    NO_COLOR: '1',
    FORCE_COLOR: '0',
    [loaderVariable]: loader,
    ...(visits.directory === undefined ? {} : { [visitsVariable]: visits.directory }),
  }
  return new Promise((done) => {
    // What judges the visits adds none.
    const preload = [...loaderArgs(env), ...(file.last ? [] : visits.preload)]
    const child = spawn(process.execPath, [...preload, file.path], {
      cwd: root,
      // Its own process group, so that servers which a spec started end with it.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env,
    })
    const pid = child.pid
    if (pid !== undefined) running.add(pid)

    let output = ''
    const keep = (chunk: string): void => {
      output += chunk
      if (output.length > 2 * outputCharsMax) {
        output = `${output.slice(0, outputCharsMax / 2)}\n… cut …\n${output.slice(-outputCharsMax / 2)}`
      }
    }
    child.stdout.setEncoding('utf8').on('data', keep)
    child.stderr.setEncoding('utf8').on('data', keep)

    let timedOut = false
    const timer = setTimeout(() => {
      timedOut = true
      killGroup(pid)
    }, file.timeLimitSeconds * 1000)

    child.on('error', (error) => keep(`could not start: ${error.message}\n`))
    child.on('exit', () => killGroup(pid))
    child.on('close', (code) => {
      clearTimeout(timer)
      if (pid !== undefined) running.delete(pid)
      const exit = timedOut ? { code, timedOutAfterSeconds: file.timeLimitSeconds } : { code }
      const seconds = (performance.now() - startedMs) / 1000
      done({ path: file.path, ...judge(output, exit), seconds, output })
    })
  })
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    // ESRCH: the whole group has ended already, which is what we want.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function formatResult(result: SpecResult, place: string): string {
  const mark = result.failed > 0 ? 'FAILED' : 'ok'
  const counts = `${result.passed} passed${result.failed > 0 ? `, ${result.failed} failed` : ''}`
  const line = `${place.padStart(7)}  ${mark.padEnd(6)}  ${result.path.padEnd(52)} ${counts} (${result.seconds.toFixed(1)} s)`
  if (result.failed === 0) return line
  const why = result.fault === undefined ? '' : `\n         ${result.fault}`
  return `${line}${why}\n${result.output.trimEnd().replaceAll(/^/gm, '         | ')}`
}

function cutMiddle(text: string, linesMax: number): string {
  const lines = text.split('\n')
  if (lines.length <= linesMax) return text
  const half = Math.floor((linesMax - 1) / 2)
  return [...lines.slice(0, half), '         | … cut …', ...lines.slice(-half)].join('\n')
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const summary = await runSpecs({ root: process.cwd(), filters: process.argv.slice(2), print: console.log })
  printSummary(summary, console.log)
  process.exitCode = summary.failed === 0 ? 0 : 1
}
