/**
 * Opens a suspect LevelDB in a process of its own first (DESIGN §6.2 rule 5): what ends that process would have ended this one.
 * Invariant: bounded in time, and the store is closed when it resolves. The program is text, so that it runs under any loader.
 */
import { execFile } from 'node:child_process'
import type { ExecFileException } from 'node:child_process'
import { BlazeError, limits } from '../../../runtime/index.ts'

export interface TrialOptions {
  readonly at: string
  /** URL of the module with `ClassicLevel`. */
  readonly module: string
  readonly options: object
}

/** As the store's own opening has it: what LevelDB said, or that it is well. */
export interface TrialAnswer {
  readonly code?: string
  readonly message?: string
}

const PROGRAM = `
import { argv, stdout } from 'node:process'
const [module, at, options] = argv.slice(1)
const { ClassicLevel } = await import(module)
const level = new ClassicLevel(at, JSON.parse(options))
let answer = {}
try {
  await level.open()
  for (const reverse of [false, true]) await level.keys({ reverse, limit: 1 }).all()
  await level.close()
} catch (error) {
  const { code, message } = error.cause ?? error
  answer = { code, message }
}
stdout.write('\\n' + JSON.stringify(answer))
`

/** Rejects with `DAMAGED` when the store ended the process, `POISONED` when something else did, or it took too long. */
export async function tryLevel({ at, module, options }: TrialOptions): Promise<TrialAnswer> {
  // There the interpreter is the app itself, which would start once more. Its stores have their files looked at only.
  if (process.versions['electron'] !== undefined) return {}
  const args = ['--input-type=module', '--eval', PROGRAM, module, at, JSON.stringify(options)]
  const { error, out } = await run(args)
  if (error === null) return JSON.parse(out.slice(out.lastIndexOf('\n') + 1)) as TrialAnswer
  // Nothing was tried: a system that starts no processes, or one that loads no such module.
  if (!error.signal) return {}
  const details = { at, problems: [`opening it ended a process by ${error.signal}`], count: 1 }
  if (!faults.has(error.signal)) {
    const message = `the trial opening of the store ${at} was ended by ${error.signal}; reopen it`
    throw new BlazeError('POISONED', message, { cause: error, details: { at } })
  }
  const message = `the store ${at} ended the process that tried to open it by ${error.signal}; restore it from a peer or a backup`
  throw new BlazeError('DAMAGED', message, { cause: error, details })
}

/** What a process does to itself; anything else came from outside, or from our patience. */
const faults: ReadonlySet<string> = new Set(['SIGABRT', 'SIGBUS', 'SIGFPE', 'SIGILL', 'SIGSEGV', 'SIGTRAP'])

function run(args: readonly string[]): Promise<{ error: ExecFileException | null; out: string }> {
  const limit = { timeout: limits.storeTrialMs, killSignal: 'SIGKILL', windowsHide: true } as const
  return new Promise((resolve) => {
    execFile(process.execPath, args, limit, (error, out) => resolve({ error, out }))
  })
}
