/**
 * Everything that must hold before a change lands: types, lint, format, unused code, house rules, the built
 * package, then the specs. CI runs exactly this.
 *
 * Invariant: each tool counts as one check in the totals, a failing one never hides the others, and the last
 * line is `N passed, N failed`.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { printSummary, runSpecs } from './spec.ts'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const bin = join(root, 'node_modules', '.bin')
/** A tool that needs longer than this is stuck. */
const toolTimeLimitMs = 180_000

const folders = ['runtime', 'transports', 'actors', 'server', 'specs', 'scripts', 'examples'].filter(
  (folder) => existsSync(join(root, folder)),
)

const tools: readonly { name: string; what: string; command: readonly string[] }[] = [
  { name: 'types', what: 'tsc', command: ['tsc', '--noEmit'] },
  { name: 'lint', what: 'oxlint, with types', command: ['oxlint', '--deny-warnings', ...folders] },
  { name: 'format', what: 'prettier', command: ['prettier', '--check', '--log-level', 'warn', '.'] },
  { name: 'unused', what: 'knip', command: ['knip', '--no-progress'] },
  { name: 'tidy', what: 'scripts/tidy.ts', command: ['tsx', 'scripts/tidy.ts'] },
  { name: 'package', what: 'build, publint, doors', command: ['tsx', 'scripts/package.ts'] },
]

interface ToolResult {
  readonly passed: boolean
  readonly output: string
  readonly seconds: number
}

function runTool(command: readonly string[]): Promise<ToolResult> {
  const startedMs = performance.now()
  return new Promise((done) => {
    const [program = '', ...args] = command
    const child = spawn(join(bin, program), args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: toolTimeLimitMs,
      killSignal: 'SIGKILL',
      env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0' },
    })
    let output = ''
    const keep = (chunk: string): void => void (output += chunk)
    child.stdout.setEncoding('utf8').on('data', keep)
    child.stderr.setEncoding('utf8').on('data', keep)
    child.on('error', (error) => keep(`could not start ${program}: ${error.message}\n`))
    child.on('close', (code, signal) => {
      if (signal !== null) keep(`ended by ${signal}\n`)
      done({ passed: code === 0, output, seconds: (performance.now() - startedMs) / 1000 })
    })
  })
}

const startedMs = performance.now()
let toolsPassed = 0
const failures: string[] = []
for (const tool of tools) {
  const result = await runTool(tool.command)
  const mark = result.passed ? 'ok' : 'FAILED'
  console.log(
    `  ${mark.padEnd(6)}  ${tool.name.padEnd(8)} ${tool.what.padEnd(24)} (${result.seconds.toFixed(1)} s)`,
  )
  if (result.passed) toolsPassed += 1
  else {
    failures.push(tool.name)
    console.log(result.output.trimEnd().replaceAll(/^/gm, '         | '))
  }
}

const specs = await runSpecs({ root, filters: process.argv.slice(2), print: console.log })

const failed = failures.length + specs.failed
console.log(
  `\n  tools   ${toolsPassed} passed${failures.length > 0 ? `, failed: ${failures.join(', ')}` : ''}`,
)
console.log(`  specs   ${specs.passed} passed${specs.failed > 0 ? `, ${specs.failed} failed` : ''}`)
console.log(`  time    ${((performance.now() - startedMs) / 1000).toFixed(0)} s\n`)
printSummary({ ...specs, passed: toolsPassed + specs.passed, failed }, console.log)
process.exitCode = failed === 0 ? 0 : 1
