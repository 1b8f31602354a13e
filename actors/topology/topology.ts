/**
 * Databases of one process that share collections.
 * Invariant: only committed states travel, with their stamps; a state that changes nothing is not written, so echoes die.
 */
import { BlazeError, isPlainObject } from '../../runtime/index.ts'
import type { Ref, System } from '../../runtime/index.ts'
import { bounded, partsOf } from '../client/index.ts'
import type { BlazeDBClient, WaitOptions } from '../client/index.ts'
import { openCollectionProblem } from '../database/index.ts'
import { edge } from './edge.ts'
import type { EdgeMessage, EdgeOptions } from './edge.ts'
import { MirrorFlow } from './mirror-flow.ts'
import { MirrorMarks } from './mirror-mark.ts'

const modes = ['readOnly', 'writeOnly', 'bidirectional'] as const
export type ConnectionMode = (typeof modes)[number]

export interface ConnectLocalOptions extends WaitOptions {
  readonly from: BlazeDBClient
  readonly to: BlazeDBClient
  /** Seen from `to`: may it read `from`, write to it, or both? */
  readonly mode: ConnectionMode
  /** Whole collections of `from`; default: all, those that come later included. */
  readonly collections?: readonly string[]
  /** Name in `to`, for a connection of exactly one collection. */
  readonly into?: string
}

/** A running connection between two databases. */
export interface Connection {
  readonly mode: ConnectionMode
  /** `false` after `disconnect`, or when it failed for good. */
  readonly connected: boolean
  /** Why it failed. */
  readonly error: BlazeError | undefined
  /**
   * Ends it; records stay where they are. With `forget` the collections that were read-only here may be written again, otherwise
   * they stay read-only, also after reopening. Idempotent.
   */
  disconnect(options?: { readonly forget?: boolean }): Promise<void>
}

export const BlazeTopology: {
  /**
   * Connects two open databases of this process. Resolves when everything committed in the source before the call is visible in the
   * target. Rejects with `COLLECTION_EXISTS` (read-only, and `to` has records of its own under the name), `READ_ONLY` (a device
   * may not write its own database), `NOT_SUPPORTED` (one of them is a guest), `CLOSED`, `TypeError`.
   */
  connectLocal(options: ConnectLocalOptions): Promise<Connection>
} = { connectLocal }

async function connectLocal(options: ConnectLocalOptions): Promise<Connection> {
  const { mode, collections, into } = checkOptions(options)
  const from = partsOf(options.from).database
  const { database: to, world } = partsOf(options.to)
  if (from === to) throw new TypeError('from, to: expected two databases, got one')

  const marks = new MirrorMarks(to, from.identity.space)
  const [only] = collections ?? []
  const flows = []
  if (mode !== 'writeOnly') {
    const flow = new MirrorFlow({
      source: from,
      target: to,
      collections,
      rename: (name) => into ?? name,
      admit: mode === 'readOnly' ? (name) => marks.admit(name) : noMark,
    })
    flows.push({ flow, source: from, target: to })
  }
  if (mode !== 'readOnly') {
    const flow = new MirrorFlow({
      source: to,
      target: from,
      collections: into === undefined ? collections : [into],
      rename: (name) => (into === undefined ? name : (only ?? name)),
      admit: noMark,
    })
    flows.push({ flow, source: to, target: from })
  }
  const connect = async (): Promise<void> => {
    if (mode !== 'readOnly') return
    for (const name of into === undefined ? (collections ?? []) : [into]) await marks.admit(name)
  }

  const connection = new LocalConnection(mode, marks)
  connection.start(world.system, `${from.name} → ${to.name}`, { flows, connect })
  try {
    await bounded(world.env, 'connectLocal', options, connection.passed)
  } catch (error) {
    await connection.disconnect()
    throw error
  }
  return connection
}

async function noMark(): Promise<void> {}

class LocalConnection implements Connection {
  readonly mode: ConnectionMode
  /** Settles with the first pass. */
  readonly passed: Promise<void>
  readonly #marks: MirrorMarks
  #report: EdgeOptions['report'] = () => {}
  #ref: Ref<EdgeMessage> | undefined
  #error: BlazeError | undefined

  constructor(mode: ConnectionMode, marks: MirrorMarks) {
    this.mode = mode
    this.#marks = marks
    this.passed = new Promise<void>((resolve, reject) => {
      this.#report = (error) => {
        this.#error = error
        if (error === undefined) resolve()
        else reject(error)
      }
    })
    // Whoever waits is told; a deadline may have ended that wait.
    this.passed.catch(() => undefined)
  }

  get connected(): boolean {
    return this.#ref?.alive === true && this.#error === undefined
  }

  get error(): BlazeError | undefined {
    return this.#error
  }

  start(system: System, name: string, options: Pick<EdgeOptions, 'flows' | 'connect'>): void {
    const behaviour = edge({ ...options, report: (error) => this.#report(error) })
    const base = `edge ${name.replaceAll('/', '_').slice(0, 100)}`
    for (let n = 1; this.#ref === undefined; n += 1) {
      try {
        this.#ref = system.spawn({ name: n === 1 ? base : `${base} ${n}`, behaviour, restart: 'transient' })
      } catch (error) {
        if (!(error instanceof BlazeError && error.code === 'NAME_TAKEN')) throw error
      }
    }
  }

  async disconnect(options: { readonly forget?: boolean } = {}): Promise<void> {
    await this.#ref?.stop()
    if (options.forget === true) await this.#marks.forget()
  }
}

function checkOptions(options: ConnectLocalOptions): Pick<ConnectLocalOptions, 'mode'> & {
  collections: readonly string[] | undefined
  into: string | undefined
} {
  if (!isPlainObject(options)) throw new TypeError('options: expected a plain object')
  const { mode, collections, into } = options
  if (!modes.includes(mode)) throw new TypeError(`mode: expected one of ${modes.join(', ')}`)
  if (collections !== undefined && !Array.isArray(collections)) {
    throw new TypeError('collections: expected an array of names')
  }
  if (into !== undefined && collections?.length !== 1) {
    throw new TypeError('into: expected exactly one collection with it')
  }
  for (const name of [...(collections ?? []), ...(into === undefined ? [] : [into])]) {
    const problem = typeof name === 'string' ? openCollectionProblem(name) : 'it is no text'
    if (problem !== undefined) throw new TypeError(`collection: ${problem}`)
  }
  return { mode, collections: collections === undefined ? undefined : [...new Set(collections)], into }
}
