/**
 * The disk port: an ordered map of bytes with atomic, synced batches and snapshots.
 * Invariant: a batch is there whole or not at all, and there for good once its promise resolved, unless it asked not to be synced.
 * After the first failure of a handle nothing it says can be trusted, so every later call of it fails with `POISONED`.
 */

export type StoreOperation =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: Uint8Array }

/** Keys from `gte` up to but not including `lt`, at most `limit` of them, from the far end when `reverse`. */
export interface RangeOptions {
  readonly gte: Uint8Array
  readonly lt: Uint8Array
  readonly limit: number
  readonly reverse?: boolean
}

export type StoreRow = [key: Uint8Array, value: Uint8Array]

export interface StoreReader {
  /** The value, or undefined. Synchronous: a cached read costs less than a promise. */
  get(key: Uint8Array): Uint8Array | undefined
  range(options: RangeOptions): Promise<StoreRow[]>
}

export interface BatchOptions {
  /**
   * Default true. False: resolves as soon as readers see the batch, and outlives the process, but a power cut may lose it together
   * with what came after it; a later synced batch confirms it too. LevelDB breaks that order while it replaces a full log file:
   * then a power cut can lose the last unsynced batches before the change and keep later ones. So whoever writes unsynced has to
   * be able to tell that rows are missing.
   */
  readonly sync?: boolean
}

/** The store as it was at one moment. Must be closed; reading afterwards fails with `CLOSED`. */
export interface StoreSnapshot extends StoreReader {
  close(): void | Promise<void>
}

export interface OrderedStore extends StoreReader {
  /** Shows every batch that resolved before the call, and perhaps one that is in flight. */
  snapshot(): StoreSnapshot
  /**
   * Atomic; resolves after the disk confirmed it. Of two batches in flight at once either may take effect first: whoever needs an
   * order waits in between. Rejects with `POISONED` once the handle failed, `CLOSED` after close.
   */
  batch(operations: readonly StoreOperation[], options?: BatchOptions): Promise<void>
  /**
   * Reads the files below the rows, where there are any, and says what is wrong with them; `pause` is awaited between pieces. What
   * files disagree in may lead a reader to abort the process, so a pass over the rows looks here first.
   */
  verifyFiles?(pause: () => Promise<void>): Promise<readonly string[]>
  /**
   * Throws `DISK_FULL` while the disk has less than its reserve, which batches do not ask for: they may use it. Cheap: measures at
   * most every so many milliseconds and bytes. `nowMs` is monotonic; `frees` for what gives room back, which may use half of it.
   */
  checkSpace?(nowMs: number, frees: boolean): void
  /** Idempotent. */
  close(): Promise<void>
}
