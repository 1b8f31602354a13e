/** Resident memory of a process, by its id. Invariant: a figure that the system does not give is absent, never a guess. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

const KIBIBYTE = 1024

export interface ProcessMemory {
  readonly rssBytes: number
  /** The highest it has been since its start; only Linux tells. */
  readonly peakBytes: number | undefined
}

/** Undefined when the process is gone, or the system does not tell. */
export function readMemory(pid: number): ProcessMemory | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    const rss = fieldOf(status, 'VmRSS')
    if (rss !== undefined) return { rssBytes: rss, peakBytes: fieldOf(status, 'VmHWM') }
  } catch {
    // Not Linux, or gone: ps knows.
  }
  try {
    const text = execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8', timeout: 5_000 })
    const kibibytes = Number.parseInt(text, 10)
    return Number.isNaN(kibibytes) ? undefined : { rssBytes: kibibytes * KIBIBYTE, peakBytes: undefined }
  } catch {
    return undefined
  }
}

/**
 * Resident bytes of files below a directory that the process has mapped: the system takes them back when it needs them, and how many
 * there are says more of its cache than of the process. Undefined where the system does not tell.
 */
export function readMappedBytes(pid: number, directory: string): number | undefined {
  let smaps: string
  try {
    smaps = readFileSync(`/proc/${pid}/smaps`, 'utf8')
  } catch {
    return undefined
  }
  let bytes = 0
  let isBelow = false
  for (const line of smaps.split('\n')) {
    if (/^[0-9a-f]+-[0-9a-f]+ /.test(line)) isBelow = line.includes(` ${directory}/`)
    else if (isBelow) bytes += fieldOf(line, 'Rss') ?? 0
  }
  return bytes
}

function fieldOf(status: string, name: string): number | undefined {
  const match = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)
  return match === null ? undefined : Number(match[1]) * KIBIBYTE
}
