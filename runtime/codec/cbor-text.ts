/**
 * UTF-8 out of a run of bytes, strictly.
 * Invariant: ill-formed text is refused, never repaired, and a leading byte order mark is a character like others. Short texts come from
 * a table of those seen before: it is bounded, holds nothing but texts, and an entry is used only after every byte was compared.
 */
import { isUtf8 } from 'node:buffer'
import { limits } from '../limits.ts'
import { refuse } from './cbor-item.ts'

const known: string[] = Array.from({ length: limits.knownTextsMax }, () => '')
const { utf8Slice } = Buffer.prototype as unknown as {
  /** Takes any Uint8Array as `this`. A method of Node's that `toString` calls, without the three checks around it. */
  readonly utf8Slice: (this: Uint8Array, start: number, end: number) => string
}

/** The caller has checked that `end` is not beyond the bytes. `BAD_VALUE` for ill-formed text. */
export function readText(bytes: Uint8Array, start: number, end: number): string {
  return end - start <= limits.knownTextBytesMax ? readShort(bytes, start, end) : readLong(bytes, start, end)
}

function readShort(bytes: Uint8Array, start: number, end: number): string {
  let hash = 0
  let bits = 0
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at] as number
    bits |= byte
    hash = Math.imul(hash, 31) + byte
  }
  if (bits > 0x7f) return readLong(bytes, start, end)
  const slot = (hash ^ (hash >>> 10)) & (limits.knownTextsMax - 1)
  const text = known[slot] as string
  if (isTextAt(text, bytes, start, end)) return text
  const made = utf8Slice.call(bytes, start, end)
  known[slot] = made
  return made
}

function isTextAt(text: string, bytes: Uint8Array, start: number, end: number): boolean {
  if (text.length !== end - start) return false
  for (let at = start; at < end; at += 1) if (text.charCodeAt(at - start) !== bytes[at]) return false
  return true
}

function readLong(bytes: Uint8Array, start: number, end: number): string {
  const text = utf8Slice.call(bytes, start, end)
  // What is ill-formed became this character; one that stood there itself is rare enough to look twice.
  if (text.includes('\uFFFD') && !isUtf8(bytes.subarray(start, end))) {
    throw refuse('the text is not well-formed UTF-8')
  }
  return text
}
