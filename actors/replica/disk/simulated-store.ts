/**
 * An ordered store in memory with the timing and the faults of a disk.
 * Invariant: a batch is applied whole and in order, and readers may see it a moment before its promise resolves, as with LevelDB;
 * what a crash finds unapplied or unsynced is kept or lost by chance, but never kept without what came before it.
 */
import { BlazeError, bytesKey } from '../../../runtime/index.ts'
import type { Env, Timer } from '../../../runtime/index.ts'
import type {
  BatchOptions,
  OrderedStore,
  RangeOptions,
  StoreOperation,
  StoreReader,
  StoreRow,
  StoreSnapshot,
} from '../store.ts'

/** The rows of a store, which outlive its handles. Copied on write while a snapshot holds them. */
export class SimulatedRows implements StoreReader {
  #keys: string[] = []
  #rows = new Map<string, StoreRow>()
  #shared = false

  get size(): number {
    return this.#rows.size
  }

  /** The same rows; whichever changes first copies. */
  fork(): SimulatedRows {
    const copy = new SimulatedRows()
    copy.#keys = this.#keys
    copy.#rows = this.#rows
    copy.#shared = true
    this.#shared = true
    return copy
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#rows.get(bytesKey(key))?.[1].slice()
  }

  async range(options: RangeOptions): Promise<StoreRow[]> {
    const from = lowerBound(this.#keys, bytesKey(options.gte))
    const to = Math.max(from, lowerBound(this.#keys, bytesKey(options.lt)))
    const keys =
      options.reverse === true
        ? this.#keys.slice(Math.max(from, to - options.limit), to).reverse()
        : this.#keys.slice(from, Math.min(to, from + options.limit))
    return keys.flatMap((key): StoreRow[] => {
      const row = this.#rows.get(key)
      return row === undefined ? [] : [[row[0].slice(), row[1].slice()]]
    })
  }

  /** What undoes the operations, once they are applied. */
  inverse(operations: readonly StoreOperation[]): StoreOperation[] {
    return operations.map(({ key }): StoreOperation => {
      const value = this.get(key)
      return value === undefined
        ? { type: 'del', key: key.slice() }
        : { type: 'put', key: key.slice(), value }
    })
  }

  apply(operations: readonly StoreOperation[]): void {
    if (this.#shared) {
      this.#keys = [...this.#keys]
      this.#rows = new Map(this.#rows)
      this.#shared = false
    }
    for (const operation of operations) {
      const key = bytesKey(operation.key)
      const known = this.#rows.has(key)
      if (operation.type === 'put') {
        if (!known) this.#keys.splice(lowerBound(this.#keys, key), 0, key)
        this.#rows.set(key, [operation.key.slice(), operation.value.slice()])
      } else if (known) {
        this.#keys.splice(lowerBound(this.#keys, key), 1)
        this.#rows.delete(key)
      }
    }
  }
}

function lowerBound(keys: readonly string[], key: string): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((keys[middle] as string) < key) low = middle + 1
    else high = middle
  }
  return low
}

/** Unsynced batches that a power cut can still lose; older ones the system has written to the disk by itself. */
const UNSYNCED_MAX = 64

interface Pending {
  readonly operations: readonly StoreOperation[]
  readonly sync: boolean
  readonly settle: (error: BlazeError | undefined) => void
  timer: Timer | undefined
}

/** One opening of the rows. */
export class SimulatedStore implements OrderedStore {
  readonly #rows: SimulatedRows
  readonly #env: Env
  readonly #latencyMsMax: number
  readonly #onClose: () => void
  readonly #pending: Pending[] = []
  /** Applied, and not yet told. */
  readonly #applied: Pending[] = []
  /** What undoes each batch that readers see and the disk does not have, oldest first. */
  readonly #unsynced: StoreOperation[][] = []
  #failures = 0
  #error: BlazeError | undefined

  constructor(rows: SimulatedRows, env: Env, latencyMsMax: number, onClose: () => void) {
    this.#rows = rows
    this.#env = env
    this.#latencyMsMax = latencyMsMax
    this.#onClose = onClose
  }

  /** The next `count` batches fail; the first of them poisons the handle. */
  failBatches(count: number): void {
    this.#failures = count
  }

  get(key: Uint8Array): Uint8Array | undefined {
    this.#check()
    return this.#rows.get(key)
  }

  async range(options: RangeOptions): Promise<StoreRow[]> {
    this.#check()
    return this.#rows.range(options)
  }

  snapshot(): StoreSnapshot {
    this.#check()
    const rows = this.#rows.fork()
    let open = true
    const check = (): void => {
      this.#check()
      if (!open) throw new BlazeError('CLOSED', 'the snapshot is closed')
    }
    return {
      get: (key) => {
        check()
        return rows.get(key)
      },
      range: async (options) => {
        check()
        return rows.range(options)
      },
      close: () => {
        open = false
      },
    }
  }

  async batch(operations: readonly StoreOperation[], options: BatchOptions = {}): Promise<void> {
    this.#check()
    return new Promise((resolve, reject) => {
      const settle = (error: BlazeError | undefined): void =>
        error === undefined ? resolve() : reject(error)
      const sync = options.sync ?? true
      const pending: Pending = { operations: [...operations], sync, settle, timer: undefined }
      this.#pending.push(pending)
      // A batch is applied together with all before it, as a log is.
      pending.timer = this.#env.after(this.#env.random() * this.#latencyMsMax, () => this.#apply(pending))
    })
  }

  /** What was not synced counts as written: no power cut after it is simulated. */
  async close(): Promise<void> {
    if (this.#error === undefined) this.#apply(this.#pending.at(-1))
    this.#tell()
    this.#end(new BlazeError('CLOSED', 'the store is closed'))
    this.#onClose()
  }

  /** Power cut: by chance some of the batches that were not synced, or that nobody was told about, are there, in order. */
  crash(): void {
    const unsynced = this.#unsynced.splice(0)
    const survivors = Math.floor(this.#env.random() * (unsynced.length + this.#pending.length + 1))
    for (const undo of unsynced.slice(survivors).reverse()) this.#rows.apply(undo)
    const written = Math.max(0, survivors - unsynced.length)
    for (const { operations } of this.#pending.slice(0, written)) this.#rows.apply(operations)
    this.#end(new BlazeError('POISONED', 'the simulated disk lost its power'))
  }

  #apply(last: Pending | undefined): void {
    while (last !== undefined && this.#pending.includes(last)) {
      if (this.#failures > 0) {
        this.#failures -= 1
        this.#end(new BlazeError('POISONED', 'the simulated disk failed; close it and reopen'))
        return
      }
      const next = this.#pending.shift() ?? last
      next.timer?.cancel()
      if (next.sync) this.#unsynced.length = 0
      else this.#unsynced.push(this.#rows.inverse(next.operations))
      if (this.#unsynced.length > UNSYNCED_MAX) this.#unsynced.shift()
      this.#rows.apply(next.operations)
      this.#applied.push(next)
    }
    this.#env.defer(() => this.#tell())
  }

  #tell(): void {
    for (const pending of this.#applied.splice(0)) pending.settle(undefined)
  }

  #end(error: BlazeError): void {
    this.#error = error
    for (const pending of [...this.#applied.splice(0), ...this.#pending.splice(0)]) {
      pending.timer?.cancel()
      pending.settle(error)
    }
  }

  #check(): void {
    if (this.#error !== undefined) throw this.#error
  }
}
