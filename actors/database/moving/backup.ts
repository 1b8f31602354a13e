/**
 * Makes a backup of an open database: one moment of its store with its header, sealed, in one file (PROTOCOL §6.4).
 * Invariant: memory does not grow with the database, and nothing is under the path before the whole backup is on the disk.
 */
import { Breath, concatBytes, limits } from '../../../runtime/index.ts'
import type { CryptoProvider, Env } from '../../../runtime/index.ts'
import { openBackupRows } from '../../replica/index.ts'
import type { BackupRows, FilePort, FileSink, Replica, RowRange } from '../../replica/index.ts'
import type { HeaderFile } from '../header-file.ts'
import type { Secret } from '../header.ts'
import { inboxRows } from '../inbox/inbox-row.ts'
import { BACKUP_ID_BYTES, encodeHead, FrameSealer } from './backup-frame.ts'
import { encodeManifest, encodeRow, encodeTotals } from './backup-item.ts'

export const BACKUP_KEY_LABEL = 'backup'

/** Definitions of indexes, because what else indexes hold is made of records again; and the inbox. */
const OTHER_ROWS: readonly RowRange[] = [
  { gte: Uint8Array.of(0x79, 0xff, 0xff), lt: Uint8Array.of(0x7a) },
  inboxRows,
]

export interface BackupParts {
  readonly env: Env
  readonly crypto: CryptoProvider
  readonly header: HeaderFile
  readonly replica: Replica
  readonly files: FilePort
}

export interface BackupProgress {
  readonly rows: number
  /** About how many there will be. */
  readonly rowsExpected: number
  /** Of the file, written so far. */
  readonly bytes: number
}

export interface BackupOptions {
  readonly path: string
  /** Opens the backup; default: what opens the database now. */
  readonly secret: Secret | undefined
  /** Its reason is what the backup then rejects with. */
  readonly signal: AbortSignal
  readonly onProgress: ((progress: BackupProgress) => void) | undefined
}

export interface BackupReport {
  readonly bytes: number
  /** Records in it, deleted ones included. */
  readonly records: number
}

/** Rejects with `DAMAGED`, `DISK_FULL`, `DIRECTORY_UNUSABLE`, `POISONED`, `CLOSED`, and leaves no file then. */
export async function writeBackup(parts: BackupParts, options: BackupOptions): Promise<BackupReport> {
  const { crypto, header, replica, files } = parts
  const ownReplicaId = header.identity.replica
  const rows = await openBackupRows({ replica, crypto, ownReplicaId, others: OTHER_ROWS })
  try {
    // After the rows: it has the keys of all of them.
    const copy = await header.copy(options.secret)
    options.signal.throwIfAborted()
    const sink = await files.create(options.path)
    try {
      const writing = new BackupWriting(parts, options, { rows, sink, copy })
      const report = await writing.run()
      await sink.finish()
      return report
    } finally {
      await sink.discard()
    }
  } finally {
    await rows.close()
  }
}

class BackupWriting {
  readonly #parts: BackupParts
  readonly #options: BackupOptions
  readonly #rows: BackupRows
  readonly #sink: FileSink
  readonly #head: Uint8Array
  readonly #frames: FrameSealer
  /** Items, and the part of one, that wait for a full frame. */
  #waiting: Uint8Array[] = []
  #waitingBytes = 0
  #bytes = 0
  #count = 0

  constructor(
    parts: BackupParts,
    options: BackupOptions,
    made: { readonly rows: BackupRows; readonly sink: FileSink; readonly copy: Uint8Array },
  ) {
    const { crypto, env, header } = parts
    this.#parts = parts
    this.#options = options
    this.#rows = made.rows
    this.#sink = made.sink
    const head = { backupId: env.entropy(BACKUP_ID_BYTES), header: made.copy }
    this.#head = encodeHead(head)
    this.#frames = new FrameSealer(crypto, header.localKey(BACKUP_KEY_LABEL), head)
  }

  async run(): Promise<BackupReport> {
    const { env, header } = this.#parts
    const { lastOwnSeq, tags, envelopes } = this.#rows
    const breath = new Breath(env)
    await this.#write(this.#head)
    const { space } = header.identity
    await this.#add(encodeManifest({ space, madeAtMs: env.now(), lastOwnSeq, tags, envelopes }))
    await this.#rows.read(async (page) => {
      for (const row of page) {
        await this.#add(encodeRow(row))
        const pause = breath.pause()
        if (pause !== undefined) await pause
      }
      this.#count += page.length
      this.#options.signal.throwIfAborted()
      this.#progress()
    })
    await this.#add(encodeTotals(this.#count))
    await this.#write(this.#frames.seal(concatBytes(this.#waiting), true))
    this.#progress()
    return { bytes: this.#bytes, records: tags }
  }

  async #add(item: Uint8Array): Promise<void> {
    this.#waiting.push(item)
    this.#waitingBytes += item.length
    if (this.#waitingBytes < limits.backupFrameBytes) return
    let plain = concatBytes(this.#waiting)
    // The last frame is sealed as such, so it is never this one that ends the file.
    while (plain.length >= limits.backupFrameBytes) {
      await this.#write(this.#frames.seal(plain.subarray(0, limits.backupFrameBytes), false))
      plain = plain.subarray(limits.backupFrameBytes)
    }
    this.#waiting = [plain]
    this.#waitingBytes = plain.length
  }

  async #write(bytes: Uint8Array): Promise<void> {
    const { env, replica } = this.#parts
    // The disk may be the one of the store, which has to go on writing.
    replica.store.checkSpace?.(env.monotonic(), false)
    await this.#sink.write(bytes)
    this.#bytes += bytes.length
  }

  #progress(): void {
    const rowsExpected = Math.max(this.#count, this.#rows.tags)
    this.#options.onProgress?.({ rows: this.#count, rowsExpected, bytes: this.#bytes })
  }
}
