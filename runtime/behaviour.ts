/** The words of the kernel: what a cell is told, what it may do, and how it is supervised. No code, only contracts. */
import type { Env, Timer } from './env.ts'
import type { GroupKey } from './group.ts'
import type { RegistryKey } from './registry.ts'
import type { MachineDefinition } from './tap.ts'

/** `full`: the mailbox is at its bound, the sender decides. `dead`: the cell will never handle it. */
export type TellResult = 'ok' | 'full' | 'dead'

/** Address of a cell. Survives restarts of the cell, not a crash of its parent. */
export interface Ref<M> {
  readonly id: number
  readonly path: string
  /** False from the moment the cell begins to stop for good. */
  readonly alive: boolean
  /** Enqueues; never runs the receiver. A message is anything but undefined, which is a `TypeError`. */
  tell(message: M): TellResult
  /**
   * Tells the message that `make` builds around `reply`, and resolves with the first reply.
   * Rejects with `OVERLOADED` (mailbox full), `CELL_DOWN` (dead, or crashed on or after this message), `ASK_TIMEOUT`.
   */
  ask<R>(make: (reply: (value: R) => void) => M, timeoutMs: number): Promise<R>
  /** Stops the cell and everything below it; resolves when all is disposed. Not restarted. Idempotent. */
  stop(): Promise<void>
  /**
   * The same without any farewell: no `stop` of a behaviour is called. It cannot interrupt a handler that is running, nor work
   * that ignores its signal; what is owned may still take its budget.
   */
  kill(): Promise<void>
}

/**
 * What a supervisor does when the cell ends by itself (a crash, or `stopSelf`).
 * `permanent`: always restarted. `transient`: restarted after a crash only. `temporary`: never.
 */
export type RestartKind = 'permanent' | 'transient' | 'temporary'

/** A constant: it is kept, not copied, and read again at every restart. */
export interface ChildSpec<M> {
  /** Unique among its living siblings, no slash. */
  readonly name: string
  readonly behaviour: Behaviour<M>
  /** Default `permanent`. */
  readonly restart?: RestartKind
  /** Its end by itself may end its supervisor (`autoShutdown`). Not for permanent children, which never end by themselves. */
  readonly significant?: boolean
  /** Messages in the user lane. */
  readonly mailboxMax?: number
  /** How long `stop`, and then all owned resources together, may take before the cell is killed. */
  readonly stopBudgetMs?: number
  /** After so long without mail, work or owed replies its life ends in an orderly way; the next message begins another one. */
  readonly passivateAfterMs?: number
}

/** Which children restart when one ends by itself, in the words of OTP; `dynamic` is its simple_one_for_one. */
export type StrategyName = 'one_for_one' | 'one_for_all' | 'rest_for_one' | 'dynamic'

/** How a cell treats children that crash: at most `intensity` restarts in `periodMs`, with growing waits. */
export interface Supervision {
  readonly strategy: StrategyName
  readonly intensity: number
  readonly periodMs: number
  readonly backoff: { readonly firstMs: number; readonly maxMs: number }
  readonly autoShutdown: 'never' | 'any_significant' | 'all_significant'
  /** Living children at once. */
  readonly childrenMax: number
}

/** A recipe for instances; a restart makes a fresh one. */
export interface Behaviour<M> {
  readonly kind: string
  readonly supervision?: Supervision
  /** Of the machine that it hosts; the same object every time. */
  definition?(): MachineDefinition
  start(ctx: CellContext<M>): Instance<M>
}

/** One life of a behaviour. Handlers are synchronous; a throw is a crash. */
export interface Instance<M> {
  receive(message: M): void
  /** Orderly stop only, never after a crash; its children are already down. */
  stop?(): void | Promise<void>
  inspect?(): object
  /** State of a machine and when it was entered (wall clock, ms), for the tree; a reducer is just `running`. */
  state?(): { readonly name: string; readonly since: number }
}

/** One death of a watched cell. `final` is false when its supervisor restarts it. `killed`: by `kill`, or it overran its stop budget. */
export interface DownReason {
  readonly kind: 'stopped' | 'crashed' | 'killed'
  readonly final: boolean
  readonly error?: unknown
}

export type RunResult<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown }

/** Anything that `own` can dispose of. */
export type Disposable = { close(): unknown } | (() => unknown)

/** What a cell may do. Belongs to one life: once that is over, nothing is begun or sent, `own` disposes at once, `stash` throws. */
export interface Context<M> {
  readonly self: Ref<M>
  readonly env: Env
  readonly path: string
  /** Fires on every death. Its listeners must not throw: Node turns that into an uncaught exception. */
  readonly signal: AbortSignal
  /** Starts a child, synchronously. Throws `NAME_TAKEN`, or `CELL_DOWN` after death. */
  spawn<N>(spec: ChildSpec<N>): Ref<N>
  /** Disposed on every kind of death, last owned first; a promise from `close` is awaited before a restart. */
  own<T extends Disposable>(resource: T): T
  /**
   * Async work. Its result comes back through `done` in a turn of this cell, on the system lane; what `done` returns is handled
   * at once. After death the result is dropped: work that opens something owns it through this context.
   */
  run<T>(work: (signal: AbortSignal) => Promise<T>, done: (result: RunResult<T>) => M | undefined): void
  /** Handles `message` after `delayMs`, on the system lane; never after `cancel`. */
  after(delayMs: number, message: M): Timer
  /** The same again and again, `periodMs` apart. Ticks that are missed are skipped: at most one of a timer waits in the mail. */
  every(periodMs: number, message: M): Timer
  /** One message per death of `ref`; at once when it is already dead. */
  watch(ref: Ref<never>, onDown: (reason: DownReason) => M): void
  /**
   * Ties the present lives of both cells: when one crashes or is killed, the other crashes with `LINKED_CELL_DOWN`, at once when
   * `ref` is down already. An orderly end only ends the link; a passive cell has no life to tie.
   */
  link(ref: Ref<never>): void
  unlink(ref: Ref<never>): void
  /** Gives this cell a name in its system. Throws `NAME_TAKEN`, `OVERLOADED`. Restarts keep it. */
  register(key: RegistryKey<M>): void
  lookup<N>(key: RegistryKey<N>): Ref<N> | undefined
  /** Makes this cell a member of a group. Throws `OVERLOADED`. Restarts keep it. */
  join(key: GroupKey<M>): void
  leave(key: GroupKey<M>): void
  /** Puts the message that is being handled aside; an ask goes on waiting. `full`: the sender's message is still this handler's. */
  stash(): 'ok' | 'full'
  /** Puts all messages that were put aside before this one back in front of the mailbox, oldest first. So does a crash. */
  unstash(): void
  /** Ends this life as soon as the cell is idle, and keeps the cell: the next message begins another life. */
  passivate(): void
  /** Crashes this cell. Inside a handler it throws and does not return; elsewhere it takes effect at the next turn. */
  crash(error: unknown): void
  /** Ends this cell after the current handler, as `RestartKind` says: a `permanent` cell is restarted. */
  stopSelf(): void
  /** An event for the tap. Only short text, numbers and booleans of `details` pass; all else is redacted. */
  emit(event: string, details?: object): void
}

/** What the kernel's own behaviours may do besides: work of their own on the system lane. Not for actors. */
export interface CellContext<M> extends Context<M> {
  /** Runs `work` in a turn of this cell; `label` names it in dead letters. */
  post(label: unknown, work: () => void): void
  /** The same after `delayMs`. */
  later(delayMs: number, label: unknown, work: () => void): Timer
  /** For machines: announces a definition to the tap, under the identity of the machine. */
  define(machine: object, describe: () => { readonly hash: string; readonly definition: unknown }): void
  /** For supervisors: starts children left to right, as the strategy has it. */
  spawnAll(specs: readonly ChildSpec<never>[]): void
  /** For machines: announces a change of state. */
  entered(from: string, to: string, event: string): void
}
