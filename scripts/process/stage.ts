/**
 * What a script has to clean up: a temporary directory, child processes, and whatever else was handed to it.
 *
 * Invariant: `close` undoes everything in reverse order, once, also when the script is interrupted; only processes that were started
 * through the stage are ended.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'

/** A clean-up that takes longer is given up, and named. */
const cleanUpMsMax = 10_000

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

export class Stage {
  /** Removed by `close`. */
  readonly directory: string
  readonly #undo: { what: string; undo: () => Promise<void> }[] = []
  readonly #onSignal: (signal: NodeJS.Signals) => void
  #interrupted = false
  #closing: Promise<void> | undefined

  constructor(name: string) {
    this.directory = mkdtempSync(join(tmpdir(), `blazedb-${name}-`))
    this.#onSignal = (signal) => this.#interrupt(signal)
    for (const signal of signals) process.on(signal, this.#onSignal)
  }

  /** Whether a signal has come: what fails from now on fails because of it. */
  get interrupted(): boolean {
    return this.#interrupted
  }

  /** A directory below the temporary one. */
  makeDirectory(name: string): string {
    const path = join(this.directory, name)
    mkdirSync(path, { recursive: true })
    return path
  }

  /** Called by `close`, later ones first. */
  own(what: string, undo: () => Promise<void>): void {
    this.#undo.push({ what, undo })
  }

  /** Idempotent. Never rejects: what could not be undone is said on stderr. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    for (let last = this.#undo.pop(); last !== undefined; last = this.#undo.pop()) {
      const { what, undo } = last
      await within(cleanUpMsMax, what, undo()).catch((error: unknown) => {
        process.stderr.write(`clean-up: ${error instanceof Error ? error.message : String(error)}\n`)
      })
    }
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 3 })
    for (const signal of signals) process.off(signal, this.#onSignal)
  }

  #interrupt(signal: NodeJS.Signals): void {
    const code = 128 + constants.signals[signal]
    // A second signal does not wait.
    if (this.#interrupted) process.exit(code)
    this.#interrupted = true
    process.stderr.write('\nstopping\n')
    void this.close().then(() => process.exit(code))
  }
}

/** `promise`, but rejects after `ms`. */
export async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not done within ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
