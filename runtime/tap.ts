/** Inspection of a running system. Costs one field check while nobody listens, and never shows the payload of a message. */
import type { Env } from './env.ts'
import { BlazeError } from './errors.ts'
import { limits } from './limits.ts'

export type TapEventType =
  | 'cell.started'
  | 'cell.stopped'
  | 'cell.crashed'
  | 'cell.restarted'
  | 'cell.passive'
  | 'machine.state'
  | 'machine.definition'
  | 'mailbox.high'
  | 'mailbox.low'
  | 'message'
  | 'message.quarantined'
  | 'event'

/** Plain JSON. `path` and `id` name the cell; `machine.definition` belongs to no cell and has path '' and id 0. */
export interface TapEvent {
  /** Version of this format. */
  readonly v: 1
  readonly type: TapEventType
  /** Wall clock, ms since the epoch. */
  readonly at: number
  readonly path: string
  readonly id: number
  readonly details: Readonly<Record<string, unknown>>
}

export type TapListener = (event: TapEvent) => void

/** A machine's structure: states, transitions, names of actions and guards; no data. */
export interface MachineDefinition {
  readonly hash: string
  readonly definition: unknown
}

/** One line of the tree. Plain JSON. */
export interface CellInfo {
  readonly id: number
  readonly path: string
  readonly kind: string
  /** Id of the parent; null below the root. */
  readonly parent: number | null
  /** State of the machine, or `running`, `restarting`, `stopping`, `stopped`. */
  readonly state: string
  /** Wall clock, ms, of the entry into that state. */
  readonly since: number
  readonly mailbox: { readonly depth: number; readonly max: number }
  readonly restarts: number
  /** Messages on which it crashed. */
  readonly quarantined?: number
  readonly lastError?: string
  /** Fingerprint of the machine definition, as in the tap. */
  readonly definition?: string
  readonly detail?: object
}

export class Tap {
  /** The one field that is checked before anything is built. */
  active = false
  /** True only while a listener asked for every message. */
  messages = false
  /** Deliveries lost: a listener that throws is removed, and counted here. */
  dropped = 0
  readonly #env: Env
  #listeners: TapListener[] = []
  readonly #definitions = new Map<object, () => MachineDefinition>()
  #shown = new Set<string>()

  constructor(env: Env) {
    this.#env = env
  }

  /** Events from now on, preceded by the definitions known so far. Returns the way to stop. Throws `OVERLOADED`. */
  subscribe(listener: TapListener): () => void {
    if (this.#listeners.length >= limits.tapListenersMax)
      throw new BlazeError('OVERLOADED', `a tap takes at most ${limits.tapListenersMax} listeners`)
    this.#listeners = [...this.#listeners, listener]
    this.active = true
    const shown = new Set<string>()
    for (const describe of this.#definitions.values()) {
      const definition = describe()
      if (shown.has(definition.hash)) continue
      shown.add(definition.hash)
      this.#deliver(listener, this.#event('machine.definition', '', 0, { ...definition }))
    }
    for (const hash of shown) this.#shown.add(hash)
    return () => this.#remove(listener)
  }

  /** Callers check `active` first, so that details are not built for nobody. */
  emit(type: TapEventType, path: string, id: number, details: object = {}): void {
    if (!this.active) return
    const event = this.#event(type, path, id, redact(details))
    for (const listener of this.#listeners) this.#deliver(listener, event)
  }

  /** Remembers a machine under its identity; serialised only when somebody listens, shown once per hash. */
  define(machine: object, describe: () => MachineDefinition): void {
    if (this.#definitions.has(machine)) return
    if (this.#definitions.size >= limits.tapDefinitionsMax) {
      this.dropped++
      return
    }
    this.#definitions.set(machine, describe)
    if (!this.active) return
    const definition = describe()
    if (this.#shown.has(definition.hash)) return
    this.#shown.add(definition.hash)
    const event = this.#event('machine.definition', '', 0, { ...definition })
    for (const listener of this.#listeners) this.#deliver(listener, event)
  }

  #event(type: TapEventType, path: string, id: number, details: Record<string, unknown>): TapEvent {
    return { v: 1, type, at: this.#env.now(), path, id, details }
  }

  #deliver(listener: TapListener, event: TapEvent): void {
    try {
      listener(event)
    } catch (error) {
      // An observer must not be able to crash what it observes.
      this.dropped++
      this.#remove(listener)
      this.#env.log.error('tap.listener.removed', { error: describeError(error) })
    }
  }

  #remove(listener: TapListener): void {
    this.#listeners = this.#listeners.filter((other) => other !== listener)
    this.active = this.#listeners.length > 0
  }
}

/** Short text, numbers, booleans and null pass; everything else may be a payload. */
function redact(details: object): Record<string, unknown> {
  const shown: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(details)) shown[key] = redactValue(value)
  return shown
}

function redactValue(value: unknown): unknown {
  switch (typeof value) {
    case 'string':
      return value.length <= limits.tapTextCharsMax ? value : `${value.slice(0, limits.tapTextCharsMax)}…`
    case 'number':
    case 'boolean':
      return value
    default:
      return value === null ? null : '[redacted]'
  }
}

/** Name, code and text of an error, cut; never its stack or details. */
export function describeError(error: unknown): string {
  try {
    if (!(error instanceof Error)) return String(error).slice(0, limits.tapTextCharsMax)
    const head = error instanceof BlazeError ? error.code : error.name
    return `${head}: ${error.message}`.slice(0, limits.tapTextCharsMax)
  } catch {
    // Anything can be thrown, also what throws when it is looked at.
    return 'something that cannot be shown'
  }
}

/** For the log only. */
export function describeStack(error: Error): string {
  try {
    return String(error.stack)
  } catch {
    return 'no stack that can be shown'
  }
}
