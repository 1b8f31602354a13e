/**
 * Looks at the files of a LevelDB before LevelDB does: it drops what it cannot read in silence, removes files that it no longer
 * knows, makes a new store where CURRENT is missing, and may end the process.
 * Invariant: only reads; a store that was cut off at any moment, by kill or power cut, passes.
 */
import { open, readdir, stat } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { readLog, readU32LE } from './level-log.ts'
import { readManifest } from './level-manifest.ts'
import type { Manifest } from './level-manifest.ts'
import { tableFlaw } from './level-table.ts'
import type { TableDepth } from './level-table.ts'
import { isMissing, readWhole } from './whole-file.ts'

export interface LevelFiles {
  /** There is no store yet. */
  readonly isNew: boolean
  /** Sequence number of the newest operation that LevelDB will recover. */
  readonly sequence: number
  readonly problems: readonly string[]
}

const CURRENT = 'CURRENT'
/** Each is at most some megabytes. */
const TABLES_AT_ONCE = 8
const FILE = /^(\d+)\.(log|ldb)$/

/** `acknowledged`: the sequence number up to which operations were acknowledged, where that is known. */
export async function checkLevelFiles(at: string, acknowledged: number | undefined): Promise<LevelFiles> {
  const names = await readdir(at)
  const current = await readText(join(at, CURRENT))
  if (current === undefined) {
    const isNew = acknowledged === undefined && !names.some((name) => FILE.test(name))
    return { isNew, sequence: 0, problems: isNew ? [] : [`the file ${CURRENT} is missing`] }
  }
  const name = /^(MANIFEST-\d+)\n$/.exec(current)?.[1]
  if (name === undefined) return damaged(`the file ${CURRENT} names no MANIFEST`)
  const bytes = await readWhole(join(at, name))
  if (bytes === undefined) return damaged(`the file ${name} is missing`)
  const manifest = readManifest(bytes)
  if (manifest.flaw !== undefined) return damaged(`${name}: ${manifest.flaw}`)
  const problems = [...(await missingTables(at, manifest, names))]
  const logged = await readLogs(at, manifest, names, problems)
  // The MANIFEST counts what was in the log as it was written too, so where the log shows operations only they tell how far it goes.
  const reached = logged > 0 ? logged : manifest.lastSequence
  if (acknowledged !== undefined && reached < acknowledged)
    problems.push(`operations ${reached + 1} to ${acknowledged} were acknowledged and are missing`)
  return { isNew: false, sequence: Math.max(logged, manifest.lastSequence), problems }
}

export interface TableCheck {
  /** Bytes of the newest tables that are read whole. */
  readonly wholeBytesMax: number
  /** How many of the others have their frame looked at, newest first. */
  readonly framesMax: number
  /** Awaited between tables. */
  readonly pause?: () => Promise<void>
}

/** Says what is wrong with the tables. Those that are compacted away meanwhile do not count. */
export async function checkTables(
  at: string,
  { wholeBytesMax, framesMax, pause }: TableCheck,
): Promise<string[]> {
  const name = (await readText(join(at, CURRENT)))?.trim() ?? ''
  const manifest = readManifest((await readWhole(join(at, name))) ?? new Uint8Array())
  const tables = [...manifest.tables].toSorted(([one], [other]) => other - one)
  const problems: string[] = []
  let bytes = 0
  let frames = 0
  for (let from = 0; from < tables.length; from += TABLES_AT_ONCE) {
    const looks = tables.slice(from, from + TABLES_AT_ONCE).map(async ([number, size]) => {
      bytes += size
      const depth = bytes <= wholeBytesMax ? 'whole' : 'frame'
      if (depth === 'frame' && ++frames > framesMax) return
      const flaw = await flawOf(join(at, tableName(number)), depth)
      if (flaw !== undefined) problems.push(`the table ${tableName(number)}: ${flaw}`)
    })
    await Promise.all(looks)
    await pause?.()
  }
  return problems
}

async function flawOf(path: string, depth: TableDepth): Promise<string | undefined> {
  if (depth === 'whole') {
    const bytes = await readWhole(path)
    return (
      bytes && tableFlaw({ size: bytes.length, read: async (from, to) => bytes.subarray(from, to) }, depth)
    )
  }
  let file: FileHandle
  try {
    file = await open(path)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
  try {
    const { size } = await file.stat()
    const read = async (from: number, to: number): Promise<Uint8Array> => {
      const { bytesRead, buffer } = await file.read(new Uint8Array(to - from), 0, to - from, from)
      return buffer.subarray(0, bytesRead)
    }
    return await tableFlaw({ size, read }, depth)
  } finally {
    await file.close()
  }
}

async function missingTables(at: string, { tables }: Manifest, names: readonly string[]): Promise<string[]> {
  const present = new Set(names)
  const looks = [...tables].map(async ([number, bytes]): Promise<string[]> => {
    const table = tableName(number)
    if (!present.has(table)) return [`the table ${table} is missing`]
    const { size } = await stat(join(at, table))
    return size === bytes ? [] : [`the table ${table} has ${size} of ${bytes} bytes`]
  })
  return (await Promise.all(looks)).flat()
}

/** Reads the logs that LevelDB will recover; returns the newest sequence number. */
async function readLogs(
  at: string,
  { logNumber }: Manifest,
  names: readonly string[],
  problems: string[],
): Promise<number> {
  const logs = names
    .map((name) => FILE.exec(name))
    .filter((found) => found?.[2] === 'log')
    .map((found) => Number(found?.[1]))
    .filter((number) => number >= logNumber)
    .toSorted((one, other) => one - other)
  // LevelDB names a log in the MANIFEST once it exists, and removes it once the MANIFEST names a later one.
  if (logNumber > 0 && logs[0] !== logNumber) problems.push(`the log ${logName(logNumber)} is missing`)
  let newest = 0
  for (const number of logs) {
    const bytes = (await readWhole(join(at, logName(number)))) ?? new Uint8Array()
    const { flaw } = readLog(bytes, (record) => {
      if (record.length < 12) return
      const first = readU32LE(record, 0) + readU32LE(record, 4) * 2 ** 32
      if (newest > 0 && first !== newest + 1)
        problems.push(`operations ${newest + 1} to ${first - 1} are missing in ${logName(number)}`)
      newest = first + readU32LE(record, 8) - 1
    })
    if (flaw !== undefined) problems.push(`the log ${logName(number)}: ${flaw}`)
  }
  return newest
}

function tableName(number: number): string {
  return `${String(number).padStart(6, '0')}.ldb`
}

function logName(number: number): string {
  return `${String(number).padStart(6, '0')}.log`
}

function damaged(problem: string): LevelFiles {
  return { isNew: false, sequence: 0, problems: [problem] }
}

async function readText(path: string): Promise<string | undefined> {
  const bytes = await readWhole(path)
  return bytes && new TextDecoder().decode(bytes)
}
