/**
 * An ordered store in memory with the timing and the faults of a disk.
 * Invariant: a batch is applied whole and in order, and readers may see it a moment before its promise resolves, as with LevelDB;
 * what a crash finds unapplied or unsynced is kept or lost by chance, but never kept without what came before it. Only a crash that
 * is told to tears a batch.
 */
import { BlazeError } from '../../../runtime/index.ts'
import type { Env, Timer } from '../../../runtime/index.ts'
import type { SimulatedRows } from './simulated-rows.ts'
import type {
  BatchOptions,
  OrderedStore,
  RangeOptions,
  StoreOperation,
  StoreRow,
  StoreSnapshot,
} from '../store.ts'

/** Unsynced batches that a power cut can still lose; older ones the system has written to the disk by itself. */
const UNSYNCED_MAX = 64

interface Pending {
  readonly operations: readonly StoreOperation[]
  readonly sync: boolean
  readonly settle: (error: BlazeError | undefined) => void
  timer: Timer | undefined
}

/** What all stores of a disk have in common; it may change at any time. */
export interface SimulatedDisk {
  /** Longest ms until a batch is applied. */
  latencyMsMax: number
  /** Nothing can be added. */
  full: boolean
  /** Less room is left than the reserve. */
  low: boolean
}

export interface SimulatedStoreOptions {
  readonly rows: SimulatedRows
  readonly env: Env
  readonly disk: SimulatedDisk
  /** Called for each batch that readers see from now on. */
  readonly applied: (operations: readonly StoreOperation[], sync: boolean) => void
  readonly onClose: () => void
}

/** One opening of the rows. */
export class SimulatedStore implements OrderedStore {
  readonly #rows: SimulatedRows
  readonly #env: Env
  readonly #disk: SimulatedDisk
  readonly #onApplied: SimulatedStoreOptions['applied']
  readonly #onClose: () => void
  readonly #pending: Pending[] = []
  /** Applied, and not yet told. */
  readonly #applied: Pending[] = []
  /** What undoes each batch that readers see and the disk does not have, oldest first. */
  readonly #unsynced: StoreOperation[][] = []
  #failures = 0
  #error: BlazeError | undefined

  constructor({ rows, env, disk, applied, onClose }: SimulatedStoreOptions) {
    this.#rows = rows
    this.#env = env
    this.#disk = disk
    this.#onApplied = applied
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
      pending.timer = this.#env.after(this.#env.random() * this.#disk.latencyMsMax, () =>
        this.#apply(pending),
      )
    })
  }

  checkSpace(): void {
    this.#check()
    if (this.#disk.low) throw new BlazeError('DISK_FULL', 'the simulated disk has less room than its reserve')
  }

  /** What was not synced counts as written: no power cut after it is simulated. */
  async close(): Promise<void> {
    if (this.#error === undefined) this.#apply(this.#pending.at(-1))
    this.#tell()
    this.#end(new BlazeError('CLOSED', 'the store is closed'))
    this.#onClose()
  }

  /**
   * Power cut: by chance some of the batches that were not synced, or that nobody was told about, are there, in order. `torn`: and of
   * the next one some operations, which no disk does that keeps its promises.
   */
  crash(torn = false): void {
    const unsynced = this.#unsynced.splice(0)
    const survivors = Math.floor(this.#env.random() * (unsynced.length + this.#pending.length + 1))
    for (const undo of unsynced.slice(survivors + 1).reverse()) this.#rows.apply(undo)
    const half = unsynced[survivors]
    if (half !== undefined) this.#rows.apply(torn ? this.#part(half) : half)
    const written = Math.max(0, survivors - unsynced.length)
    for (const { operations } of this.#pending.slice(0, written)) this.#rows.apply(operations)
    const next = half === undefined ? this.#pending[written] : undefined
    if (torn && next !== undefined) this.#rows.apply(this.#part(next.operations))
    this.#end(new BlazeError('POISONED', 'the simulated disk lost its power'))
  }

  /** Some of them, in order: of several at least one, and never all. */
  #part(operations: readonly StoreOperation[]): readonly StoreOperation[] {
    return operations.slice(0, Math.ceil(this.#env.random() * (operations.length - 1)))
  }

  #apply(last: Pending | undefined): void {
    while (last !== undefined && this.#pending.includes(last)) {
      if (this.#failures > 0) {
        this.#failures -= 1
        this.#end(new BlazeError('POISONED', 'the simulated disk failed; close it and reopen'))
        return
      }
      if (this.#disk.full && this.#pending[0]?.operations.some(({ type }) => type === 'put') === true) {
        this.#end(new BlazeError('POISONED', 'the simulated disk is full; close it, free space and reopen'))
        return
      }
      const next = this.#pending.shift() ?? last
      next.timer?.cancel()
      if (next.sync) this.#unsynced.length = 0
      else this.#unsynced.push(this.#rows.inverse(next.operations))
      if (this.#unsynced.length > UNSYNCED_MAX) this.#unsynced.shift()
      this.#rows.apply(next.operations)
      this.#onApplied(next.operations, next.sync)
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
