/**
 * What a MANIFEST of LevelDB says: which tables live, from which log on there is something to recover, the newest sequence number.
 * Invariant: it only reads; bytes that are no version edit are a flaw, never a guess.
 */
import { readLog } from './level-log.ts'

export interface Manifest {
  /** By file number: bytes. */
  readonly tables: ReadonlyMap<number, number>
  readonly logNumber: number
  readonly lastSequence: number
  readonly flaw: string | undefined
}

/** Tags of the fields of a version edit (db/version_edit.cc). */
const COMPARATOR = 1
const LOG_NUMBER = 2
const NEXT_FILE = 3
const LAST_SEQUENCE = 4
const COMPACT_POINTER = 5
const DELETED_FILE = 6
const NEW_FILE = 7
const PREVIOUS_LOG = 9

interface Edited {
  readonly tables: Map<number, number>
  logNumber: number
  lastSequence: number
}

export function readManifest(bytes: Uint8Array): Manifest {
  const edited: Edited = { tables: new Map(), logNumber: 0, lastSequence: 0 }
  let isBad = false
  let edits = 0
  const { flaw } = readLog(bytes, (record) => {
    edits += 1
    if (!applyEdit(new EditReader(record), edited)) isBad = true
  })
  const problem = flaw ?? (isBad ? 'an edit does not read' : edits === 0 ? 'it holds nothing' : undefined)
  return { ...edited, flaw: problem }
}

function applyEdit(reader: EditReader, edited: Edited): boolean {
  while (reader.left > 0) {
    switch (reader.varint()) {
      case COMPARATOR:
        reader.skipBytes()
        break
      case LOG_NUMBER:
        edited.logNumber = reader.varint()
        break
      case NEXT_FILE:
      case PREVIOUS_LOG:
        reader.varint()
        break
      case LAST_SEQUENCE:
        edited.lastSequence = reader.varint()
        break
      case COMPACT_POINTER:
        reader.varint()
        reader.skipBytes()
        break
      case DELETED_FILE:
        reader.varint()
        edited.tables.delete(reader.varint())
        break
      case NEW_FILE: {
        reader.varint()
        const number = reader.varint()
        edited.tables.set(number, reader.varint())
        reader.skipBytes()
        reader.skipBytes()
        break
      }
      default:
        return false
    }
  }
  return !reader.isOver
}

/** Varints and lengths; reading past the end sets `isOver`, and everything is 0 from then on. */
export class EditReader {
  readonly #bytes: Uint8Array
  #at = 0
  isOver = false

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get left(): number {
    return this.isOver ? 0 : this.#bytes.length - this.#at
  }

  varint(): number {
    let value = 0
    for (let factor = 1; factor <= 2 ** 49; factor *= 128) {
      const byte = this.#bytes[this.#at]
      this.#at += 1
      if (byte === undefined) break
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
    }
    this.isOver = true
    return 0
  }

  skipBytes(): void {
    this.take(this.varint())
  }

  take(length: number): Uint8Array {
    const part = this.#bytes.subarray(this.#at, this.#at + length)
    this.#at += length
    if (this.#at > this.#bytes.length) this.isOver = true
    return part
  }
}
