/**
 * Hosts one XState machine in a cell. XState interprets the statechart and nothing else: named actions call the cell's context,
 * `after` runs on the cell's timers, and an error inside it crashes the cell. No XState actor exists: a definition that would
 * make one, or send through one, is refused.
 */
import type { AnyActorScope, AnyMachineSnapshot, AnyStateMachine, ExecutableActionObject } from 'xstate'
import { createEmptyActor } from 'xstate'
import { refusePromise } from './cell/async-handler.ts'
import type { Behaviour, CellContext, Instance } from './behaviour.ts'
import type { Timer } from './env.ts'
import { assert } from './errors.ts'
import { toError } from './cell/fault.ts'
import { limits } from './limits.ts'
import type { HostedMachine, MachineContext, MachineEvent } from './machine-context.ts'
import { MachineCellContext } from './machine-context.ts'
import { checkStatechart, describeStatechart } from './statechart.ts'

export type { MachineContext, MachineEvent } from './machine-context.ts'

export interface MachineSpec<M, E extends MachineEvent = MachineEvent> {
  readonly kind: string
  /**
   * Made with `setup({...}).createMachine`, declarative. A constant of its module. `raise` and `cancel` stay inside the machine and are
   * allowed; `invoke`, spawned actors, `sendTo`, `sendParent`, `forwardTo`, `emit` and `log` are a `TypeError`.
   */
  readonly definition: AnyStateMachine
  /** Implementations of named actions; a throw is a crash, and so is a promise. */
  readonly actions?: Readonly<Record<string, (ctx: MachineContext<M, E>, event: E) => void>>
  /** Handles data messages by itself and returns undefined, or returns the event for the machine. Default: the message is the event. */
  receive?(message: M, ctx: MachineContext<M, E>): E | undefined
  /** Runs before the machine starts. */
  init?(ctx: MachineContext<M, E>): void
  /** The event that the machine takes last, as an orderly stop begins; `stop` follows. */
  readonly last?: E
  stop?(ctx: MachineContext<M, E>): void | Promise<void>
  inspect?(): object
}

/** Reaching a final state of the machine ends the cell like `stopSelf`. Throws `TypeError` for a definition it does not host. */
export function machine<M, E extends MachineEvent = MachineEvent>(spec: MachineSpec<M, E>): Behaviour<M> {
  checkStatechart(spec.kind, spec.definition)
  const stage = new Stage(spec)
  return {
    kind: spec.kind,
    definition: () => describeStatechart(spec.definition),
    start: (ctx) => new MachineInstance(stage, ctx),
  }
}

/** The machine of a behaviour, which all its cells share; `playing` is the cell whose event XState interprets now. */
class Stage<M, E extends MachineEvent> {
  readonly spec: MachineSpec<M, E>
  playing: MachineInstance<M, E> | undefined
  readonly #definition: AnyStateMachine
  #first: AnyMachineSnapshot | undefined
  readonly #scope: AnyActorScope

  constructor(spec: MachineSpec<M, E>) {
    this.spec = spec
    this.#definition = spec.definition.provide({ actions: this.#actions(), guards: this.#guards() })
    const own = spec.definition.options.maxIterations ?? Infinity
    this.#definition.options = { maxIterations: Math.min(own, limits.machineStepsMax) }
    this.#scope = this.#createScope()
  }

  /** The first snapshot, and the actions that have to follow. */
  begin(instance: MachineInstance<M, E>): [AnyMachineSnapshot, ExecutableActionObject[]] {
    const actions: ExecutableActionObject[] = []
    const scope = this.#scope
    const { actionExecutor } = scope
    const outer = this.playing
    this.playing = instance
    scope.actionExecutor = (action) => void actions.push(action)
    try {
      const snapshot = this.#definition.getInitialSnapshot(scope)
      if (snapshot.status === 'error') throw toError(snapshot.error)
      this.#first ??= snapshot
      return [isSame(this.#first, snapshot) ? this.#first : snapshot, actions]
    } finally {
      scope.actionExecutor = actionExecutor
      this.playing = outer
    }
  }

  execute(instance: MachineInstance<M, E>, actions: readonly ExecutableActionObject[]): void {
    const outer = this.playing
    this.playing = instance
    try {
      for (const action of actions) this.#execute(action)
    } finally {
      this.playing = outer
    }
  }

  step(
    instance: MachineInstance<M, E>,
    snapshot: AnyMachineSnapshot,
    event: MachineEvent,
  ): AnyMachineSnapshot {
    const outer = this.playing
    this.playing = instance
    try {
      return this.#definition.transition(snapshot, event, this.#scope)
    } finally {
      this.playing = outer
    }
  }

  #execute(action: ExecutableActionObject): void {
    refusePromise(action.exec?.(action.info, action.params), `the action ${action.type} of ${this.spec.kind}`)
  }

  /** What XState asks of the actor it believes to run in: timers, which the cell has, and everything else, which nobody has. */
  #createScope(): AnyActorScope {
    const self = createEmptyActor()
    const refuse = (): never => {
      throw new TypeError(`${this.spec.kind}: a machine has no XState actors and sends nothing through them`)
    }
    const system = {
      ...self.system,
      scheduler: {
        schedule: (_source: unknown, _target: unknown, event: MachineEvent, delayMs: number, id?: string) =>
          this.playing?.schedule(event, delayMs, id),
        cancel: (_source: unknown, id: string) => this.playing?.cancel(id),
        cancelAll: refuse,
      },
      // Every XState actor takes an id as it is made, and every send is relayed, whatever built-in is behind it.
      _bookId: refuse,
      _relay: refuse,
    }
    self.system = system
    return {
      self,
      system,
      id: self.id,
      sessionId: self.sessionId,
      defer: (work) => work(),
      actionExecutor: (action) => this.#execute(action),
      logger: refuse,
      emit: refuse,
      stopChild: refuse,
    }
  }

  #actions(): Record<string, (args: { event: E }) => unknown> {
    const { kind, definition, actions = {} } = this.spec
    const provided: Record<string, (args: { event: E }) => unknown> = {}
    for (const [name, action] of Object.entries(actions)) {
      if (!(name in definition.implementations.actions))
        throw new TypeError(`machine: ${kind}: actions: the definition names no action ${name}`)
      provided[name] = ({ event }) => {
        assert(this.playing !== undefined, `the action ${name} of ${kind} ran outside its cell`)
        return action(this.playing.context, event)
      }
    }
    return provided
  }

  /** A promise is truthy: an async guard would always pass. */
  #guards(): Record<string, (args: never, params: never) => boolean> {
    const provided: Record<string, (args: never, params: never) => boolean> = {}
    for (const [name, guard] of Object.entries(this.spec.definition.implementations.guards)) {
      if (typeof guard !== 'function' || 'check' in guard) continue
      provided[name] = (args, params) => {
        const passed: unknown = guard(args, params)
        if (typeof passed === 'object') refusePromise(passed, `the guard ${name} of ${this.spec.kind}`)
        return Boolean(passed)
      }
    }
    return provided
  }
}

class MachineInstance<M, E extends MachineEvent> implements Instance<M>, HostedMachine<E> {
  readonly context: MachineContext<M, E>
  stateName: string
  readonly #stage: Stage<M, E>
  readonly #cell: CellContext<M>
  #snapshot: AnyMachineSnapshot
  #since: number
  #timers: Map<string, Timer> | undefined

  constructor(stage: Stage<M, E>, cell: CellContext<M>) {
    const { spec } = stage
    this.#stage = stage
    this.#cell = cell
    this.#since = cell.env.now()
    this.context = new MachineCellContext(cell, this)
    cell.define(spec.definition, () => describeStatechart(spec.definition))
    const [snapshot, actions] = stage.begin(this)
    this.#snapshot = snapshot
    this.stateName = nameOf(snapshot.value)
    refusePromise(spec.init?.(this.context), `init of ${spec.kind}`)
    if (actions.length > 0) stage.execute(this, actions)
    cell.entered('', this.stateName, 'machine.start')
    if (snapshot.status === 'done') cell.stopSelf()
  }

  receive(message: M): void {
    const { spec } = this.#stage
    if (spec.receive === undefined) return this.#handle(asEvent(message))
    const event = spec.receive(message, this.context)
    if (event === undefined) return
    refusePromise(event, `receive of ${spec.kind}`)
    this.#handle(asEvent(event))
  }

  post(event: E): void {
    this.#cell.post(event, () => this.#handle(asEvent(event)))
  }

  schedule(event: MachineEvent, delayMs: number, id: string | undefined): void {
    const timer = this.#cell.later(delayMs, { type: 'machine.after' }, () => {
      if (id !== undefined && this.#timers?.get(id) === timer) this.#timers.delete(id)
      this.#handle(event, 'machine.after')
    })
    if (id === undefined) return
    this.#timers ??= new Map()
    this.#timers.set(id, timer)
  }

  cancel(id: string): void {
    this.#timers?.get(id)?.cancel()
    this.#timers?.delete(id)
  }

  stop(): void | Promise<void> {
    const { spec } = this.#stage
    if (spec.last !== undefined && this.#snapshot.status === 'active') this.#handle(spec.last)
    return spec.stop?.(this.context)
  }

  inspect(): object {
    return this.#stage.spec.inspect?.() ?? {}
  }

  state(): { readonly name: string; readonly since: number } {
    return { name: this.stateName, since: this.#since }
  }

  #handle(event: MachineEvent, cause: string = event.type): void {
    const before = this.#snapshot
    const after = this.#stage.step(this, before, event)
    if (after === before) return
    this.#snapshot = after
    if (after.value !== before.value) {
      const from = this.stateName
      const to = nameOf(after.value)
      if (to !== from) {
        this.stateName = to
        this.#since = this.#cell.env.now()
        this.#cell.entered(from, to, cause)
      }
    }
    if (after.status === 'done') this.#cell.stopSelf()
  }
}

/** Cells that begin alike share one snapshot: a snapshot is never changed, and a thousand waiting cells need no thousand of them. */
function isSame(first: AnyMachineSnapshot, other: AnyMachineSnapshot): boolean {
  return (
    nameOf(first.value) === nameOf(other.value) &&
    (first.context === other.context || isEmpty(first.context, other.context)) &&
    isEmpty(first.historyValue, other.historyValue)
  )
}

function isEmpty(...records: readonly object[]): boolean {
  return records.every((record) => Object.keys(record).length === 0)
}

function asEvent<E extends MachineEvent>(message: unknown): E {
  assert(isEvent<E>(message), 'a machine was told something that is not an event, or is one of XState itself')
  return message
}

function isEvent<E extends MachineEvent>(message: unknown): message is E {
  return (
    typeof message === 'object' &&
    message !== null &&
    'type' in message &&
    typeof message.type === 'string' &&
    !message.type.startsWith('xstate.')
  )
}

function nameOf(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value !== 'object' || value === null) return ''
  return Object.entries(value)
    .map(([name, below]) => {
      const rest = nameOf(below)
      return rest === '' ? name : `${name}.${rest}`
    })
    .join(',')
}
