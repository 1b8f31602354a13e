/**
 * What both programs have in common besides the database: their arguments, and when they end.
 *
 * Invariant: `stop` fires once, by Ctrl-C or when the seconds are over; a second Ctrl-C ends the program at once.
 */
import { resolve } from 'node:path'
import { format, parseArgs } from 'node:util'

export interface Program {
  /** An app group is known by its name; with a directory, it lies there instead of below the home directory. */
  readonly appGroup: string | { readonly id: string; readonly directory: string }
  readonly stop: AbortSignal
  /** A line on stdout, with the name of the program before it. */
  readonly say: (...words: readonly unknown[]) => void
}

/** `name` as in `examples/next-door/NAME.ts`. */
export function startProgram(name: string): Program {
  const { directory, seconds } = readArguments(name)
  const ending = new AbortController()
  const timer = seconds === undefined ? undefined : setTimeout(() => end(), seconds * 1000)
  const end = (): void => {
    clearTimeout(timer)
    ending.abort()
  }
  process.once('SIGINT', end)
  process.once('SIGTERM', end)
  const appGroup = directory === undefined ? 'next-door' : { id: 'next-door', directory: resolve(directory) }
  return {
    appGroup,
    stop: ending.signal,
    say: (...words) => void process.stdout.write(`${format(`${name}:`, ...words)}\n`),
  }
}

/** Resolves after so many milliseconds, or when `stop` fires. */
export function pause(ms: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (stop.aborted) return resolve()
    const timer = setTimeout(resolve, ms)
    stop.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}

function readArguments(name: string): { directory: string | undefined; seconds: number | undefined } {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { seconds: { type: 'string' } },
    })
    const seconds = values.seconds === undefined ? undefined : Number(values.seconds)
    if (positionals.length <= 1 && (seconds === undefined || seconds > 0))
      return { directory: positionals[0], seconds }
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  }
  process.stderr.write(`usage: npx tsx examples/next-door/${name}.ts [DIRECTORY] [--seconds N]\n`)
  process.exit(2)
}
