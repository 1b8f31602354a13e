/** One life of a cell, from start to crash or stop: its timers, async work, watches and resources. All of it ends with the life. */
import type {
  CellContext,
  ChildSpec,
  Disposable,
  DownReason,
  Instance,
  Ref,
  RunResult,
} from '../behaviour.ts'
import type { Env, Timer } from '../env.ts'
import { AssertionFailure, BlazeError } from '../errors.ts'
import type { GroupKey } from '../group.ts'
import type { Kernel } from './kernel.ts'
import { limits } from '../limits.ts'
import type { RegistryKey } from '../registry.ts'
import { Ring } from './ring.ts'
import { describeError } from '../tap.ts'
import { linkedDown, toError } from './fault.ts'

/** What a life needs of its cell. */
export interface LifeHost<M> {
  readonly self: Ref<M>
  readonly kernel: Kernel
  spawnChild<N>(spec: ChildSpec<N>): Ref<N>
  spawnChildren(specs: readonly ChildSpec<never>[]): void
  /** Handles a message outside the user lane, in a turn. */
  deliver(message: M): void
  /** Asks for a turn. */
  wake(): void
  requestCrash(error: unknown): void
  requestStopSelf(): void
  requestPassivation(): void
  stash(): 'ok' | 'full'
  unstash(): void
}

/** What can be watched and linked to: a cell. */
export interface Watchable {
  /** Returns the way to stop watching. */
  addWatcher(notify: (reason: DownReason) => void): () => void
  /** Its present life; undefined while it is down. */
  readonly presentLife: Life<never> | 'passive' | undefined
}

export interface SystemMail {
  readonly label: unknown
  readonly work: () => void
}

/** What a life has asked for; most lives of a large system ask for nothing. */
class Holdings {
  mail: Ring<SystemMail> | undefined
  abort: AbortController | undefined
  owned: Disposable[] | undefined
  timers: Set<Timer> | undefined
  watches: Set<() => void> | undefined
  links: Set<Life<never>> | undefined
}

export class Life<M> implements CellContext<M> {
  instance: Instance<M> | undefined
  /** `run`s that have not come back. */
  runs = 0
  readonly #host: LifeHost<M>
  #dead = false
  #holdings: Holdings | undefined

  constructor(host: LifeHost<M>) {
    this.#host = host
  }

  get self(): Ref<M> {
    return this.#host.self
  }

  get env(): Env {
    return this.#host.kernel.env
  }

  get path(): string {
    return this.#host.self.path
  }

  get signal(): AbortSignal {
    const held = this.#hold()
    held.abort ??= new AbortController()
    if (this.#dead) held.abort.abort(ended)
    return held.abort.signal
  }

  /** System mail that waits for a turn. */
  get mailDepth(): number {
    const mail = this.#holdings?.mail
    return mail === undefined ? 0 : mail.length
  }

  takeMail(): SystemMail | undefined {
    return this.#holdings?.mail?.shift()
  }

  post(label: unknown, work: () => void): void {
    if (this.#dead) return
    const held = this.#hold()
    const mail = (held.mail ??= new Ring())
    // Never dropped, so an overflow can only be a bug of this cell.
    if (mail.length >= limits.systemMailMax) {
      this.#host.requestCrash(new BlazeError('OVERLOADED', `the system lane of ${this.path} is full`))
      return
    }
    mail.push({ label, work })
    this.#host.wake()
  }

  later(delayMs: number, label: unknown, work: () => void): Timer {
    checkDelay('delay', delayMs, 0)
    if (this.#dead) return { cancel() {} }
    let cancelled = false
    const native = this.env.after(delayMs, () => {
      this.#holdings?.timers?.delete(timer)
      this.post(label, () => {
        if (!cancelled) work()
      })
    })
    const timer: Timer = {
      cancel: () => {
        cancelled = true
        native.cancel()
        this.#holdings?.timers?.delete(timer)
      },
    }
    this.#keep(timer)
    return timer
  }

  after(delayMs: number, message: M): Timer {
    checkDelay('after: delayMs', delayMs, 0)
    return this.later(delayMs, message, () => this.#host.deliver(message))
  }

  every(periodMs: number, message: M): Timer {
    checkDelay('every: periodMs', periodMs, Number.MIN_VALUE)
    const { env } = this
    let due = env.monotonic()
    let next: Timer = { cancel() {} }
    const arm = (): void => {
      // The next tick of the original beat that is still ahead.
      const late = env.monotonic() - due
      due += periodMs * Math.max(1, Math.floor(late / periodMs) + 1)
      next = this.later(Math.max(0, due - env.monotonic()), message, () => {
        arm()
        this.#host.deliver(message)
      })
    }
    arm()
    return { cancel: () => next.cancel() }
  }

  spawn<N>(spec: ChildSpec<N>): Ref<N> {
    if (this.#dead) throw new BlazeError('CELL_DOWN', `${this.path} is down and starts no children`)
    return this.#host.spawnChild(spec)
  }

  spawnAll(specs: readonly ChildSpec<never>[]): void {
    this.#host.spawnChildren(specs)
  }

  own<T extends Disposable>(resource: T): T {
    if (this.#dead) {
      // Opened by work that outlived its cell: nobody else would ever close it.
      void this.#dispose(resource)
      return resource
    }
    const held = this.#hold()
    held.owned ??= []
    if (held.owned.length >= limits.ownedMax) {
      void this.#dispose(resource)
      throw new AssertionFailure(`${this.path} owns more than ${limits.ownedMax} resources`)
    }
    held.owned.push(resource)
    return resource
  }

  run<T>(work: (signal: AbortSignal) => Promise<T>, done: (result: RunResult<T>) => M | undefined): void {
    if (this.#dead) return
    this.runs++
    if (this.runs > limits.runsMax) return this.#leaked('runs')
    const settle = (result: RunResult<T>): void => {
      this.runs--
      this.post({ type: 'run' }, () => {
        const message = done(result)
        if (message !== undefined) this.#host.deliver(message)
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
      if (gone && remove !== undefined) this.#holdings?.watches?.delete(remove)
      this.post({ type: 'down' }, () => this.#host.deliver(onDown(reason)))
    })
    if (gone) return
    const held = this.#hold()
    held.watches ??= new Set()
    held.watches.add(remove)
    if (held.watches.size > limits.watchesMax) this.#leaked('watches')
  }

  link(ref: Ref<never>): void {
    if (this.#dead || ref === this.self) return
    if (!isWatchable(ref)) throw new TypeError('link: ref: expected the ref of a cell')
    const other = ref.presentLife
    if (other === 'passive') return
    if (other === undefined) {
      this.crash(linkedDown(ref.path, undefined))
      return
    }
    this.#tie(other)
    other.#tie(this)
  }

  unlink(ref: Ref<never>): void {
    const other = isWatchable(ref) ? ref.presentLife : undefined
    if (other === undefined || other === 'passive') return
    this.#holdings?.links?.delete(other)
    other.#holdings?.links?.delete(this)
  }

  register(key: RegistryKey<M>): void {
    if (!this.#dead) this.#host.kernel.registry.register(key, this.self)
  }

  lookup<N>(key: RegistryKey<N>): Ref<N> | undefined {
    return this.#host.kernel.registry.lookup(key)
  }

  join(key: GroupKey<M>): void {
    if (!this.#dead) this.#host.kernel.groups.join(key, this.self)
  }

  leave(key: GroupKey<M>): void {
    if (!this.#dead) this.#host.kernel.groups.leave(key, this.self)
  }

  stash(): 'ok' | 'full' {
    if (this.#dead || !this.#isInnermost)
      throw new TypeError('stash: expected to be called while a message is handled')
    return this.#host.stash()
  }

  unstash(): void {
    if (!this.#dead) this.#host.unstash()
  }

  passivate(): void {
    if (!this.#dead) this.#host.requestPassivation()
  }

  crash(error: unknown): void {
    if (this.#dead) return
    // Asked for in both ways: what is thrown may be caught by the handler itself.
    this.#host.requestCrash(error)
    if (this.#isInnermost) throw toError(error)
  }

  stopSelf(): void {
    if (!this.#dead) this.#host.requestStopSelf()
  }

  emit(event: string, details: object = {}): void {
    const { kernel, self } = this.#host
    const { tap } = kernel
    if (tap.active) tap.emit('event', self.path, self.id, { ...details, event })
  }

  define(machine: object, describe: () => { readonly hash: string; readonly definition: unknown }): void {
    this.#host.kernel.tap.define(machine, describe)
  }

  entered(from: string, to: string, event: string): void {
    const { kernel, self } = this.#host
    const { tap } = kernel
    if (tap.active) tap.emit('machine.state', self.path, self.id, { from, to, event })
  }

  /**
   * Death: nothing of this life reaches the cell any more. With an error the cells that are linked to it crash too. Returns the
   * labels of the mail that was lost.
   */
  end(error?: unknown): unknown[] {
    this.#dead = true
    const held = this.#holdings
    if (held === undefined) return []
    held.abort?.abort(ended)
    for (const timer of held.timers ?? []) timer.cancel()
    for (const remove of held.watches ?? []) remove()
    held.watches = undefined
    for (const other of held.links ?? []) {
      other.#holdings?.links?.delete(this)
      if (error !== undefined) other.#host.requestCrash(linkedDown(this.path, error))
    }
    held.links = undefined
    const lost: unknown[] = []
    for (let mail = this.takeMail(); mail !== undefined; mail = this.takeMail()) lost.push(mail.label)
    return lost
  }

  /** Disposes of what is owned, last owned first, each before the next. Never rejects. */
  async disposeOwned(): Promise<void> {
    const owned = this.#holdings?.owned ?? []
    for (let resource = owned.pop(); resource !== undefined; resource = owned.pop())
      await this.#dispose(resource)
  }

  /** The same, all at once: for what is left when one has taken too long. Never rejects. */
  async disposeAtOnce(): Promise<void> {
    const owned = this.#holdings?.owned?.splice(0) ?? []
    await Promise.all(owned.toReversed().map((resource) => this.#dispose(resource)))
  }

  get ownsAny(): boolean {
    const owned = this.#holdings?.owned
    return owned !== undefined && owned.length > 0
  }

  /** A handler of this cell is running, and no other cell's start within it. */
  get #isInnermost(): boolean {
    return this.#host.kernel.turn.running === this.#host
  }

  #leaked(what: string): void {
    this.#host.requestCrash(new BlazeError('OVERLOADED', `${this.path} has too many ${what}: a leak`))
  }

  #hold(): Holdings {
    this.#holdings ??= new Holdings()
    return this.#holdings
  }

  #tie(other: Life<never>): void {
    const held = this.#hold()
    held.links ??= new Set()
    held.links.add(other)
    if (held.links.size > limits.watchesMax) this.#leaked('links')
  }

  #keep(timer: Timer): void {
    const held = this.#hold()
    held.timers ??= new Set()
    held.timers.add(timer)
    if (held.timers.size > limits.timersMax) this.#leaked('timers')
  }

  async #dispose(resource: Disposable): Promise<void> {
    try {
      await (typeof resource === 'function' ? resource() : resource.close())
    } catch (error) {
      // The others still have to be disposed of; the cell is dead, so nobody is left to crash.
      this.#host.kernel.log.error('cell.dispose.failed', { path: this.path, error: describeError(error) })
      this.emit('dispose.failed', { error: describeError(error) })
    }
  }
}

/** One for all: an error of its own, with its stack, would cost more than the rest of a death. */
const ended = new DOMException('the cell has ended', 'AbortError')

/** Throws `TypeError`. */
function checkDelay(what: string, ms: number, minMs: number): void {
  if (!(ms >= minMs && ms < Infinity)) throw new TypeError(`${what}: expected milliseconds, got ${ms}`)
}

function isWatchable(ref: unknown): ref is Watchable {
  return typeof ref === 'object' && ref !== null && 'addWatcher' in ref
}
