/** Frames within a record, PROTOCOL §7: `u32 length of what follows | u8 type | u8 flags | u32 stream | body`. */
import { BlazeError, readU32, writeU32 } from '../../runtime/index.ts'

/** Types that belong to the channel; relays have 16 to 63. */
export const frameType = {
  ping: 1,
  pong: 2,
  credit: 3,
  bye: 4,
  complete: 5,
  request: 6,
  response: 7,
  open: 8,
  reset: 9,
  rekey: 10,
} as const

/** The first type whose bodies use up credit. */
export const FIRST_RELAY_TYPE = 16
export const FRAME_HEADER_BYTES = 10
const FLAG_MORE = 1

export interface FrameHead {
  readonly type: number
  /** More fragments of this message follow. */
  readonly more: boolean
  readonly stream: number
}

/** Lays a frame at `at` and returns the offset behind it. The caller has seen to the room. */
export function layFrame(record: Uint8Array, at: number, head: FrameHead, body: Uint8Array): number {
  writeU32(record, at, FRAME_HEADER_BYTES - 4 + body.length)
  record[at + 4] = head.type
  record[at + 5] = head.more ? FLAG_MORE : 0
  writeU32(record, at + 6, head.stream)
  record.set(body, at + FRAME_HEADER_BYTES)
  return at + FRAME_HEADER_BYTES + body.length
}

/** Calls `each` for every frame until it says false; bodies are views. `PROTOCOL_VIOLATION` unless the record is whole frames. */
export function readFrames(record: Uint8Array, each: (head: FrameHead, body: Uint8Array) => boolean): void {
  if (record.length === 0) throw violation('a record has at least one frame')
  let at = 0
  while (at < record.length) {
    if (record.length - at < FRAME_HEADER_BYTES) throw violation('a record ends within the head of a frame')
    const end = at + 4 + readU32(record, at)
    if (end < at + FRAME_HEADER_BYTES || end > record.length) {
      throw violation(`a frame of ${end - at} bytes does not fit what remains, ${record.length - at}`)
    }
    const flags = record[at + 5] ?? 0
    if (flags > FLAG_MORE) throw violation(`unknown flags ${flags} of a frame`)
    const head = { type: record[at + 4] ?? 0, more: flags === FLAG_MORE, stream: readU32(record, at + 6) }
    if (!each(head, record.subarray(at + FRAME_HEADER_BYTES, end))) return
    at = end
  }
}

export function violation(message: string): BlazeError {
  return new BlazeError('PROTOCOL_VIOLATION', message)
}
