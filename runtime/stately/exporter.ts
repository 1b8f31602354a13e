/**
 * Shows a system to the Stately inspector: the tap's events in the shapes of `@statelyai/inspect` (PROTOCOL §13.5).
 *
 * Invariant: an actor is announced after its parent and before anything else of it, and what is sent holds no more than the tap
 * shows: types, names of states and definitions, never a payload or a machine's context.
 */
import type { StatelyBase, StatelyEvent } from './event.ts'
import { STATELY_VERSION } from './event.ts'
import type { StateChart, StateValue } from './state-value.ts'
import { initialValue, parseState, readChart } from './state-value.ts'
import type { System } from '../system.ts'
import type { CellInfo, TapEvent } from '../tap.ts'

/**
 * Sends the cells that live, parents before children, and then what happens, until the function that it returns is called.
 * `send` is called while the kernel works. Once it throws it is called no more: the tap counts it as dropped, and a throw during
 * the first announcement is the caller's. Throws `OVERLOADED`.
 */
export function createStatelyExporter(system: System, send: (event: StatelyEvent) => void): () => void {
  const exporter = new StatelyExporter(system, send)
  exporter.start()
  return () => exporter.stop()
}

interface Machine {
  readonly chart: StateChart
  readonly text: string
}

interface ShownCell {
  readonly machine: Machine | undefined
  value: StateValue
}

interface NewActor {
  readonly id: number
  readonly name: string
  readonly kind: string
  readonly parent: number | null
  readonly machine: Machine | undefined
}

/** A snapshot without its state. */
type Condition =
  | { readonly status: 'active' | 'stopped'; readonly error: undefined }
  | { readonly status: 'error'; readonly error: string }

const active: Condition = { status: 'active', error: undefined }
const stopped: Condition = { status: 'stopped', error: undefined }

/** Id of the root, which is in no tree. */
const rootCell = 0

class StatelyExporter {
  readonly #system: System
  readonly #send: (event: StatelyEvent) => void
  /** Announced and not stopped: no more than there are cells. */
  readonly #cells = new Map<number, ShownCell>()
  /** By hash: no more than the tap remembers. */
  readonly #machines = new Map<string, Machine>()
  /** Found in the tree and not announced yet. */
  readonly #waiting = new Map<number, CellInfo>()
  #unsubscribe: (() => void) | undefined
  #sent = 0

  constructor(system: System, send: (event: StatelyEvent) => void) {
    this.#system = system
    this.#send = send
  }

  start(): void {
    const { tap, name } = this.#system
    this.#unsubscribe = tap.subscribe((event) => this.#hear(event), { messages: true })
    try {
      const tree = this.#system.tree()
      for (const info of tree) this.#waiting.set(info.id, info)
      this.#announce({ id: rootCell, name, kind: name, parent: null, machine: undefined }, 'running')
      for (const { id } of tree) this.#announceWaiting(id)
    } catch (error) {
      this.stop()
      throw error
    }
  }

  stop(): void {
    this.#unsubscribe?.()
    this.#unsubscribe = undefined
    this.#waiting.clear()
    this.#cells.clear()
    this.#machines.clear()
  }

  #hear(event: TapEvent): void {
    try {
      this.#report(event)
    } catch (error) {
      // The tap forgets this listener now; what it remembered goes with it.
      this.stop()
      throw error
    }
  }

  #report(event: TapEvent): void {
    const { type, id, details } = event
    this.#announceWaiting(id)
    const cell = this.#cells.get(id)
    switch (type) {
      case 'cell.started':
        this.#started(event)
        return
      case 'cell.restarted':
        if (cell !== undefined) this.#begin(event, cell)
        return
      case 'machine.state':
        if (cell !== undefined) {
          cell.value = valueOf(textOf(details['to']), cell.machine)
          this.#snapshot(event, cell, textOf(details['event']))
        }
        return
      case 'cell.passive':
        if (cell !== undefined) {
          if (cell.machine === undefined) cell.value = 'passive'
          this.#snapshot(event, cell, type)
        }
        return
      case 'cell.crashed':
        if (cell !== undefined) this.#crashed(event, cell)
        return
      case 'cell.stopped':
        this.#cells.delete(id)
        if (cell !== undefined) this.#snapshot(event, cell, type, stopped)
        return
      case 'message':
        if (cell !== undefined)
          this.#pass({
            type: '@xstate.event',
            event: { type: textOf(details['message']) },
            sourceId: undefined,
            ...this.#base(id, event.at),
          })
        return
      case 'machine.definition':
        this.#learn(details)
        return
      case 'mailbox.high':
      case 'mailbox.low':
      case 'message.quarantined':
      case 'event':
        // The inspector has no shape for these.
        return
    }
  }

  #learn({ hash, definition }: TapEvent['details']): void {
    this.#machines.set(textOf(hash), { chart: readChart(definition), text: JSON.stringify(definition) })
  }

  /** A cell that begins for the first time, or one that was known and wakes. */
  #started(event: TapEvent): void {
    const { id, path, details } = event
    const known = this.#cells.get(id)
    if (known !== undefined) {
      this.#begin(event, known)
      return
    }
    const { kind, parent, definition } = details
    const above = typeof parent === 'number' ? parent : null
    if (above !== null) this.#announceWaiting(above)
    const machine = this.#machines.get(textOf(definition))
    this.#announce({ id, name: path, kind: textOf(kind), parent: above, machine }, undefined)
  }

  #begin(event: TapEvent, cell: ShownCell): void {
    cell.value = firstValue(cell.machine)
    this.#snapshot(event, cell, event.type)
  }

  #crashed(event: TapEvent, cell: ShownCell): void {
    const { error, message } = event.details
    const cause = typeof message === 'string' ? message : event.type
    this.#snapshot(event, cell, cause, crashed(textOf(error)))
  }

  #announceWaiting(id: number): void {
    const info = this.#waiting.get(id)
    if (info === undefined) return
    this.#waiting.delete(id)
    const { path, kind, parent, state, definition } = info
    if (parent !== null) this.#announceWaiting(parent)
    const machine = definition === undefined ? undefined : this.#machines.get(definition)
    const actor = { id, name: path, kind, parent, machine }
    if (machine === undefined) this.#announce(actor, state, conditionOf(info))
    else if (parseState(state, machine.chart) !== undefined) this.#announce(actor, state)
    else this.#announce(actor, undefined, conditionOf(info))
  }

  /** Without a state: where it begins. */
  #announce(actor: NewActor, state: string | undefined, condition: Condition = active): void {
    if (this.#unsubscribe === undefined) return
    const { id, name, kind, parent, machine } = actor
    const value = state === undefined ? firstValue(machine) : valueOf(state, machine)
    if (id !== rootCell && condition !== stopped) this.#cells.set(id, { machine, value })
    this.#pass({
      type: '@xstate.actor',
      name,
      parentId: id === rootCell ? undefined : this.#sessionOf(parent ?? rootCell),
      definition: machine?.text ?? JSON.stringify({ id: kind }),
      snapshot: { ...condition, value, context: {}, output: undefined },
      ...this.#base(id, this.#system.env.now()),
    })
  }

  #snapshot({ id, at }: TapEvent, { value }: ShownCell, type: string, condition: Condition = active): void {
    const snapshot = { ...condition, value, context: {}, output: undefined }
    this.#pass({ type: '@xstate.snapshot', event: { type }, snapshot, ...this.#base(id, at) })
  }

  #base(id: number, at: number): StatelyBase {
    return {
      rootId: this.#sessionOf(rootCell),
      sessionId: this.#sessionOf(id),
      createdAt: String(at),
      id: String(++this.#sent),
      _version: STATELY_VERSION,
    }
  }

  #sessionOf(id: number): string {
    return `${this.#system.name}:${id}`
  }

  /** `send` may have stopped this exporter a moment ago. */
  #pass(event: StatelyEvent): void {
    if (this.#unsubscribe !== undefined) this.#send(event)
  }
}

/** The text of an error may quote data: only its code or name goes out. */
function crashed(described: string): Condition {
  const [, head = 'Error'] = /^([A-Za-z]\w*):/.exec(described) ?? []
  return { status: 'error', error: head }
}

function conditionOf({ state, lastError }: CellInfo): Condition {
  if (state === 'stopped') return stopped
  return state === 'restarting' && lastError !== undefined ? crashed(lastError) : active
}

function firstValue(machine: Machine | undefined): StateValue {
  return machine === undefined ? 'running' : initialValue(machine.chart)
}

/** A state that the definition does not know is shown by its name. */
function valueOf(state: string, machine: Machine | undefined): StateValue {
  return (machine === undefined ? undefined : parseState(state, machine.chart)) ?? state
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
