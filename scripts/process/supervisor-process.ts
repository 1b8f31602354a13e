/**
 * A supervisor in a process of its own, as a user would run it: `blazedb serve` on loopback with any free port.
 *
 * Invariant: it serves when `start` resolved; its stage stops it, by force if need be.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { moduleAt } from './child.ts'
import { within } from './stage.ts'
import type { Stage } from './stage.ts'

const startMsMax = 30_000
/** The supervisor itself gives up after 4.5 s. */
const stopMsMax = 6_000
/** Characters of its log that are kept to explain a failure. */
const logCharsMax = 4_000

export interface SupervisorProcess {
  readonly pid: number
  /** `tls://127.0.0.1:PORT`. */
  readonly listen: string
  /** Null once a device has claimed it. */
  readonly enrolment: string | null
  readonly ops: string | null
  /** In order; by force when that takes too long. Idempotent. */
  stop(): Promise<void>
}

/** `data` is its directory. */
export async function startSupervisor(stage: Stage, data: string): Promise<SupervisorProcess> {
  const { path, execArgv } = moduleAt('../../server/main', import.meta.url)
  const serve = [
    'serve',
    '--data',
    data,
    '--listen',
    'tls://127.0.0.1:0',
    '--ops',
    'http://127.0.0.1:0',
    // Devices are to come over the network, also those of this machine.
    '--local',
    'none',
    '--json',
  ]
  const child = spawn(process.execPath, [...execArgv, path, ...serve], { stdio: ['ignore', 'pipe', 'pipe'] })
  let log = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log = (log + text).slice(-logCharsMax)
  })
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
  })
  const stop = (): Promise<void> => end(child, ended)
  stage.own('supervisor', stop)
  const ready = new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', resolve)
    child.once('error', reject)
    void ended.then(() => reject(new Error(`the supervisor ended at its start:\n${log}`)))
  })
  const line = parseReady(await within(startMsMax, 'start of the supervisor', ready))
  return { ...line, pid: child.pid ?? -1, stop }
}

async function end(child: ChildProcess, ended: Promise<void>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
  child.kill('SIGTERM')
  await within(stopMsMax, 'supervisor', ended).catch(() => child.kill('SIGKILL'))
  await ended
}

function parseReady(line: string): Pick<SupervisorProcess, 'listen' | 'enrolment' | 'ops'> {
  const ready = JSON.parse(line) as { event?: unknown; listen?: unknown; enrolment?: unknown; ops?: unknown }
  const { event, listen, enrolment, ops } = ready
  if (event !== 'ready' || !Array.isArray(listen) || typeof listen[0] !== 'string')
    throw new Error(`expected the ready line of a supervisor, got ${line.slice(0, 200)}`)
  return {
    listen: listen[0],
    enrolment: typeof enrolment === 'string' ? enrolment : null,
    ops: typeof ops === 'string' ? ops : null,
  }
}
