/** The parent's side of uds-program.ts. Invariant: every wait is bounded, and `endChildren` leaves no process behind. */
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import { until } from '../contracts/transport.ts'
import type { Command } from './uds-program.ts'
import { loaderArgs } from '../../scripts/typescript/loader.ts'

/** Processes start slowly on a machine that is busy with other specs. */
const WAIT_MS = 30_000

const children = new Set<UdsChild>()

export class UdsChild {
  readonly #process: ChildProcess
  readonly #answers: string[] = []
  #ended = false

  private constructor() {
    this.#process = fork(fileURLToPath(new URL('uds-program.ts', import.meta.url)), [], {
      execArgv: loaderArgs(),
      serialization: 'advanced',
    })
    this.#process.on('message', (answer: string) => this.#answers.push(answer))
    this.#process.once('exit', () => {
      this.#ended = true
    })
  }

  static async start(): Promise<UdsChild> {
    const child = new UdsChild()
    children.add(child)
    await child.answer()
    return child
  }

  get pid(): number {
    return this.#process.pid ?? -1
  }

  /** Does not wait for what it does. */
  tell(command: Command): void {
    this.#process.send(command)
  }

  async answer(): Promise<string> {
    await until(() => this.#answers.length > 0 || this.#ended, 'an answer of the child', WAIT_MS)
    return this.#answers.shift() ?? 'ended'
  }

  async ask(command: Command): Promise<string> {
    this.tell(command)
    return this.answer()
  }

  /** Resolves when a `SIGSTOP` has taken effect. */
  async stopped(): Promise<void> {
    await until(() => / [Tt] /.test(readFileSync(`/proc/${this.pid}/stat`, 'utf8')), 'the child stands still')
  }

  goOn(): void {
    this.#process.kill('SIGCONT')
  }

  /** Without a word. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL')
    await this.ended()
  }

  async ended(): Promise<void> {
    await until(() => this.#ended, 'the end of the child', WAIT_MS)
    children.delete(this)
  }
}

export async function endChildren(): Promise<void> {
  await Promise.all([...children].map((child) => child.kill()))
}
