/** One life of a cell, from start to crash or stop: its timers, async work, watches and resources. All of it ends with the life. */
import type { CellContext, ChildSpec, Disposable, DownReason, Instance, Ref, RunResult } from './behaviour.ts'
import type { Env, Timer } from './env.ts'
import { assert, BlazeError } from './errors.ts'
import { limits } from './limits.ts'
import { Ring } from './ring.ts'
import type { Tap } from './tap.ts'

/** What a life needs of its cell. */
export interface LifeHost<M> {
  readonly self: Ref<M>
  readonly env: Env
  readonly tap: Tap
  /** True while a handler of this cell is on the stack. */
  readonly inTurn: boolean
  spawnChild<N>(spec: ChildSpec<N>): Ref<N>
  /** Asks for a turn. */
  wake(): void
  requestCrash(error: unknown): void
  requestStopSelf(): void
}

/** What can be watched: a cell. Returns the way to stop watching. */
export interface Watchable {
  addWatcher(notify: (reason: DownReason) => void): () => void
}

/** Those who watch one cell, across its restarts. */
export class WatcherList {
  #watchers: Set<(reason: DownReason) => void> | undefined

  add(notify: (reason: DownReason) => void): () => void {
    this.#watchers ??= new Set()
    this.#watchers.add(notify)
    return () => this.#watchers?.delete(notify)
  }

  /** A final death is the last one to be heard of. */
  notify(reason: DownReason): void {
    const watchers = [...(this.#watchers ?? [])]
    if (reason.final) this.#watchers = undefined
    for (const notify of watchers) notify(reason)
  }
}

interface SystemMail {
  readonly label: unknown
  readonly work: () => void
}

export class Life<M> implements CellContext<M> {
  instance: Instance<M> | undefined
  readonly #host: LifeHost<M>
  readonly #mail = new Ring<SystemMail>()
  #dead = false
  #abort: AbortController | undefined
  #owned: Disposable[] | undefined
  #timers: Set<Timer> | undefined
  #watches: Set<() => void> | undefined

  constructor(host: LifeHost<M>) {
    this.#host = host
  }

  get self(): Ref<M> {
    return this.#host.self
  }

  get env(): Env {
    return this.#host.env
  }

  get path(): string {
    return this.#host.self.path
  }

  get signal(): AbortSignal {
    this.#abort ??= new AbortController()
    if (this.#dead) this.#abort.abort()
    return this.#abort.signal
  }

  /** System mail that waits for a turn. */
  get mailDepth(): number {
    return this.#mail.length
  }

  takeMail(): SystemMail | undefined {
    return this.#mail.shift()
  }

  post(label: unknown, work: () => void): void {
    if (this.#dead) return
    // Never dropped, so an overflow can only be a bug of this cell.
    if (this.#mail.length >= limits.systemMailMax) {
      this.#host.requestCrash(new BlazeError('OVERLOADED', `the system lane of ${this.path} is full`))
      return
    }
    this.#mail.push({ label, work })
    this.#host.wake()
  }

  later(delayMs: number, label: unknown, work: () => void): Timer {
    if (this.#dead) return { cancel() {} }
    let cancelled = false
    const native = this.#host.env.after(delayMs, () => {
      this.#timers?.delete(timer)
      this.post(label, () => {
        if (!cancelled) work()
      })
    })
    const timer: Timer = {
      cancel: () => {
        cancelled = true
        native.cancel()
        this.#timers?.delete(timer)
      },
    }
    this.#timers ??= new Set()
    this.#timers.add(timer)
    return timer
  }

  after(delayMs: number, message: M): Timer {
    return this.later(delayMs, message, () => this.#receive(message))
  }

  spawn<N>(spec: ChildSpec<N>): Ref<N> {
    if (this.#dead) throw new BlazeError('CELL_DOWN', `${this.path} is down and starts no children`)
    return this.#host.spawnChild(spec)
  }

  own<T extends Disposable>(resource: T): T {
    if (this.#dead) {
      // Opened by work that outlived its cell: nobody else would ever close it.
      void this.#dispose(resource)
      return resource
    }
    this.#owned ??= []
    assert(this.#owned.length < limits.ownedMax, `${this.path} owns more than ${limits.ownedMax} resources`)
    this.#owned.push(resource)
    return resource
  }

  run<T>(work: (signal: AbortSignal) => Promise<T>, done: (result: RunResult<T>) => M | undefined): void {
    if (this.#dead) return
    const settle = (result: RunResult<T>): void => {
      this.post({ type: 'run' }, () => {
        const message = done(result)
        if (message !== undefined) this.#receive(message)
      })
    }
    const start = async (): Promise<T> => work(this.signal)
    start().then(
      (value) => settle({ ok: true, value }),
      (error: unknown) => settle({ ok: false, error }),
    )
  }

  watch(ref: Ref<never>, onDown: (reason: DownReason) => M): void {
    if (this.#dead) return
    if (!isWatchable(ref)) throw new TypeError('watch: ref: expected the ref of a cell')
    let remove: (() => void) | undefined
    let gone = false
    remove = ref.addWatcher((reason) => {
      gone = reason.final
      if (gone && remove !== undefined) this.#watches?.delete(remove)
      this.post({ type: 'down' }, () => this.#receive(onDown(reason)))
    })
    if (gone) return
    this.#watches ??= new Set()
    this.#watches.add(remove)
  }

  crash(error: unknown): void {
    if (this.#dead) return
    if (this.#host.inTurn) throw toError(error)
    this.#host.requestCrash(error)
  }

  stopSelf(): void {
    if (!this.#dead) this.#host.requestStopSelf()
  }

  emit(event: string, details: object = {}): void {
    const { tap, self } = this.#host
    if (tap.active) tap.emit('event', self.path, self.id, { ...details, event })
  }

  define(machine: object, describe: () => { readonly hash: string; readonly definition: unknown }): void {
    this.#host.tap.define(machine, describe)
  }

  entered(from: string, to: string, event: string): void {
    const { tap, self } = this.#host
    if (tap.active) tap.emit('machine.state', self.path, self.id, { from, to, event })
  }

  /** Death: nothing of this life reaches the cell any more. Returns the labels of the mail that was lost. */
  end(): unknown[] {
    this.#dead = true
    this.#abort?.abort()
    for (const timer of this.#timers ?? []) timer.cancel()
    for (const remove of this.#watches ?? []) remove()
    this.#watches = undefined
    const lost: unknown[] = []
    for (let mail = this.#mail.shift(); mail !== undefined; mail = this.#mail.shift()) lost.push(mail.label)
    return lost
  }

  /** Disposes of what is owned, last owned first, each before the next. Never rejects. */
  async disposeOwned(): Promise<void> {
    const owned = this.#owned ?? []
    for (let resource = owned.pop(); resource !== undefined; resource = owned.pop())
      await this.#dispose(resource)
  }

  get ownsAny(): boolean {
    return this.#owned !== undefined && this.#owned.length > 0
  }

  async #dispose(resource: Disposable): Promise<void> {
    try {
      await (typeof resource === 'function' ? resource() : resource.close())
    } catch (error) {
      // The others still have to be disposed of; the cell is dead, so nobody is left to crash.
      this.#host.env.log.error('cell.dispose.failed', { path: this.path, error: String(error) })
      this.emit('dispose.failed', { error: String(error) })
    }
  }

  #receive(message: M): void {
    this.instance?.receive(message)
  }
}

export function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(`a cell failed with ${String(error)}`)
}

function isWatchable(ref: unknown): ref is Watchable {
  return typeof ref === 'object' && ref !== null && 'addWatcher' in ref
}
