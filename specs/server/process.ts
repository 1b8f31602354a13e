/** `blazedb` as a child process on loopback, for specs: what it prints, and how it ends. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createNodeEnv } from '../../runtime/index.ts'
import { loaderArgs } from '../../scripts/typescript/loader.ts'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const main = join(root, 'server', 'main.ts')
const env = createNodeEnv()
/** A start takes about a second on an idle machine. */
const patienceMs = 60_000

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  readonly child: ChildProcess
  /** Resolves when the process has ended and its output is complete. */
  readonly ended: Promise<Ended>
  /** Resolves with the first whole line on stdout; rejects with stderr when it ends without one. */
  readonly firstLine: Promise<string>
}

export interface Ready {
  readonly listen: readonly string[]
  readonly ops: string
  readonly enrolment: string | null
}

/** Runs `blazedb ARGS`; it is killed when it outlasts every patience. */
export function runBlazedb(args: readonly string[]): Running {
  const variables = Object.entries(process.env).filter(([name]) => !name.startsWith('BLAZEDB_'))
  const child = spawn(process.execPath, [...loaderArgs(), main, ...args], {
    cwd: root,
    env: { ...Object.fromEntries(variables), BLAZEDB_LOCAL: 'none' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  let gotLine: (line: string) => void = () => {}
  let noLine: (error: Error) => void = () => {}
  const firstLine = new Promise<string>((resolve, reject) => {
    gotLine = resolve
    noLine = reject
  })
  // Whoever only waits for the end does not ask for a line.
  firstLine.catch(() => undefined)
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
    const end = stdout.indexOf('\n')
    if (end >= 0) gotLine(stdout.slice(0, end))
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const timer = env.after(patienceMs, () => child.kill('SIGKILL'))
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (code, signal) => {
      timer.cancel()
      noLine(new Error(`blazedb ended with ${code ?? signal} and said:\n${stderr}`))
      resolve({ code, signal, stdout, stderr })
    })
  })
  return { child, ended, firstLine }
}

/** `blazedb serve` on free ports, once it is ready. */
export async function serveBlazedb(
  data: string,
  args: readonly string[] = [],
): Promise<Running & { ready: Ready }> {
  const ports = ['--listen', 'tls://127.0.0.1:0', '--ops', 'http://127.0.0.1:0']
  const running = runBlazedb(['serve', '--data', data, ...ports, '--json', ...args])
  const ready: Ready = JSON.parse(await running.firstLine)
  return { ...running, ready }
}
