/**
 * The outside of a backup (PROTOCOL §6.4): a head with a database header in it, then sealed frames.
 * Invariant: number and finality of a frame are in its nonce, and the whole head is its associated data, so a cut, a changed bit, another
 * order or a frame of another backup does not authenticate. Nothing is handed out before that.
 */
import {
  AEAD_NONCE_BYTES,
  AEAD_TAG_BYTES,
  BlazeError,
  ByteReader,
  ByteWriter,
  concatBytes,
  limits,
  readU32,
  writeU48,
} from '../../../runtime/index.ts'
import type { Aead, CryptoProvider } from '../../../runtime/index.ts'
import type { FileSource } from '../../replica/index.ts'

const MAGIC = new TextEncoder().encode('BLZB')
const VERSION = 1
export const BACKUP_ID_BYTES = 16
const HEAD_START_BYTES = MAGIC.length + 1 + BACKUP_ID_BYTES + 4
/** A header is an identity and a few hundred bytes. */
const HEADER_ROOM_BYTES = 1_024
const FRAME_START_BYTES = 5
const FRAMES_LABEL = 'frames'

export interface BackupHead {
  /** Fresh for each backup, 16 bytes. */
  readonly backupId: Uint8Array
  /** PROTOCOL §6.2. */
  readonly header: Uint8Array
}

export function encodeHead({ backupId, header }: BackupHead): Uint8Array {
  return new ByteWriter(HEAD_START_BYTES + header.length)
    .bytes(MAGIC)
    .u8(VERSION)
    .bytes(backupId)
    .u32(header.length)
    .bytes(header)
    .finish()
}

/** Both sides of the frames; `key` is the local key of the header for backups. */
class Frames {
  readonly #aead: Aead
  readonly #context: Uint8Array
  /** Of the last frame; the first one has 1. */
  number = 0

  constructor(crypto: CryptoProvider, key: Uint8Array, head: BackupHead) {
    this.#aead = crypto.createAead(crypto.hkdfSha256(key, head.backupId, FRAMES_LABEL, 32))
    this.#context = crypto.sha256(encodeHead(head))
  }

  seal(plain: Uint8Array, isLast: boolean): Uint8Array {
    this.number += 1
    return this.#aead.seal(nonceOf(this.number, isLast), this.#context, plain)
  }

  open(sealed: Uint8Array, isLast: boolean): Uint8Array | undefined {
    this.number += 1
    return this.#aead.open(nonceOf(this.number, isLast), this.#context, sealed)
  }
}

export class FrameSealer {
  readonly #frames: Frames

  constructor(crypto: CryptoProvider, key: Uint8Array, head: BackupHead) {
    this.#frames = new Frames(crypto, key, head)
  }

  /** A whole frame, to be written after the ones before. */
  seal(plain: Uint8Array, isLast: boolean): Uint8Array {
    const sealed = this.#frames.seal(plain, isLast)
    const start = new ByteWriter(FRAME_START_BYTES)
      .u8(isLast ? 1 : 0)
      .u32(sealed.length)
      .finish()
    return concatBytes([start, sealed])
  }
}

/** Reads a backup from its beginning. What it rejects with is `BACKUP_INVALID`, with `details.frame`, and what the disk says. */
export class BackupReader {
  readonly #input: ExactReader
  #bytes = 0

  constructor(source: FileSource) {
    this.#input = new ExactReader(source)
  }

  /** Read so far. */
  get bytes(): number {
    return this.#bytes
  }

  /** `NOT_SUPPORTED` for a later version. */
  async head(): Promise<BackupHead> {
    const start = await this.#take(HEAD_START_BYTES, 0)
    const reader = new ByteReader(start, 'backup')
    const magic = reader.bytes(MAGIC.length)
    if (magic.some((byte, at) => byte !== MAGIC[at])) throw invalid(0, 'the file is no backup')
    const version = reader.u8()
    if (version !== VERSION) {
      throw new BlazeError(
        'NOT_SUPPORTED',
        `the backup has version ${version}, this version reads ${VERSION}`,
      )
    }
    const backupId = reader.bytes(BACKUP_ID_BYTES)
    const length = reader.u32()
    if (length > limits.identityBytesMax + HEADER_ROOM_BYTES) {
      throw invalid(0, `it names a header of ${length} bytes`)
    }
    return { backupId, header: await this.#take(length, 0) }
  }

  /** Each frame's plaintext; `page` is awaited before the next one is read. */
  async frames(
    crypto: CryptoProvider,
    { key, head }: { readonly key: Uint8Array; readonly head: BackupHead },
    page: (plain: Uint8Array, number: number) => Promise<void>,
  ): Promise<void> {
    const frames = new Frames(crypto, key, head)
    for (;;) {
      const number = frames.number + 1
      const start = await this.#take(FRAME_START_BYTES, number)
      const length = readU32(start, 1)
      const isLast = start[0] === 1
      if ((start[0] !== 0 && !isLast) || length < AEAD_TAG_BYTES || length > limits.backupFrameBytesMax) {
        throw invalid(number, 'its first bytes make no sense')
      }
      const plain = frames.open(await this.#take(length, number), isLast)
      if (plain === undefined) {
        throw invalid(
          number,
          'it does not authenticate: bytes were changed, or frames are missing or mixed up',
        )
      }
      await page(plain, number)
      if (!isLast) continue
      if (!(await this.#input.isAtEnd())) throw invalid(number, 'there are more bytes behind the last frame')
      return
    }
  }

  async #take(length: number, frame: number): Promise<Uint8Array> {
    const bytes = await this.#input.take(length)
    if (bytes === undefined) throw invalid(frame, 'the file ends within it')
    this.#bytes += length
    return bytes
  }
}

/** Frame 0 is the head. */
export function invalid(frame: number, problem: string): BlazeError {
  const where = frame === 0 ? 'its head' : `frame ${frame}`
  return new BlazeError('BACKUP_INVALID', `the backup cannot be used, see ${where}: ${problem}`, {
    details: { frame },
  })
}

/** Cuts the pieces that a file gives into those that are asked for. */
class ExactReader {
  readonly #source: FileSource
  #rest: Uint8Array = new Uint8Array(0)

  constructor(source: FileSource) {
    this.#source = source
  }

  /** Undefined when the file ends before. */
  async take(length: number): Promise<Uint8Array | undefined> {
    const pieces: Uint8Array[] = []
    for (let missing = length; missing > 0;) {
      if (this.#rest.length === 0) this.#rest = await this.#source.read(limits.backupFrameBytes)
      if (this.#rest.length === 0) return undefined
      const piece = this.#rest.subarray(0, missing)
      this.#rest = this.#rest.subarray(piece.length)
      missing -= piece.length
      pieces.push(piece)
    }
    return concatBytes(pieces)
  }

  async isAtEnd(): Promise<boolean> {
    return this.#rest.length === 0 && (await this.#source.read(1)).length === 0
  }
}

function nonceOf(number: number, isLast: boolean): Uint8Array {
  const nonce = new Uint8Array(AEAD_NONCE_BYTES)
  nonce[0] = isLast ? 1 : 0
  writeU48(nonce, 6, number)
  return nonce
}
