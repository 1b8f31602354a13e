/** What the actions of a machine may do: everything a cell may, and two things more. Belongs to one life, like the context behind it. */
import type { CellContext, ChildSpec, Context, Disposable, DownReason, Ref, RunResult } from './behaviour.ts'
import type { Env, Timer } from './env.ts'
import type { GroupKey } from './group.ts'
import type { RegistryKey } from './registry.ts'

export interface MachineEvent {
  readonly type: string
}

export interface MachineContext<M, E extends MachineEvent = MachineEvent> extends Context<M> {
  /** Active states: `syncing`, nested `a.b`, parallel `a.x,b.y`. Inside an action still the state that is being left. */
  state(): string
  /** Enqueues an event for this machine, ahead of user mail. Never handled before the current handler ends. */
  send(event: E): void
}

/** What a context needs of its machine. */
export interface HostedMachine<E extends MachineEvent> {
  readonly stateName: string
  post(event: E): void
}

export class MachineCellContext<M, E extends MachineEvent> implements MachineContext<M, E> {
  readonly #cell: CellContext<M>
  readonly #machine: HostedMachine<E>

  constructor(cell: CellContext<M>, hosted: HostedMachine<E>) {
    this.#cell = cell
    this.#machine = hosted
  }

  get self(): Ref<M> {
    return this.#cell.self
  }

  get env(): Env {
    return this.#cell.env
  }

  get path(): string {
    return this.#cell.path
  }

  get signal(): AbortSignal {
    return this.#cell.signal
  }

  state(): string {
    return this.#machine.stateName
  }

  send(event: E): void {
    this.#machine.post(event)
  }

  spawn<N>(spec: ChildSpec<N>): Ref<N> {
    return this.#cell.spawn(spec)
  }

  own<T extends Disposable>(resource: T): T {
    return this.#cell.own(resource)
  }

  run<T>(work: (signal: AbortSignal) => Promise<T>, done: (result: RunResult<T>) => M | undefined): void {
    this.#cell.run(work, done)
  }

  after(delayMs: number, message: M): Timer {
    return this.#cell.after(delayMs, message)
  }

  every(periodMs: number, message: M): Timer {
    return this.#cell.every(periodMs, message)
  }

  watch(ref: Ref<never>, onDown: (reason: DownReason) => M): void {
    this.#cell.watch(ref, onDown)
  }

  link(ref: Ref<never>): void {
    this.#cell.link(ref)
  }

  unlink(ref: Ref<never>): void {
    this.#cell.unlink(ref)
  }

  register(key: RegistryKey<M>): void {
    this.#cell.register(key)
  }

  lookup<N>(key: RegistryKey<N>): Ref<N> | undefined {
    return this.#cell.lookup(key)
  }

  join(key: GroupKey<M>): void {
    this.#cell.join(key)
  }

  leave(key: GroupKey<M>): void {
    this.#cell.leave(key)
  }

  stash(): 'ok' | 'full' {
    return this.#cell.stash()
  }

  unstash(): void {
    this.#cell.unstash()
  }

  passivate(): void {
    this.#cell.passivate()
  }

  crash(error: unknown): void {
    this.#cell.crash(error)
  }

  stopSelf(): void {
    this.#cell.stopSelf()
  }

  emit(event: string, details?: object): void {
    this.#cell.emit(event, details)
  }
}
