/**
 * Hosts one XState machine in a cell. XState interprets the statechart and nothing else: named actions call the cell's context,
 * `after` runs on the cell's timers, every send goes through a mailbox, and an error inside it crashes the cell.
 */
import type { AnyStateMachine } from 'xstate'
import { createActor } from 'xstate'
import type {
  Behaviour,
  CellContext,
  ChildSpec,
  Context,
  Disposable,
  DownReason,
  Instance,
  Ref,
  RunResult,
} from './behaviour.ts'
import { fingerprint } from './chance.ts'
import type { Env, Timer } from './env.ts'
import { assert } from './errors.ts'
import { toError } from './life.ts'
import type { MachineDefinition } from './tap.ts'

export interface MachineEvent {
  readonly type: string
}

export interface MachineContext<M, E extends MachineEvent = MachineEvent> extends Context<M> {
  /** Active states: `syncing`, nested `a.b`, parallel `a.x,b.y`. Inside an action still the state that is being left. */
  state(): string
  /** Enqueues an event for this machine, ahead of user mail. Never handled before the current handler ends. */
  send(event: E): void
}

export interface MachineSpec<M, E extends MachineEvent = MachineEvent> {
  readonly kind: string
  /** Made with `setup({...}).createMachine`, declarative: no invoke, no XState actors. A constant of its module. */
  readonly definition: AnyStateMachine
  /** Implementations of named actions; a throw is a crash. */
  readonly actions?: Readonly<Record<string, (ctx: MachineContext<M, E>, event: E) => void>>
  /** Handles data messages by itself and returns undefined, or returns the event for the machine. Default: the message is the event. */
  receive?(message: M, ctx: MachineContext<M, E>): E | undefined
  /** Runs before the machine starts. */
  init?(ctx: MachineContext<M, E>): void
  stop?(ctx: MachineContext<M, E>): void | Promise<void>
  inspect?(): object
}

/** Reaching a final state of the machine ends the cell like `stopSelf`. */
export function machine<M, E extends MachineEvent = MachineEvent>(spec: MachineSpec<M, E>): Behaviour<M> {
  const stage: Stage<M, E> = { playing: undefined }
  const actions: Record<string, (args: { event: E }) => void> = {}
  for (const [name, action] of Object.entries(spec.actions ?? {})) {
    assert(
      name in spec.definition.implementations.actions,
      `the machine of ${spec.kind} names no action ${name}`,
    )
    actions[name] = ({ event }) => {
      assert(stage.playing !== undefined, `the action ${name} of ${spec.kind} ran outside its cell`)
      action(stage.playing.context, event)
    }
  }
  const definition = spec.definition.provide({ actions })
  return { kind: spec.kind, start: (ctx) => new MachineInstance(spec, definition, stage, ctx) }
}

/** Whose machine XState is running now: the provided actions are shared by all cells of a behaviour. */
interface Stage<M, E extends MachineEvent> {
  playing: MachineInstance<M, E> | undefined
}

class MachineInstance<M, E extends MachineEvent> implements Instance<M> {
  readonly context: MachineCellContext<M, E>
  readonly #spec: MachineSpec<M, E>
  readonly #stage: Stage<M, E>
  readonly #cell: CellContext<M>
  readonly #actor: ReturnType<typeof createActor<AnyStateMachine>>
  #name = ''
  #since: number

  constructor(
    spec: MachineSpec<M, E>,
    definition: AnyStateMachine,
    stage: Stage<M, E>,
    cell: CellContext<M>,
  ) {
    this.#spec = spec
    this.#stage = stage
    this.#cell = cell
    this.#since = cell.env.now()
    this.context = new MachineCellContext(cell, this)
    cell.define(spec.definition, () => describe(spec.definition))
    this.#actor = createActor(definition, {
      clock: {
        setTimeout: (fn, delayMs) =>
          cell.later(delayMs, { type: 'machine.after' }, () => this.#perform('machine.after', fn)),
        clearTimeout: (timer?: Timer) => timer?.cancel(),
      },
    })
    // Without a listener XState reports errors through a timer of its own; `#perform` reads them from the snapshot.
    this.#actor.subscribe({ error() {} })
    this.#name = stateName(this.#actor.getSnapshot().value)
    spec.init?.(this.context)
    this.#perform('machine.start', () => this.#actor.start())
  }

  receive(message: M): void {
    const event =
      this.#spec.receive === undefined ? asEvent<E>(message) : this.#spec.receive(message, this.context)
    if (event !== undefined) this.handle(event)
  }

  handle(event: E): void {
    this.#perform(event.type, () => this.#actor.send(event))
  }

  post(event: E): void {
    this.#cell.post(event, () => this.handle(event))
  }

  stop(): void | Promise<void> {
    return this.#spec.stop?.(this.context)
  }

  inspect(): object {
    return this.#spec.inspect?.() ?? {}
  }

  state(): { readonly name: string; readonly since: number } {
    return { name: this.#name, since: this.#since }
  }

  definition(): string {
    return describe(this.#spec.definition).hash
  }

  #perform(cause: string, work: () => void): void {
    const outer = this.#stage.playing
    this.#stage.playing = this
    try {
      work()
    } finally {
      this.#stage.playing = outer
    }
    const snapshot = this.#actor.getSnapshot()
    if (snapshot.status === 'error') throw toError(snapshot.error)
    const name = stateName(snapshot.value)
    if (name !== this.#name || cause === 'machine.start') {
      this.#cell.entered(cause === 'machine.start' ? '' : this.#name, name, cause)
      this.#name = name
      this.#since = this.#cell.env.now()
    }
    if (snapshot.status === 'done') this.#cell.stopSelf()
  }
}

class MachineCellContext<M, E extends MachineEvent> implements MachineContext<M, E> {
  readonly #cell: CellContext<M>
  readonly #machine: MachineInstance<M, E>

  constructor(cell: CellContext<M>, hosted: MachineInstance<M, E>) {
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
    return this.#machine.state().name
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

  watch(ref: Ref<never>, onDown: (reason: DownReason) => M): void {
    this.#cell.watch(ref, onDown)
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

const described = new WeakMap<AnyStateMachine, MachineDefinition>()

/** The configuration of the machine as plain JSON, once per machine. Its context may hold data and is left out. */
function describe(definition: AnyStateMachine): MachineDefinition {
  const known = described.get(definition)
  if (known !== undefined) return known
  const { context: _data, ...config } = definition.config
  const text = JSON.stringify(config, (_key, value: unknown) =>
    typeof value === 'function' ? inlineName(value) : value,
  )
  const made: MachineDefinition = { hash: fingerprint(text), definition: JSON.parse(text) }
  described.set(definition, made)
  return made
}

function inlineName(inline: object): string {
  return 'type' in inline && typeof inline.type === 'string' ? inline.type : '(inline)'
}

function asEvent<E extends MachineEvent>(message: unknown): E {
  assert(isEvent<E>(message), 'a machine without `receive` was told something that is not an event')
  return message
}

function isEvent<E extends MachineEvent>(message: unknown): message is E {
  return (
    typeof message === 'object' && message !== null && 'type' in message && typeof message.type === 'string'
  )
}

function stateName(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value !== 'object' || value === null) return ''
  return Object.entries(value)
    .map(([name, below]) => {
      const rest = stateName(below)
      return rest === '' ? name : `${name}.${rest}`
    })
    .join(',')
}
