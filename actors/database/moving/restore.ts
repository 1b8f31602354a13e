/**
 * Makes a directory of a backup: verified to its last byte before the directory counts as a database, which is when its header is written.
 * Invariant: until then no opening takes the directory for anything but an unfinished restore, and only such a one is begun again.
 */
import { BlazeError, limits } from '../../../runtime/index.ts'
import type { CryptoProvider, Env } from '../../../runtime/index.ts'
import { beginRestoredStore } from '../../replica/index.ts'
import type { FileSource, OrderedStore, StoreOperation, StoreRow, Volume } from '../../replica/index.ts'
import { HEADER_FILES, HeaderFile, localKeyOf, openHeader, wrongSecret } from '../header-file.ts'
import type { OpenedHeader } from '../header-file.ts'
import { parseHeader } from '../header.ts'
import type { Secret } from '../header.ts'
import { patchIdentity } from '../identity.ts'
import type { DatabaseIdentity } from '../identity.ts'
import { leaveReplica } from '../rebase.ts'
import { BACKUP_KEY_LABEL } from './backup.ts'
import { BackupReader, invalid } from './backup-frame.ts'
import type { BackupHead } from './backup-frame.ts'
import { ItemReader } from './backup-item.ts'

const STORE = 'store'
/** A file that is there from the first change of the directory until it is a database. */
const RESTORING = 'restoring'
/** First bytes of the rows that a backup carries: tags, commits, log, announcements, definitions of indexes, inbox. */
const CARRIED: ReadonlySet<number> = new Set([0x74, 0x63, 0x6d, 0x72, 0x79, 0x71])

export interface RestoreParts {
  readonly env: Env
  readonly crypto: CryptoProvider
  readonly volume: Volume
  readonly source: FileSource
}

export interface RestoreProgress {
  readonly rows: number
  /** Of the backup, read so far, and its size. */
  readonly bytes: number
  readonly bytesExpected: number
}

export interface RestoreOptions {
  readonly secret: Secret
  /** Its reason is what the restore then rejects with. */
  readonly signal: AbortSignal
  readonly onProgress: ((progress: RestoreProgress) => void) | undefined
}

/**
 * The directory then opens with the same secret, as a replica of its own that continues the one of the backup. Rejects with
 * `WRONG_PASSWORD`, `BACKUP_INVALID` (`details.frame`), `NOT_SUPPORTED`, `NAME_TAKEN` (the directory is not empty), `ALREADY_OPEN`,
 * `DISK_FULL`, and leaves the directory empty then.
 */
export async function restoreBackup(parts: RestoreParts, options: RestoreOptions): Promise<void> {
  const { crypto, volume, source } = parts
  const reader = new BackupReader(source)
  const head = await reader.head()
  const opened = await openCopy(head, options.secret, crypto)
  await beginRestore(volume)
  const store = await openEmptied(volume)
  try {
    // Of two restores at once the second one came late.
    await beginRestore(volume)
    await new Restoring(parts, options, { reader, head, opened, store }).run()
    await store.close()
  } catch (error) {
    // The header first: without rows it would make a database without records.
    for (const name of HEADER_FILES) await volume.remove(name)
    await store.close()
    await volume.remove(STORE)
    await volume.remove(RESTORING)
    throw error
  }
  await volume.remove(RESTORING)
}

/** Throws `HEADER_DAMAGED` for a directory that a restore did not finish. */
export async function checkRestored(volume: Volume): Promise<void> {
  if ((await volume.readFile(RESTORING)) === undefined) return
  throw new BlazeError('HEADER_DAMAGED', 'a restore into this directory was cut off: call restore again', {
    details: { at: volume.at },
  })
}

interface OpenedCopy extends OpenedHeader {
  readonly identity: DatabaseIdentity
}

async function openCopy(head: BackupHead, secret: Secret, crypto: CryptoProvider): Promise<OpenedCopy> {
  let parsed: ReturnType<typeof parseHeader>
  try {
    parsed = parseHeader(head.header, crypto)
  } catch (error) {
    if (error instanceof BlazeError && error.code === 'PROTOCOL_VIOLATION') throw invalid(0, error.message)
    throw error
  }
  const opened = await openHeader(parsed, secret, crypto)
  if (opened === undefined) throw wrongSecret()
  const { unlocked, identity } = opened
  if (identity === undefined) throw invalid(0, 'the identity in it does not authenticate')
  return { unlocked, identity }
}

async function beginRestore(volume: Volume): Promise<void> {
  const names = await volume.list('')
  const isBegun = names.includes(RESTORING) && !HEADER_FILES.some((name) => names.includes(name))
  if (names.length > 0 && !isBegun) {
    throw new BlazeError('NAME_TAKEN', `expected an empty directory, got one with files: ${volume.at}`, {
      details: { at: volume.at },
    })
  }
  if (!isBegun)
    await volume.writeFile(RESTORING, new TextEncoder().encode('a backup is being restored here\n'))
}

async function openEmptied(volume: Volume): Promise<OrderedStore> {
  try {
    return await volume.openStore(STORE)
  } catch (error) {
    if (!(error instanceof BlazeError) || error.code !== 'DAMAGED') throw error
    // What a restore before left behind.
    await volume.remove(STORE)
    return volume.openStore(STORE)
  }
}

class Restoring {
  readonly #parts: RestoreParts
  readonly #options: RestoreOptions
  readonly #reader: BackupReader
  readonly #head: BackupHead
  readonly #opened: OpenedCopy
  readonly #store: OrderedStore
  readonly #items = new ItemReader()
  #waiting: StoreOperation[] = []
  #waitingBytes = 0

  constructor(
    parts: RestoreParts,
    options: RestoreOptions,
    made: {
      readonly reader: BackupReader
      readonly head: BackupHead
      readonly opened: OpenedCopy
      readonly store: OrderedStore
    },
  ) {
    this.#parts = parts
    this.#options = options
    this.#reader = made.reader
    this.#head = made.head
    this.#opened = made.opened
    this.#store = made.store
  }

  async run(): Promise<void> {
    const { crypto } = this.#parts
    const { unlocked, identity } = this.#opened
    await beginRestoredStore(this.#store, identity.space)
    const key = localKeyOf(unlocked.masterKey, BACKUP_KEY_LABEL, crypto)
    let last = 0
    await this.#reader.frames(crypto, { key, head: this.#head }, async (plain, frame) => {
      last = frame
      for (const row of this.#items.add(plain, frame)) await this.#put(row, frame)
      this.#options.signal.throwIfAborted()
      this.#progress()
    })
    this.#items.end(last)
    await this.#flush()
    await this.#writeHeader(last)
  }

  async #put([key, value]: StoreRow, frame: number): Promise<void> {
    if (!CARRIED.has(key[0] ?? 0)) throw invalid(frame, 'a row of a kind that no backup carries')
    this.#waiting.push({ type: 'put', key, value })
    this.#waitingBytes += key.length + value.length
    if (this.#waitingBytes >= limits.restoreBatchBytes) await this.#flush()
  }

  /** Synced each time: of unsynced batches a power cut may lose earlier ones and keep later ones. */
  async #flush(): Promise<void> {
    const operations = this.#waiting
    this.#waiting = []
    this.#waitingBytes = 0
    if (operations.length === 0) return
    this.#store.checkSpace?.(this.#parts.env.monotonic(), false)
    await this.#store.batch(operations)
  }

  /** From here on the directory is a database. */
  async #writeHeader(frame: number): Promise<void> {
    const { crypto, env, volume } = this.#parts
    const { unlocked, identity } = this.#opened
    const { manifest } = this.#items
    if (manifest === undefined || !crypto.equal(manifest.space, identity.space)) {
      throw invalid(frame, 'its header is of another space')
    }
    const left = leaveReplica(identity, { env, reason: 'restored', forkPoint: manifest.lastOwnSeq })
    const header = new HeaderFile({ volume, crypto, env }, unlocked, 0, identity)
    await header.write(patchIdentity(identity, left))
  }

  #progress(): void {
    const { source } = this.#parts
    this.#options.onProgress?.({
      rows: this.#items.rows,
      bytes: this.#reader.bytes,
      bytesExpected: source.sizeBytes,
    })
  }
}
