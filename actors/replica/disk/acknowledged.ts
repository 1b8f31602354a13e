/**
 * The sequence number up to which a store has acknowledged its operations, in a file beside it: a log that lost its end does not show
 * it by itself. Invariant: the file never says more than was synced, and less only after a power cut, since it is not synced itself.
 */
import { closeSync, constants, fsyncSync, openSync, writeSync } from 'node:fs'
import { crc32c } from './crc32c.ts'
import { readU32LE } from './level-log.ts'
import { readWhole } from './whole-file.ts'

const FILE_MODE = 0o600
const NUMBER_BYTES = 8
const FILE_BYTES = 12

/** Undefined when there is no such file, or none that reads: then nothing is known. */
export async function readAcknowledged(path: string): Promise<number | undefined> {
  const bytes = await readWhole(path)
  if (bytes === undefined) return undefined
  if (bytes.length !== FILE_BYTES || crc32c(bytes, 0, NUMBER_BYTES) !== readU32LE(bytes, NUMBER_BYTES))
    return undefined
  return readU32LE(bytes, 0) + readU32LE(bytes, 4) * 2 ** 32
}

export class Acknowledged {
  readonly #file: number
  readonly #bytes = new DataView(new ArrayBuffer(FILE_BYTES))
  #sequence: number

  constructor(path: string, sequence: number) {
    this.#file = openSync(path, constants.O_WRONLY | constants.O_CREAT, FILE_MODE)
    this.#sequence = sequence
    this.#write()
  }

  /** So many more operations were synced. One small write into memory of the system, a few microseconds. */
  add(operations: number): void {
    this.#sequence += operations
    this.#write()
  }

  close(): void {
    try {
      fsyncSync(this.#file)
    } finally {
      closeSync(this.#file)
    }
  }

  #write(): void {
    const bytes = this.#bytes
    bytes.setUint32(0, this.#sequence % 2 ** 32, true)
    bytes.setUint32(4, Math.floor(this.#sequence / 2 ** 32), true)
    bytes.setUint32(8, crc32c(new Uint8Array(bytes.buffer, 0, NUMBER_BYTES)), true)
    writeSync(this.#file, bytes, 0, FILE_BYTES, 0)
  }
}
