/** All that a process has in its memory, of Linux. Invariant: only reads, and only what the process itself could write. */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs'

const PIECE_BYTES = 8 * 1_048_576
const PAGE_BYTES = 4_096
const EMPTY_PAGE = new Uint8Array(PAGE_BYTES)
/** What could be cut by the end of a piece is in the next one too. */
const OVERLAP_BYTES = 64
/** Larger mappings are reserved and not used. */
const MAPPING_BYTES_MAX = 1_073_741_824

/** Undefined where the system does not let us look. */
export function readProcess(pid: number, each: (bytes: Uint8Array) => void): number | undefined {
  const maps = readMaps(pid)
  if (maps === undefined) return undefined
  const memory = openSync(`/proc/${pid}/mem`, 'r')
  const piece = Buffer.alloc(PIECE_BYTES)
  let total = 0
  try {
    for (const { from, to } of maps) {
      for (let at = from; at < to; at += PIECE_BYTES - OVERLAP_BYTES) {
        const length = readSome(memory, piece.subarray(0, Math.min(PIECE_BYTES, to - at)), at)
        total += length
        for (const run of written(piece.subarray(0, length))) each(run)
      }
    }
  } finally {
    closeSync(memory)
  }
  return total
}

function readMaps(pid: number): { from: number; to: number }[] | undefined {
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/maps`, 'utf8')
    closeSync(openSync(`/proc/${pid}/mem`, 'r'))
  } catch {
    // No Linux, or not ours to look into.
    return undefined
  }
  return [...text.matchAll(/^([0-9a-f]+)-([0-9a-f]+) rw.p \S+ \S+ \d+ *(.*)$/gm)]
    .map(([, from = '', to = '']) => ({ from: Number.parseInt(from, 16), to: Number.parseInt(to, 16) }))
    .filter(({ from, to }) => to - from <= MAPPING_BYTES_MAX)
}

/** Without the pages that nothing was written to, which are many. */
function* written(bytes: Uint8Array): Generator<Uint8Array, void, undefined> {
  let from = 0
  for (let at = 0; at < bytes.length; at += PAGE_BYTES) {
    const page = bytes.subarray(at, at + PAGE_BYTES)
    if (Buffer.compare(page, EMPTY_PAGE.subarray(0, page.length)) !== 0) continue
    if (at > from) yield bytes.subarray(from, at)
    from = at + PAGE_BYTES
  }
  if (from < bytes.length) yield bytes.subarray(from)
}

/** 0 for what was given back since. */
function readSome(memory: number, into: Uint8Array, at: number): number {
  try {
    return readSync(memory, into, 0, into.length, at)
  } catch {
    return 0
  }
}
