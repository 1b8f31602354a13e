/**
 * A child process of a script: starts a module in a process of its own and calls it.
 *
 * Invariant: every call ends, by its answer, its deadline, or the end of the child; a stage ends its children, by force if need be.
 */
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { loaderArgs } from '../typescript/loader.ts'
import { within } from './stage.ts'
import type { Stage } from './stage.ts'
import type { CallAnswer, Calls } from './call.ts'

/** A child that has not ended by then is killed. */
const leaveMsMax = 6_000

interface Waiting {
  readonly call: string
  resolve(result: unknown): void
  reject(error: Error): void
  readonly progress: ((count: number) => void) | undefined
}

export class Child<C extends Calls<C>> {
  readonly name: string
  readonly #process: ChildProcess
  readonly #ended: Promise<void>
  readonly #waiting = new Map<number, Waiting>()
  #calls = 0

  /**
   * `module` is relative to `base`, without its extension: `.ts` from a checkout, `.js` when built. `command` runs the process, as in
   * `nice -n 5`, and becomes it.
   */
  constructor(
    stage: Stage,
    options: { name: string; module: string; base: string; command?: readonly string[] },
  ) {
    this.name = options.name
    const { path, execArgv } = moduleAt(options.module, options.base)
    const [execPath, ...commandArgv] = [...(options.command ?? []), process.execPath]
    this.#process = fork(path, [], {
      execPath,
      execArgv: [...commandArgv, ...execArgv],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    this.#ended = new Promise((resolve) => {
      this.#process.once('exit', (code, signal) => {
        const how = signal ?? `exit code ${code}`
        for (const waiting of this.#waiting.values())
          waiting.reject(new Error(`${this.name} ended during ${waiting.call} (${how})`))
        this.#waiting.clear()
        resolve()
      })
    })
    this.#process.on('error', (error) => process.stderr.write(`${this.name}: ${error.message}\n`))
    this.#process.on('message', (message: CallAnswer) => this.#answered(message))
    stage.own(this.name, () => this.stop())
  }

  get pid(): number {
    return this.#process.pid ?? -1
  }

  /** Rejects with what the child's handler threw, with `timeoutMs`, or when the child ends. */
  async call<K extends keyof C & string>(
    name: K,
    body: Parameters<C[K]>[0],
    options: { timeoutMs: number; progress?: (count: number) => void },
  ): Promise<Awaited<ReturnType<C[K]>>> {
    const id = (this.#calls += 1)
    const answered = new Promise<unknown>((resolve, reject) => {
      if (!this.#process.connected) {
        reject(new Error(`${this.name} has ended`))
        return
      }
      this.#waiting.set(id, { call: name, resolve, reject, progress: options.progress })
      this.#process.send({ id, name, body })
    })
    try {
      // The child's answer has the type that its interface names.
      return (await within(options.timeoutMs, `${this.name}: ${name}`, answered)) as Awaited<ReturnType<C[K]>>
    } finally {
      this.#waiting.delete(id)
    }
  }

  /** Lets the child leave in order; kills it when it does not. Idempotent. */
  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    if (this.#process.connected) this.#process.disconnect()
    await within(leaveMsMax, this.name, this.#ended).catch(() => this.#process.kill('SIGKILL'))
    await this.#ended
  }

  #answered(message: CallAnswer): void {
    const waiting = this.#waiting.get(message.id)
    if (waiting === undefined) return
    if ('progress' in message) waiting.progress?.(message.progress)
    else if ('result' in message) waiting.resolve(message.result)
    else {
      const { code, message: text } = message.error
      waiting.reject(
        new Error(`${this.name}, ${waiting.call}: ${code === undefined ? '' : `${code}: `}${text}`),
      )
    }
  }
}

/** How to run a module of ours: sources go through a loader, built ones do not. */
export function moduleAt(module: string, base: string): { path: string; execArgv: string[] } {
  const extension = extname(fileURLToPath(base))
  return {
    path: fileURLToPath(new URL(module + extension, base)),
    execArgv: extension === '.ts' ? loaderArgs() : [],
  }
}
