/**
 * `OrderedStore` on LevelDB.
 * Invariant: a batch is synced before it is acknowledged, unless it asked not to be, and the first failure poisons the handle: LevelDB has been seen to
 * acknowledge writes after "disk full" that it then lost. It is never repaired: repair drops rows silently.
 */
import { ClassicLevel } from 'classic-level'
import { BlazeError, limits } from '../../../runtime/index.ts'
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

/** Opens or creates. `ALREADY_OPEN` while its lock is held, `DAMAGED` when LevelDB finds its own files corrupt. */
export async function openLevelStore(at: string): Promise<OrderedStore> {
  const level: Level = new ClassicLevel(at, {
    keyEncoding: 'view',
    valueEncoding: 'view',
    // Sealed bytes do not shrink.
    compression: false,
    writeBufferSize: limits.levelWriteBufferBytes,
    cacheSize: limits.levelCacheBytes,
    maxOpenFiles: limits.levelOpenFilesMax,
  })
  try {
    await level.open()
  } catch (error) {
    throw openingError(at, error)
  }
  return new LevelStore(level)
}

const CORRUPTION = 'LEVEL_CORRUPTION'

function openingError(at: string, error: unknown): BlazeError {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
  const code = codeOf(cause)
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
  readonly #snapshots = new Set<LevelSnapshot>()
  #poison: BlazeError | undefined
  #closing: Promise<void> | undefined

  constructor(level: Level) {
    this.#level = level
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
    try {
      // Five times cheaper than a batch from an array, which copies every operation.
      const batch = this.#level.batch()
      for (const operation of operations) {
        if (operation.type === 'put') batch.put(operation.key, operation.value)
        else batch.del(operation.key)
      }
      await batch.write({ sync: options.sync ?? true })
    } catch (error) {
      throw this.#fail(error)
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#snapshots].map((snapshot) => snapshot.close()))
    await this.#level.close()
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
  return error instanceof Error ? error.message : String(error)
}
