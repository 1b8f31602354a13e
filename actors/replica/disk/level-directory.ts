/**
 * Opens the LevelDB in a directory with what we know about it: who holds it, how far it had acknowledged, whether it was closed.
 *
 * Files of ours beside those of LevelDB, which leaves alone what it does not know: `HOLDER` names the process that opened it last,
 * `ACKED` how far it had acknowledged, and `CLOSED` is there while nobody has it open and the last one closed it in order.
 *
 * Invariant: LevelDB sees only files that were looked at; a store that was not closed in order is opened by another process first.
 */
import { readdir, realpath, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { BlazeError, limits } from '../../../runtime/index.ts'
import type { OrderedStore } from '../store.ts'
import { Acknowledged, readAcknowledged } from './acknowledged.ts'
import { FreeSpace } from './free-space.ts'
import { checkLevelFiles, checkTables } from './level-files.ts'
import type { LevelFiles } from './level-files.ts'
import { openLevelStore, tryLevelStore } from './level-store.ts'
import type { LevelKeepers } from './level-store.ts'
import { isMissing, makeDirectory, readWhole, replaceFile } from './whole-file.ts'

const HOLDER = 'HOLDER'
const ACKNOWLEDGED = 'ACKED'
const CLOSED = 'CLOSED'

/** Real paths of the stores that this process has open. */
const opened = new Set<string>()

export async function openLevelDirectory(path: string): Promise<OrderedStore> {
  await makeDirectory(path)
  const at = await realpath(path)
  const holder = await readHolder(at)
  if (opened.has(at)) throw alreadyOpen(path, process.pid)
  opened.add(at)
  try {
    const isHeld = holder !== undefined && (await isAlive(holder))
    const files = await look(path)
    if (!files.isNew && !isHeld) {
      const isSuspect = (await readText(join(at, CLOSED))) === undefined
      const depth = isSuspect
        ? { wholeBytesMax: limits.suspectTableBytes, framesMax: Number.POSITIVE_INFINITY }
        : { wholeBytesMax: limits.openedTableBytes, framesMax: limits.openedTableFramesMax }
      const problems = await checkTables(path, depth)
      if (problems.length > 0) throw damaged(path, problems)
      if (isSuspect) await tryLevelStore(path)
    }
    return await openLevelStore(path, () => keep(at, files.sequence))
  } catch (error) {
    opened.delete(at)
    if (!(error instanceof BlazeError) || error.code !== 'ALREADY_OPEN') throw error
    throw alreadyOpen(path, (await readHolder(at))?.pid, error)
  }
}

/** What the files say, once they stand still. `DAMAGED` unless it is sound. */
async function look(at: string): Promise<LevelFiles> {
  for (let looks = 1; ; looks += 1) {
    const before = await fingerprint(at)
    const acknowledged = await readAcknowledged(join(at, ACKNOWLEDGED))
    const files = await checkLevelFiles(at, acknowledged)
    if (files.problems.length === 0) return files
    if (before === (await fingerprint(at))) throw damaged(at, files.problems)
    // Another process is at work: its lock will say so.
    if (looks === limits.storeLooksMax) return files
  }
}

/** Changes with every file that somebody writes to, makes or removes. */
async function fingerprint(at: string): Promise<string> {
  const looks = (await readdir(at)).map(async (name) => {
    try {
      const { size, mtimeMs, ino } = await stat(join(at, name))
      return `${name} ${size} ${mtimeMs} ${ino}`
    } catch (error) {
      if (isMissing(error)) return name
      throw error
    }
  })
  return (await Promise.all(looks)).join('\n')
}

async function keep(at: string, sequence: number): Promise<LevelKeepers> {
  await rm(join(at, CLOSED), { force: true })
  // Syncs the directory, so that the removal is there too.
  await replaceFile(join(at, HOLDER), new TextEncoder().encode(`${process.pid} ${await startOf('self')}\n`))
  return {
    acknowledged: new Acknowledged(join(at, ACKNOWLEDGED), sequence),
    space: new FreeSpace(at),
    verifyFiles: (pause) => checkTables(at, { wholeBytesMax: Number.POSITIVE_INFINITY, framesMax: 0, pause }),
    closed: () => replaceFile(join(at, CLOSED), new Uint8Array()),
    released: () => void opened.delete(at),
  }
}

interface Holder {
  readonly pid: number
  /** When it started, in ticks since the machine did; empty where the system does not tell. */
  readonly start: string
}

async function readHolder(at: string): Promise<Holder | undefined> {
  const [pid = '', start = ''] = ((await readText(join(at, HOLDER))) ?? '').trim().split(' ')
  return /^\d+$/.test(pid) ? { pid: Number(pid), start } : undefined
}

/** Whether the process still runs: numbers are given anew, above all after a restart of the machine. */
async function isAlive({ pid, start }: Holder): Promise<boolean> {
  return pid !== process.pid && start !== '' && start === (await startOf(String(pid)))
}

async function startOf(pid: string): Promise<string> {
  const text = (await readText(`/proc/${pid}/stat`)) ?? ''
  // The name of the program, in brackets, may hold anything.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const state = fields[0]
  return state === 'Z' || state === 'X' ? '' : (fields[19] ?? '')
}

async function readText(path: string): Promise<string | undefined> {
  const bytes = await readWhole(path)
  return bytes && new TextDecoder().decode(bytes)
}

function alreadyOpen(at: string, pid: number | undefined, cause?: unknown): BlazeError {
  const where = pid === undefined ? '' : ` in process ${pid}`
  return new BlazeError('ALREADY_OPEN', `${at} is already open${where}`, { cause, details: { at, pid } })
}

function damaged(at: string, problems: readonly string[]): BlazeError {
  return new BlazeError(
    'DAMAGED',
    `the store ${at} is damaged: ${problems[0]}; restore it from a peer or a backup`,
    { details: { at, problems: problems.slice(0, limits.damagesNamedMax), count: problems.length } },
  )
}
