/**
 * Builds the package into a temporary directory and looks at it as a user would: what publint says, and
 * whether plain Node can import every door and start the command.
 *
 * Invariant: touches nothing in the checkout.
 */
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const at = mkdtempSync(join(tmpdir(), 'blazedb-package-'))
const problems: string[] = []

function run(what: string, program: string, args: readonly string[]): void {
  try {
    execFileSync(program, args, {
      cwd: at,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 60_000,
    })
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string }
    problems.push(`${what} failed:\n${stdout ?? ''}${stderr ?? ''}`.trimEnd())
  }
}

interface Manifest {
  readonly exports: Record<string, { readonly default: string }>
  readonly bin: Record<string, string>
}

try {
  copyFileSync(join(root, 'package.json'), join(at, 'package.json'))
  symlinkSync(join(root, 'node_modules'), join(at, 'node_modules'))
  const manifest = JSON.parse(readFileSync(join(at, 'package.json'), 'utf8')) as Manifest

  run('build', join(root, 'node_modules/.bin/tsc'), [
    '-p',
    join(root, 'tsconfig.build.json'),
    '--outDir',
    join(at, 'dist'),
  ])
  if (problems.length === 0) {
    const { messages, pkg } = await publint({ pkgDir: at, pack: false, strict: true })
    for (const message of messages) problems.push(`publint: ${formatMessage(message, pkg) ?? message.code}`)
    for (const door of Object.keys(manifest.exports)) {
      const name = `blazedb${door.slice(1)}`
      run(`import '${name}'`, process.execPath, ['--input-type=module', '-e', `await import('${name}')`])
    }
    for (const [name, path] of Object.entries(manifest.bin))
      run(`${name} --help`, process.execPath, [path, '--help'])
  }
} finally {
  rmSync(at, { recursive: true, force: true })
}

for (const problem of problems) console.log(problem)
process.exitCode = problems.length === 0 ? 0 : 1
