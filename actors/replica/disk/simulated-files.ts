/** Long files in memory, for worlds without a disk. Invariant: a file is there whole or not at all. */
import { BlazeError, concatBytes } from '../../../runtime/index.ts'
import type { FilePort } from '../file-port.ts'

export interface SimulatedFiles extends FilePort {
  /** By path, as they lie on the disk; a spec may change them. */
  readonly contents: Map<string, Uint8Array>
  /** Bytes that still fit; what does not is `DISK_FULL`. */
  freeBytes: number
}

export function createSimulatedFiles(): SimulatedFiles {
  const contents = new Map<string, Uint8Array>()
  const port: SimulatedFiles = {
    contents,
    freeBytes: Infinity,
    async create(path) {
      let pieces: Uint8Array[] = []
      return {
        async write(bytes) {
          if (port.freeBytes < bytes.length) throw new BlazeError('DISK_FULL', 'the simulated disk is full')
          port.freeBytes -= bytes.length
          pieces.push(bytes.slice())
        },
        async finish() {
          contents.set(path, concatBytes(pieces))
        },
        async discard() {
          pieces = []
        },
      }
    },
    async open(path) {
      const bytes = contents.get(path)
      if (bytes === undefined) throw new BlazeError('NOT_FOUND', `there is no file ${path}`)
      let at = 0
      return {
        sizeBytes: bytes.length,
        async read(bytesMax) {
          const piece = bytes.slice(at, at + bytesMax)
          at += piece.length
          return piece
        },
        async close() {},
      }
    },
  }
  return port
}
