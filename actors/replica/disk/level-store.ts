/**
 * `OrderedStore` on LevelDB.
 * Invariant: a batch is synced before it is acknowledged, unless it asked not to be, and the first failure poisons the handle: LevelDB has been seen to
 * acknowledge writes after "disk full" that it then lost. It is never repaired: repair drops rows silently.
 */
import { ClassicLevel } from 'classic-level'
import { BlazeError, limits } from '../../../runtime/index.ts'
import type { Acknowledged } from './acknowledged.ts'
import type { FreeSpace } from './free-space.ts'
import { tryLevel } from './level-trial.ts'
import type {
  BatchOptions,
  OrderedStore,
  RangeOptions,
  StoreOperation,
  StoreRow,
  StoreSnapshot,
} from '../store.ts'

type Level = ClassicLevel<Uint8Array, Uint8Array>
type LevelSnapshot = ReturnType<Level['snapshot']>

/** What keeps watch beside the files. */
export interface LevelKeepers {
  readonly acknowledged: Acknowledged
  readonly space: FreeSpace
  /** Says what is wrong with the tables; `pause` is awaited between them. */
  verifyFiles(pause: () => Promise<void>): Promise<readonly string[]>
  /** Called once LevelDB has closed its files, unless the handle had failed. */
  closed(): Promise<void>
  /** Called at the very end, whatever happened. */
  released(): void
}

const options = {
  // Sealed bytes do not shrink.
  compression: false,
  writeBufferSize: limits.levelWriteBufferBytes,
  cacheSize: limits.levelCacheBytes,
  maxOpenFiles: limits.levelOpenFilesMax,
  maxFileSize: limits.levelFileBytes,
} as const

/**
 * Opens or creates; the keepers are made once it is open. `ALREADY_OPEN` while its lock is held, `DAMAGED` when LevelDB finds its own
 * files corrupt, `DISK_FULL`.
 */
export async function openLevelStore(
  at: string,
  keepers: () => Promise<LevelKeepers>,
): Promise<OrderedStore> {
  const level: Level = new ClassicLevel(at, { ...options, keyEncoding: 'view', valueEncoding: 'view' })
  try {
    await level.open()
  } catch (error) {
    throw openingError(at, error)
  }
  try {
    return new LevelStore(level, await keepers())
  } catch (error) {
    await level.close()
    throw error
  }
}

/** Opens it in another process, and closes it again. Rejects as `openLevelStore` does, and with `DAMAGED` where that would end the process. */
export async function tryLevelStore(at: string): Promise<void> {
  const answer = await tryLevel({ at, module: import.meta.resolve('classic-level'), options })
  if (answer.code !== undefined || answer.message !== undefined) throw openingError(at, answer)
}

const CORRUPTION = 'LEVEL_CORRUPTION'

function openingError(at: string, error: unknown): BlazeError {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
  const code = codeOf(cause)
  if (messageOf(cause).endsWith('No space left on device'))
    return new BlazeError('DISK_FULL', `no space is left to open the store ${at}`, {
      cause: error,
      details: { at },
    })
  if (code === 'LEVEL_LOCKED')
    return new BlazeError('ALREADY_OPEN', `the store ${at} is already open`, { cause: error })
  // The directory was made a moment ago: a file that is missing is one that another file names.
  const isMissing = code === 'LEVEL_IO_ERROR' && messageOf(cause).endsWith('No such file or directory')
  if (code === CORRUPTION || isMissing) {
    return new BlazeError('DAMAGED', `the store ${at} cannot be read; restore it from a peer or a backup`, {
      cause: error,
      details: { at, problems: ['the files of the store are corrupt'], count: 1 },
    })
  }
  return new BlazeError('POISONED', `the store ${at} cannot be opened: ${messageOf(error)}`, { cause: error })
}

class LevelStore implements OrderedStore {
  readonly #level: Level
  readonly #keepers: LevelKeepers
  readonly #snapshots = new Set<LevelSnapshot>()
  /** The newest batch. After one that failed LevelDB may still take the next, and lose it. */
  #last: Promise<void> = Promise.resolve()
  /** Operations of batches that were not synced. */
  #unsynced = 0
  #poison: BlazeError | undefined
  #closing: Promise<void> | undefined

  constructor(level: Level, keepers: LevelKeepers) {
    this.#level = level
    this.#keepers = keepers
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#get(key, undefined)
  }

  range(options: RangeOptions): Promise<StoreRow[]> {
    return this.#range(options, undefined)
  }

  snapshot(): StoreSnapshot {
    this.#check()
    const snapshot = this.#level.snapshot()
    this.#snapshots.add(snapshot)
    let open = true
    const check = (): void => {
      if (!open) throw new BlazeError('CLOSED', 'the snapshot is closed')
    }
    return {
      get: (key) => {
        check()
        return this.#get(key, snapshot)
      },
      range: async (options) => {
        check()
        return this.#range(options, snapshot)
      },
      close: () => {
        if (!open) return undefined
        open = false
        this.#snapshots.delete(snapshot)
        return snapshot.close()
      },
    }
  }

  async batch(operations: readonly StoreOperation[], options: BatchOptions = {}): Promise<void> {
    this.#check()
    const turn = this.#last.then(() => this.#write(operations, options.sync ?? true))
    this.#last = turn.catch(() => undefined)
    return turn
  }

  verifyFiles(pause: () => Promise<void>): Promise<readonly string[]> {
    this.#check()
    return this.#keepers.verifyFiles(pause)
  }

  checkSpace(nowMs: number, frees: boolean): void {
    this.#check()
    this.#keepers.space.check(nowMs, frees)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const keepers = this.#keepers
    await this.#last
    try {
      await Promise.all([...this.#snapshots].map((snapshot) => snapshot.close()))
      await this.#level.close()
      keepers.acknowledged.close()
      if (this.#poison === undefined) await keepers.closed()
    } finally {
      keepers.released()
    }
  }

  async #write(operations: readonly StoreOperation[], sync: boolean): Promise<void> {
    if (this.#poison !== undefined) throw this.#poison
    const { acknowledged, space } = this.#keepers
    try {
      // Five times cheaper than a batch from an array, which copies every operation.
      const batch = this.#level.batch()
      let bytes = 0
      for (const operation of operations) {
        if (operation.type === 'put') {
          batch.put(operation.key, operation.value)
          bytes += operation.value.length
        } else batch.del(operation.key)
        bytes += operation.key.length
      }
      await batch.write({ sync })
      space.wrote(bytes)
      this.#unsynced += operations.length
      if (!sync) return
      acknowledged.add(this.#unsynced)
      this.#unsynced = 0
    } catch (error) {
      throw this.#fail(error)
    }
  }

  #get(key: Uint8Array, snapshot: LevelSnapshot | undefined): Uint8Array | undefined {
    this.#check()
    try {
      return snapshot === undefined ? this.#level.getSync(key) : this.#level.getSync(key, { snapshot })
    } catch (error) {
      throw this.#fail(error)
    }
  }

  async #range(options: RangeOptions, snapshot: LevelSnapshot | undefined): Promise<StoreRow[]> {
    this.#check()
    try {
      const iterator = this.#level.iterator({
        ...options,
        ...(snapshot === undefined ? {} : { snapshot }),
        highWaterMarkBytes: limits.rangeBytesMax,
      })
      return await iterator.all()
    } catch (error) {
      throw this.#fail(error)
    }
  }

  #check(): void {
    if (this.#poison !== undefined) throw this.#poison
    if (this.#closing !== undefined) throw new BlazeError('CLOSED', 'the store is closed')
  }

  #fail(cause: unknown): BlazeError {
    if (this.#closing !== undefined) return new BlazeError('CLOSED', 'the store is closed', { cause })
    this.#poison ??= new BlazeError(
      'POISONED',
      `the store failed: ${messageOf(cause)}; close it and reopen`,
      // Files that LevelDB finds corrupt while it compacts them stay so: reopening alone does not help.
      { cause, details: codeOf(cause) === CORRUPTION ? { damaged: true } : {} },
    )
    return this.#poison
  }
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
}

function messageOf(error: unknown): string {
  const message = typeof error === 'object' && error !== null && 'message' in error ? error.message : error
  return String(message)
}
