/**
 * Inspection of a running system (PROTOCOL §13). Costs one field check while nobody listens.
 *
 * Invariant: the payload of a message is never shown, no error of a listener reaches what it observes, and all listeners hear the
 * same things in the same order.
 */
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

/** Called while the kernel works: it must be quick. It may tell, subscribe and stop listening. */
export type TapListener = (event: TapEvent) => void

export interface TapOptions {
  /** Also an event for every message before it is handled; default false. */
  readonly messages?: boolean
}

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
  /** State of the machine, or `running`, `restarting`, `stopping`, `stopped`, `passive`. */
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

interface Subscription {
  readonly listener: TapListener
  readonly messages: boolean
  /** Hashes of the definitions it has been shown. */
  readonly shown: Set<string>
  open: boolean
}

/** An event and those who listened as it happened. */
interface Delivery {
  readonly event: TapEvent
  readonly subscriptions: readonly Subscription[]
}

export class Tap {
  /** The one field that is checked before anything is built. */
  active = false
  /** True only while a listener asked for every message. */
  messages = false
  /** Events that did not reach a listener which should have heard them. */
  dropped = 0
  readonly #env: Env
  /** Replaced, never changed: a delivery goes to those who listened as it began. */
  #subscriptions: readonly Subscription[] = []
  readonly #definitions = new Map<object, () => MachineDefinition>()
  /** What listeners have caused by listening; undefined while none of them is being called. */
  #caused: Delivery[] | undefined

  constructor(env: Env) {
    this.#env = env
  }

  /** Events from now on, preceded by the definitions known so far. Returns the way to stop. Throws `OVERLOADED`. */
  subscribe(listener: TapListener, options: TapOptions = {}): () => void {
    const { messages = false } = options
    if (this.#subscriptions.length >= limits.tapListenersMax)
      throw new BlazeError('OVERLOADED', `a tap takes at most ${limits.tapListenersMax} listeners`)
    const subscription: Subscription = { listener, messages, shown: new Set(), open: true }
    this.#replace([...this.#subscriptions, subscription])
    // At once, also inside a delivery: nobody else hears them, and they come before all else.
    for (const describe of this.#definitions.values()) {
      const definition = describe()
      if (!this.#isNewTo(subscription, definition)) continue
      const event = this.#event('machine.definition', '', 0, { ...definition })
      this.#deliver({ event, subscriptions: [subscription] })
    }
    return () => this.#remove(subscription)
  }

  /** Callers check `active` first (`messages` for a message), so that details are not built for nobody. */
  emit(type: TapEventType, path: string, id: number, details: object = {}): void {
    if (!this.active || (type === 'message' && !this.messages)) return
    this.#send(this.#event(type, path, id, redact(details)), this.#subscriptions)
  }

  /** Remembers a machine under its identity; serialised only when somebody listens, shown once per listener and hash. */
  define(machine: object, describe: () => MachineDefinition): void {
    if (this.#definitions.has(machine)) return
    if (this.#definitions.size >= limits.tapDefinitionsMax) {
      this.dropped++
      return
    }
    this.#definitions.set(machine, describe)
    if (this.active) this.show(describe())
  }

  /** To the listeners that have not seen it. The kernel does so before a cell of this machine starts. */
  show(definition: MachineDefinition): void {
    const unshown = this.#subscriptions.filter((subscription) => this.#isNewTo(subscription, definition))
    if (unshown.length > 0) this.#send(this.#event('machine.definition', '', 0, { ...definition }), unshown)
  }

  #isNewTo({ shown }: Subscription, { hash }: MachineDefinition): boolean {
    if (shown.has(hash)) return false
    if (shown.size >= limits.tapDefinitionsMax) {
      this.dropped++
      return false
    }
    shown.add(hash)
    return true
  }

  #event(type: TapEventType, path: string, id: number, details: Record<string, unknown>): TapEvent {
    return { v: 1, type, at: this.#env.now(), path, id, details }
  }

  /** What happens inside a delivery is delivered after it, so that all listeners hear the same order. */
  #send(event: TapEvent, subscriptions: readonly Subscription[]): void {
    if (this.#caused !== undefined) {
      // A listener that answers every event with another one would never end.
      if (this.#caused.length >= limits.tapCausedMax) this.dropped++
      else this.#caused.push({ event, subscriptions })
      return
    }
    const caused: Delivery[] = []
    this.#caused = caused
    try {
      this.#deliver({ event, subscriptions })
      // Grows while it is walked through, up to that bound.
      for (const delivery of caused) this.#deliver(delivery)
    } finally {
      this.#caused = undefined
    }
  }

  #deliver({ event, subscriptions }: Delivery): void {
    for (const subscription of subscriptions) {
      if (!subscription.open || (event.type === 'message' && !subscription.messages)) continue
      try {
        subscription.listener(event)
      } catch (error) {
        // An observer must not be able to crash what it observes.
        this.dropped++
        this.#remove(subscription)
        this.#env.log.error('tap.listener.removed', { error: describeError(error) })
      }
    }
  }

  #remove(subscription: Subscription): void {
    subscription.open = false
    this.#replace(this.#subscriptions.filter((other) => other !== subscription))
  }

  #replace(subscriptions: readonly Subscription[]): void {
    this.#subscriptions = subscriptions
    this.active = subscriptions.length > 0
    this.messages = subscriptions.some((subscription) => subscription.messages)
  }
}

/** Short text, finite numbers, booleans and null pass; everything else may be a payload. */
function redact(details: object): Record<string, unknown> {
  const fields = Object.entries(details).slice(0, limits.tapFieldsMax)
  return Object.fromEntries(fields.map(([name, value]) => [cut(name), redactValue(value)]))
}

function redactValue(value: unknown): unknown {
  switch (typeof value) {
    case 'string':
      return cut(value)
    case 'number':
      return Number.isFinite(value) ? value : null
    case 'boolean':
      return value
    default:
      return value === null ? null : '[redacted]'
  }
}

function cut(text: string): string {
  return text.length <= limits.tapTextCharsMax ? text : `${text.slice(0, limits.tapTextCharsMax)}…`
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
