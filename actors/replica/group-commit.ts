/**
 * One batch on its way to the disk at a time; what is staged meanwhile shares the next one.
 * Invariant: a promise resolves after the batch with its changes was synced, and after the first failure all of them reject.
 */
import { BlazeError } from '../../runtime/index.ts'
import type { OrderedStore, StoreOperation } from './store.ts'

/** A batch, and what to do once it was synced. */
export interface BuiltBatch {
  readonly operations: readonly StoreOperation[]
  land(): void
}

interface Waiter {
  resolve(): void
  reject(error: unknown): void
}

export class GroupCommit {
  readonly #store: OrderedStore
  readonly #build: () => BuiltBatch
  readonly #onFailed: (error: BlazeError) => void
  /** Of what is staged, and of what is in flight. */
  #staged: Waiter[] = []
  #flying: Waiter[] = []
  #quiet: Waiter[] = []
  #scheduled = false
  #busy = false
  #error: BlazeError | undefined

  /** `build` empties the stage; `onFailed` is called once. */
  constructor(options: {
    readonly store: OrderedStore
    readonly build: () => BuiltBatch
    readonly onFailed: (error: BlazeError) => void
  }) {
    this.#store = options.store
    this.#build = options.build
    this.#onFailed = options.onFailed
  }

  /** Throws the error of the first failure. */
  check(): void {
    if (this.#error !== undefined) throw this.#error
  }

  /** For something just staged: resolves when it was synced. */
  request(): Promise<void> {
    if (this.#error !== undefined) return Promise.reject(this.#error)
    const done = wait(this.#staged)
    this.#schedule()
    return done
  }

  /** Resolves when all that is staged or in flight now was synced. */
  settled(): Promise<void> {
    if (this.#error !== undefined) return Promise.reject(this.#error)
    if (this.#staged.length > 0) return wait(this.#staged)
    return this.#busy ? wait(this.#flying) : Promise.resolve()
  }

  /** Runs `look` while no batch is in flight, so that the store shows just what has landed. */
  async whenQuiet<T>(look: () => T): Promise<T> {
    this.check()
    if (!this.#busy) return look()
    return new Promise((resolve, reject) => {
      // At once when the batch lands: a turn later the next one may be under way.
      const run = (): void => {
        try {
          resolve(look())
        } catch (error) {
          reject(error)
        }
      }
      this.#quiet.push({ resolve: run, reject })
    })
  }

  /** Something other than a batch showed that the store cannot be used. */
  poison(error: BlazeError): void {
    if (this.#error === undefined) this.#fail(error)
  }

  #schedule(): void {
    if (this.#scheduled || this.#busy) return
    this.#scheduled = true
    // A microtask, so that all that is written in one turn shares the batch, and a single write does not wait for a timer.
    queueMicrotask(() => {
      this.#scheduled = false
      this.#launch()
    })
  }

  #launch(): void {
    if (this.#error !== undefined) return
    this.#busy = true
    this.#flying = this.#staged
    this.#staged = []
    let batch: BuiltBatch
    try {
      batch = this.#build()
    } catch (error) {
      this.#fail(error)
      return
    }
    // Outside of `catch`: a listener that throws is a bug and must not look like a failing disk.
    this.#store.batch(batch.operations).then(
      () => this.#landed(batch),
      (error: unknown) => this.#fail(error),
    )
  }

  #landed(batch: BuiltBatch): void {
    // Poisoned meanwhile: whoever waited has been told that it is unknown.
    if (this.#error !== undefined) return
    this.#busy = false
    const landed = this.#flying
    this.#flying = []
    batch.land()
    for (const waiter of landed) waiter.resolve()
    const quiet = this.#quiet
    this.#quiet = []
    for (const waiter of quiet) waiter.resolve()
    if (this.#staged.length > 0) this.#schedule()
  }

  #fail(cause: unknown): void {
    if (this.#error !== undefined) return
    const known = cause instanceof BlazeError && (cause.code === 'POISONED' || cause.code === 'DAMAGED')
    const error = known
      ? cause
      : new BlazeError('POISONED', 'the replica could not write; close it and reopen', { cause })
    this.#error = error
    this.#busy = false
    const waiters = [...this.#flying, ...this.#staged, ...this.#quiet]
    this.#flying = []
    this.#staged = []
    this.#quiet = []
    for (const waiter of waiters) waiter.reject(error)
    this.#onFailed(error)
  }
}

function wait(list: Waiter[]): Promise<void> {
  return new Promise((resolve, reject) => {
    list.push({ resolve, reject })
  })
}
