/** A cell: mailbox, one life of a behaviour at a time, and children. Its handlers never nest and never run outside its turn. */
import { AskTable } from './ask.ts'
import type { Behaviour, ChildSpec, DownReason, Ref, RestartKind, TellResult } from './behaviour.ts'
import type { DeadLetterReason, DeadLetterRing } from './dead-letter.ts'
import { messageType } from './dead-letter.ts'
import type { Env, Timer } from './env.ts'
import { assert, BlazeError } from './errors.ts'
import type { FarewellHost } from './farewell.ts'
import { tearDown } from './farewell.ts'
import type { LifeHost, Watchable } from './life.ts'
import { Life, toError, WatcherList } from './life.ts'
import { limits } from './limits.ts'
import { Mailbox } from './mailbox.ts'
import type { Runnable, Scheduler } from './scheduler.ts'
import { checkSpec, defaultSupervision, RestartHistory } from './supervision.ts'
import type { CellInfo, Tap } from './tap.ts'
import { describeError } from './tap.ts'

/** What all cells of a system share. */
export interface Kernel {
  readonly env: Env
  readonly scheduler: Scheduler
  readonly tap: Tap
  readonly deadLetters: DeadLetterRing
  nextId(): number
}

type Ending =
  | { readonly kind: 'stop' }
  | { readonly kind: 'stop-self' }
  | { readonly kind: 'crash'; readonly error: Error }

/** What follows a death: a restart after so many ms, nothing, or nothing because the supervisor gave up. */
type Verdict = number | 'final' | 'exceeded'

export class Cell<M> implements Ref<M>, Runnable, LifeHost<M>, FarewellHost, Watchable {
  readonly id: number
  readonly name: string
  queued = false
  inTurn = false
  readonly #kernel: Kernel
  readonly #parent: Cell<unknown> | undefined
  readonly #behaviour: Behaviour<M>
  readonly #restart: RestartKind
  readonly stopBudgetMs: number
  readonly #mailbox: Mailbox<M>
  #status: 'running' | 'restarting' | 'stopping' | 'stopped' = 'stopped'
  #since = 0
  /** False once the end for good has begun: nothing is accepted any more. */
  #open = true
  #life: Life<M>
  #children: Map<string, Cell<unknown>> | undefined
  #asks: AskTable | undefined
  readonly #watchers = new WatcherList()
  #pending: Ending | undefined
  #tearingDown = false
  #restartTimer: Timer | undefined
  #history: RestartHistory | undefined
  #restarts = 0
  #lastError: string | undefined
  #stopped: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined

  constructor(kernel: Kernel, parent: Cell<unknown> | undefined, spec: ChildSpec<M>) {
    this.#kernel = kernel
    this.#parent = parent
    this.id = kernel.nextId()
    this.name = spec.name
    this.#behaviour = spec.behaviour
    this.#restart = spec.restart ?? 'permanent'
    this.stopBudgetMs = spec.stopBudgetMs ?? limits.stopBudgetMs
    this.#mailbox = new Mailbox(spec.mailboxMax ?? limits.mailboxMessagesMax, this)
    this.#life = new Life(this)
  }

  get path(): string {
    return this.#parent === undefined ? '' : `${this.#parent.path}/${this.name}`
  }

  get self(): Ref<M> {
    return this
  }

  get env(): Env {
    return this.#kernel.env
  }

  get tap(): Tap {
    return this.#kernel.tap
  }

  get alive(): boolean {
    return this.#open
  }

  get hasWork(): boolean {
    if (this.#status !== 'running') return false
    return this.#mailbox.depth > 0 || this.#pending !== undefined || this.#life.mailDepth > 0
  }

  tell(message: M): TellResult {
    if (message === undefined) throw new TypeError('tell: message: expected anything but undefined')
    if (!this.#open) {
      this.#bury(message, 'dead')
      return 'dead'
    }
    if (!this.#mailbox.offer(message)) return 'full'
    if (!this.queued && this.#status === 'running') this.#kernel.scheduler.enqueue(this)
    return 'ok'
  }

  ask<R>(make: (reply: (value: R) => void) => M, timeoutMs: number): Promise<R> {
    this.#asks ??= new AskTable(this.env, this.path)
    return this.#asks.open((message: M) => this.tell(message), make, timeoutMs)
  }

  stop(): Promise<void> {
    if (this.#status === 'stopped') {
      this.#open = false
      return Promise.resolve()
    }
    if (this.#stopped !== undefined) return this.#stopped.promise
    let resolve: () => void = () => {}
    const promise = new Promise<void>((settle) => {
      resolve = settle
    })
    this.#stopped = { promise, resolve }
    this.#open = false
    if (this.#status === 'running') {
      this.#pending = { kind: 'stop' }
      this.wake()
    } else if (this.#status === 'restarting' && !this.#tearingDown) {
      this.#restartTimer?.cancel()
      this.#finish('stopped', false)
    }
    return promise
  }

  wake(): void {
    if (this.#status === 'running') this.#kernel.scheduler.enqueue(this)
  }

  requestCrash(error: unknown): void {
    if (this.#status !== 'running' || this.#pending?.kind === 'stop') return
    this.#pending = { kind: 'crash', error: toError(error) }
    this.wake()
  }

  requestStopSelf(): void {
    if (this.#status !== 'running' || this.#pending !== undefined) return
    this.#pending = { kind: 'stop-self' }
    this.wake()
  }

  addWatcher(notify: (reason: DownReason) => void): () => void {
    if (this.#status === 'stopped') {
      notify({ kind: 'stopped', final: true })
      return () => {}
    }
    return this.#watchers.add(notify)
  }

  pressureChanged(high: boolean): void {
    if (!this.tap.active) return
    this.#emit(high ? 'mailbox.high' : 'mailbox.low', { depth: this.#mailbox.depth, max: this.#mailbox.max })
  }

  spawnChild<N>(spec: ChildSpec<N>): Ref<N> {
    if (this.#status !== 'running' || !this.#open)
      throw new BlazeError('CELL_DOWN', `${this.path} is down and starts no children`)
    checkSpec(spec)
    assert(this.path.split('/').length <= limits.treeDepthMax, `the tree below ${this.path} is too deep`)
    this.#children ??= new Map()
    const namesake = this.#children.get(spec.name)
    if (namesake !== undefined && namesake.#status !== 'stopped')
      throw new BlazeError('NAME_TAKEN', `${this.path} already has a child ${spec.name}`)
    this.#children.delete(spec.name)
    const child = new Cell(this.#kernel, this, spec)
    this.#children.set(spec.name, child)
    child.start()
    return child
  }

  /** Begins a life. The root is started by its system, every other cell by its parent. */
  start(): void {
    const life = new Life<M>(this)
    this.#life = life
    this.#enter('running')
    if (this.tap.active)
      this.#emit(this.#restarts === 0 ? 'cell.started' : 'cell.restarted', { kind: this.#behaviour.kind })
    this.inTurn = true
    try {
      life.instance = this.#behaviour.start(life)
    } catch (error) {
      this.#crash(toError(error), undefined)
      return
    } finally {
      this.inTurn = false
    }
    if (this.hasWork) this.wake()
  }

  turn(messagesMax: number): number {
    if (this.#status !== 'running') return 0
    const life = this.#life
    const instance = life.instance
    let handled = 0
    let current: unknown
    this.inTurn = true
    try {
      while (handled < messagesMax && this.#pending === undefined) {
        const mail = life.mailDepth > 0 ? life.takeMail() : undefined
        if (mail !== undefined) {
          current = mail.label
          mail.work()
        } else {
          const message = this.#mailbox.take()
          if (message === undefined) break
          current = message
          this.#asks?.deliver(message)
          instance?.receive(message)
        }
        handled++
      }
    } catch (error) {
      this.inTurn = false
      this.#crash(toError(error), current)
      return handled + 1
    }
    this.inTurn = false
    if (this.#pending !== undefined) this.#end(this.#pending)
    return handled
  }

  info(): CellInfo {
    const instance = this.#status === 'running' ? this.#life.instance : undefined
    const state = instance?.state?.() ?? { name: this.#status, since: this.#since }
    const detail = instance?.inspect?.()
    const definition = instance?.definition?.()
    return {
      id: this.id,
      path: this.path,
      kind: this.#behaviour.kind,
      parent: this.#parent?.isRoot === false ? this.#parent.id : null,
      state: state.name,
      since: state.since,
      mailbox: { depth: this.#mailbox.depth, max: this.#mailbox.max },
      restarts: this.#restarts,
      ...(this.#lastError === undefined ? {} : { lastError: this.#lastError }),
      ...(definition === undefined ? {} : { definition }),
      ...(detail === undefined ? {} : { detail }),
    }
  }

  get isRoot(): boolean {
    return this.#parent === undefined
  }

  get children(): Iterable<Cell<unknown>> {
    return this.#children?.values() ?? []
  }

  /** True when the child stays in the tree, down, for people to see. */
  childGaveUp(child: Cell<unknown>, error: Error): boolean {
    const cause = new BlazeError('RESTART_LIMIT', `${child.path} crashed too often: ${error.message}`, {
      cause: error,
      details: { path: child.path },
    })
    if (!this.isRoot) {
      this.requestCrash(cause)
      return false
    }
    this.env.log.error('supervision.gave-up', { path: child.path, error: describeError(error) })
    if (this.tap.active)
      this.tap.emit('event', child.path, child.id, {
        event: 'supervision.gave-up',
        error: describeError(error),
      })
    return true
  }

  #end(ending: Ending): void {
    this.#pending = undefined
    switch (ending.kind) {
      case 'crash':
        this.#crash(ending.error, undefined)
        break
      case 'stop':
        this.#die('stopped', 'final', undefined)
        break
      case 'stop-self':
        this.#die('stopped', this.#restart === 'permanent' ? this.#verdict() : 'final', undefined)
        break
    }
  }

  #crash(error: Error, message: unknown): void {
    const stopAsked = !this.#open
    this.#pending = undefined
    this.#lastError = describeError(error)
    if (message !== undefined) this.#bury(message, 'crashed')
    this.env.log.error('cell.crashed', { path: this.path, error: this.#lastError, stack: error.stack })
    if (this.tap.active)
      this.#emit('cell.crashed', {
        error: this.#lastError,
        message: message === undefined ? null : messageType(message),
      })
    const verdict = stopAsked || this.#restart === 'temporary' ? 'final' : this.#verdict()
    this.#die('crashed', verdict, error)
  }

  #verdict(): Verdict {
    const supervision = this.#parent?.supervision ?? defaultSupervision
    this.#history ??= new RestartHistory()
    return this.#history.next(supervision, this.env.monotonic(), this.env.random())
  }

  get supervision(): typeof defaultSupervision {
    return this.#behaviour.supervision ?? defaultSupervision
  }

  #die(kind: 'stopped' | 'crashed', verdict: Verdict, error: Error | undefined): void {
    const final = typeof verdict !== 'number'
    this.#enter(final ? 'stopping' : 'restarting')
    if (final) this.#close()
    if (kind === 'crashed') {
      // The state that owed answers and had asked for this mail is gone; the next life starts clean.
      this.#asks?.failDelivered()
      for (const label of this.#life.end()) this.#bury(label, 'crashed')
      this.#watchers.notify({ kind, final, error })
    }
    const failure = error ?? new Error(`${this.path} stopped itself`)
    const kept =
      verdict === 'exceeded' && this.#parent !== undefined && this.#parent.childGaveUp(this, failure)
    this.#tearingDown = true
    void tearDown(this.#life, [...this.children], this, kind === 'stopped').then((killed) => {
      this.#tearingDown = false
      this.#children = undefined
      if (final || !this.#open) this.#finish(killed ? 'killed' : 'stopped', kept)
      else this.#awaitRestart(kind, verdict)
    })
  }

  #awaitRestart(kind: 'stopped' | 'crashed', waitMs: number): void {
    if (kind === 'stopped') this.#watchers.notify({ kind, final: false })
    this.#restartTimer = this.env.after(waitMs, () => {
      this.#restarts++
      this.start()
    })
  }

  lost(label: unknown): void {
    this.#bury(label, 'stopped')
  }

  failed(error: unknown): void {
    this.#lastError = describeError(error)
    this.env.log.error('cell.stop.failed', { path: this.path, error: this.#lastError })
  }

  #finish(kind: 'stopped' | 'killed', kept: boolean): void {
    this.#enter('stopped')
    this.#close()
    this.#watchers.notify({ kind, final: true })
    if (!kept) this.#parent?.forget(this)
    if (this.tap.active) this.#emit('cell.stopped', { kind })
    this.#stopped?.resolve()
  }

  forget(child: Cell<unknown>): void {
    if (this.#children?.get(child.name) === child) this.#children.delete(child.name)
  }

  /** Nothing is accepted or answered any more. */
  #close(): void {
    this.#open = false
    for (let message = this.#mailbox.take(); message !== undefined; message = this.#mailbox.take())
      this.#bury(message, 'stopped')
    this.#asks?.failAll()
  }

  #bury(message: unknown, reason: DeadLetterReason): void {
    const at = this.env.now()
    this.#kernel.deadLetters.add({ at, path: this.path, id: this.id, reason, message: messageType(message) })
  }

  #enter(status: 'running' | 'restarting' | 'stopping' | 'stopped'): void {
    this.#status = status
    this.#since = this.env.now()
  }

  #emit(type: Parameters<Tap['emit']>[0], details: object): void {
    this.tap.emit(type, this.path, this.id, details)
  }
}

/** Starts a child under the cell behind `ref`, supervised by it. Throws `CELL_DOWN`, `NAME_TAKEN`. */
export function spawnUnder<N>(ref: Ref<never>, spec: ChildSpec<N>): Ref<N> {
  if (!(ref instanceof Cell)) throw new TypeError('spawnUnder: ref: expected the ref of a cell')
  return ref.spawnChild(spec)
}
