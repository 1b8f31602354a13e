/**
 * Checks a table file of LevelDB block by block. LevelDB itself reads blocks unchecked, so that a changed byte is a wrong key, a wrong
 * value, or a length for which it ends the process. Invariant: no byte of a whole check changes unnoticed.
 */
import { maskedCrc32c } from './crc32c.ts'
import { readU32LE } from './level-log.ts'
import { EditReader } from './level-manifest.ts'

const FOOTER_BYTES = 48
const MAGIC = [0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb]
/** Kind and checksum behind each block. */
const TRAILER_BYTES = 5

/** `whole`: every block. `frame`: what leads to the blocks of data, and the filters. */
export type TableDepth = 'whole' | 'frame'

export interface TableFile {
  readonly size: number
  /** The bytes of the file, fewer at its end. */
  read(from: number, to: number): Promise<Uint8Array>
}

interface Handle {
  readonly from: number
  readonly length: number
}

/** What is wrong with the table, or undefined. */
export async function tableFlaw(file: TableFile, depth: TableDepth): Promise<string | undefined> {
  const frameEnd = file.size - FOOTER_BYTES
  if (frameEnd < 0) return `it has ${file.size} bytes`
  const footer = await file.read(frameEnd, file.size)
  if (MAGIC.some((byte, at) => footer[FOOTER_BYTES - MAGIC.length + at] !== byte))
    return 'its footer is changed'
  const reader = new EditReader(footer)
  const [meta, index] = [readHandle(reader), readHandle(reader)]
  const blocks = [meta, index]
  let bytes = FOOTER_BYTES
  for (const [at, handle] of blocks.entries()) {
    const { from, length } = handle
    const end = from + length + TRAILER_BYTES
    if (end > frameEnd) return `a block at byte ${from} ends behind the blocks`
    const block = await file.read(from, end)
    if (block.length < end - from || maskedCrc32c(block, 0, length + 1) !== readU32LE(block, length + 1))
      return `the block at byte ${from} is changed`
    bytes += length + TRAILER_BYTES
    // Else a few bytes could name one block again and again.
    if (bytes > file.size) return 'its blocks overlap'
    if (handle === meta || (handle === index && depth === 'whole')) blocks.push(...handlesOf(block, length))
    // Of a table that is read in pieces, the frame is all.
    if (at === blocks.length - 1 && depth === 'frame') return undefined
  }
  return bytes === file.size ? undefined : `its blocks make ${bytes} of ${file.size} bytes`
}

function readHandle(reader: EditReader): Handle {
  const from = reader.varint()
  return { from, length: reader.varint() }
}

/** The handles in the values of a block whose checksum is right. */
function handlesOf(block: Uint8Array, length: number): Handle[] {
  const restarts = readU32LE(block, length - 4)
  const reader = new EditReader(block.subarray(0, length - 4 - 4 * restarts))
  const handles: Handle[] = []
  while (reader.left > 0) {
    // Bytes shared with the key before, bytes of the rest of the key, bytes of the value.
    reader.varint()
    const keyBytes = reader.varint()
    const valueBytes = reader.varint()
    reader.take(keyBytes)
    handles.push(readHandle(new EditReader(reader.take(valueBytes))))
  }
  return handles
}
