/**
 * The demo's supervisor: the one that runs in the data directory, asked through its control socket, or one of its own.
 *
 * Invariant: one that was running keeps running; one of our own is stopped, and its data removed, by the stage.
 */
import { realpathSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BlazeError, createNodeEnv, nodeCrypto } from '../../runtime/index.ts'
import { requestCode, requestStatus } from '../../server/control.ts'
import { controlSocketPath } from '../../transports/index.ts'
import type { ControlPlace } from '../../transports/index.ts'
import type { Stage } from '../process/stage.ts'
import { startSupervisor } from '../process/supervisor-process.ts'

export interface DemoSupervisor {
  readonly kind: 'running' | 'own'
  readonly pid: number
  /** Its endpoint, as a URL. */
  readonly listen: string
  /** A fresh enrolment code. */
  readonly code: string
  /** Its data directory. */
  readonly directory: string
}

/** Rejects when a supervisor runs but refuses, or when our own does not start. */
export async function findSupervisor(stage: Stage, data: string): Promise<DemoSupervisor> {
  return (await askRunning(data)) ?? startOwn(stage)
}

async function askRunning(data: string): Promise<DemoSupervisor | undefined> {
  const directory = realpathIfThere(data)
  if (directory === undefined) return undefined
  const place = placeOf(directory)
  const env = createNodeEnv()
  try {
    const { pid, listen } = await requestStatus({ place, env })
    const code = await requestCode({ place, env })
    return { kind: 'running', pid, listen: listen.join(', '), code, directory }
  } catch (error) {
    if (error instanceof BlazeError && error.code === 'NO_SUPERVISOR') return undefined
    throw error
  }
}

async function startOwn(stage: Stage): Promise<DemoSupervisor> {
  const directory = join(stage.directory, 'supervisor')
  const { pid, listen, enrolment } = await startSupervisor(stage, directory)
  if (enrolment === null) throw new Error('a new supervisor has an enrolment code')
  return { kind: 'own', pid, listen, code: enrolment, directory }
}

function placeOf(directory: string): ControlPlace {
  const userId = process.getuid?.() ?? 0
  return controlSocketPath({ directory, temporary: realpathSync(tmpdir()), userId, crypto: nodeCrypto })
}

function realpathIfThere(path: string): string | undefined {
  try {
    return realpathSync(path)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}
