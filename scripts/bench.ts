/**
 * Benchmarks: `npm run bench -- GROUP …`, groups `actors`, `channel`, `store`, `sync` and `topology`; options `--quick`,
 * `--rounds N`, `--seed N`, for all but `topology` `--only BENCH`, for `store` `--records N`.
 *
 * Invariant: what is measured is what a package would contain. The sources are compiled to a temporary directory and run by plain
 * Node: under tsx every closure costs more, which would be measured too. Figures go to stdout, one JSON line each, all else to stderr.
 */
import { execFileSync, spawn } from 'node:child_process'
import { copyFileSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Stage } from './process/stage.ts'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

function build(at: string): void {
  copyFileSync(join(root, 'package.json'), join(at, 'package.json'))
  symlinkSync(join(root, 'node_modules'), join(at, 'node_modules'))
  const tsc = join(root, 'node_modules/.bin/tsc')
  const project = join(root, 'scripts/bench/tsconfig.json')
  try {
    execFileSync(tsc, ['-p', project, '--outDir', at], {
      stdio: ['ignore', 'pipe', 'inherit'],
      timeout: 120_000,
    })
  } catch (error) {
    const { stdout } = error as { stdout?: Buffer }
    throw new Error(`the sources do not compile:\n${stdout?.toString() ?? String(error)}`, { cause: error })
  }
  const erlang = 'scripts/bench/actors.erl'
  copyFileSync(join(root, erlang), join(at, erlang))
}

/** Resolves with its exit code. */
async function run(stage: Stage, args: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, [join(stage.directory, 'scripts/bench/run.js'), ...args], {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => resolve(code ?? 1))
  })
  // Ctrl-C reaches it too, and it cleans up by itself.
  stage.own('benchmarks', async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
    await ended
  })
  return ended
}

const stage = new Stage('bench-build')
try {
  build(stage.directory)
  process.exitCode = await run(stage, process.argv.slice(2))
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
} finally {
  if (!stage.interrupted) await stage.close()
}
