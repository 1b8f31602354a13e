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

function fieldOf(status: string, name: string): number | undefined {
  const match = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)
  return match === null ? undefined : Number(match[1]) * KIBIBYTE
}
