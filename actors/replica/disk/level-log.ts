/**
 * Reads a log file of LevelDB (its write-ahead logs and its MANIFEST): which records it holds, and where it stops being sound.
 * Invariant: what LevelDB would skip in silence is a flaw here. Only the end of the file may be torn, as a power cut leaves it: a
 * record that nobody was told about, with nothing sound behind it.
 */
import { concatBytes } from '../../../runtime/index.ts'
import { maskedCrc32c } from './crc32c.ts'

const BLOCK_BYTES = 32_768
const HEADER_BYTES = 7
const FULL = 1
const FIRST = 2
const LAST = 4

export interface LogEnd {
  /** Why the log is damaged, or undefined. */
  readonly flaw: string | undefined
}

interface Fragment {
  readonly type: number
  readonly from: number
  readonly to: number
}

/** Calls `look` for each record in order, up to the first flaw or the torn end. */
export function readLog(bytes: Uint8Array, look: (record: Uint8Array) => void): LogEnd {
  let at = 0
  let parts: Uint8Array[] | undefined
  for (;;) {
    at = skipTrailer(at)
    if (at >= bytes.length) return { flaw: undefined }
    const fragment = fragmentAt(bytes, at)
    const follows =
      fragment !== undefined && (fragment.type === FULL || fragment.type === FIRST) === (parts === undefined)
    if (fragment === undefined || !follows) {
      const isDamaged = (fragment !== undefined && !follows) || isSoundAfter(bytes, at)
      return { flaw: isDamaged ? `the record at byte ${at} is changed` : undefined }
    }
    const part = bytes.subarray(fragment.from, fragment.to)
    if (fragment.type === FULL) look(part)
    else if (fragment.type === FIRST) parts = [part]
    else {
      parts?.push(part)
      if (fragment.type === LAST) {
        look(concatBytes(parts ?? []))
        parts = undefined
      }
    }
    at = fragment.to
  }
}

/** No header fits the last bytes of a block. */
function skipTrailer(at: number): number {
  const left = BLOCK_BYTES - (at % BLOCK_BYTES)
  return left < HEADER_BYTES ? at + left : at
}

/** A fragment whose checksum is right, or undefined. */
function fragmentAt(bytes: Uint8Array, at: number): Fragment | undefined {
  const end = Math.min(bytes.length, at - (at % BLOCK_BYTES) + BLOCK_BYTES)
  const from = at + HEADER_BYTES
  if (from > end) return undefined
  const type = bytes[at + 6] as number
  const to = from + ((bytes[at + 4] as number) | ((bytes[at + 5] as number) << 8))
  if (type < FULL || type > LAST || to > end) return undefined
  if (maskedCrc32c(bytes, at + 6, to) !== readU32LE(bytes, at)) return undefined
  return { type, from, to }
}

/**
 * Whether a record begins anywhere behind a bad fragment: then the fragment was whole once. Its length cannot be trusted, so every
 * byte of its block is tried; further blocks begin with a fragment.
 */
function isSoundAfter(bytes: Uint8Array, bad: number): boolean {
  const blockEnd = Math.min(bytes.length, bad - (bad % BLOCK_BYTES) + BLOCK_BYTES)
  for (let at = bad + 1; at < blockEnd; at += 1) if (beginsRecord(bytes, at)) return true
  for (let block = blockEnd; block < bytes.length; block += BLOCK_BYTES) {
    for (let at = block; at < block + BLOCK_BYTES;) {
      const fragment = fragmentAt(bytes, at)
      if (fragment === undefined) break
      if (fragment.type === FULL || fragment.type === FIRST) return true
      at = fragment.to
    }
  }
  return false
}

function beginsRecord(bytes: Uint8Array, at: number): boolean {
  const type = bytes[at + 6]
  return (type === FULL || type === FIRST) && fragmentAt(bytes, at) !== undefined
}

export function readU32LE(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)) >>>
    0
  )
}
