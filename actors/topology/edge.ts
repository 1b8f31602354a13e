/**
 * The edge actor: keeps the flows between two databases going, through crashes of either, until it is disconnected.
 * Invariant: one drain at a time; after a fault of a store it passes over everything again instead of guessing what was missed.
 */
import { BlazeError, limits, machine } from '../../runtime/index.ts'
import type { Behaviour, MachineContext } from '../../runtime/index.ts'
import type { Database } from '../database/index.ts'
import { edgeMachine } from './machine.ts'
import type { EdgeEvent } from './machine.ts'
import type { MirrorFlow } from './mirror-flow.ts'

export type EdgeMessage =
  /** Something is pending. */
  | { readonly type: 'edge.drain' }
  /** A database was opened again. */
  | { readonly type: 'edge.reset' }

export interface EdgeOptions {
  /** With the database that each reads. */
  readonly flows: readonly {
    readonly flow: MirrorFlow
    readonly source: Database
    readonly target: Database
  }[]
  /** Before the first pass. */
  connect(): Promise<void>
  /** A pass is complete, with undefined; or the edge has failed for good. */
  report(error: BlazeError | undefined): void
}

type Context = MachineContext<EdgeMessage, EdgeEvent>

export function edge(options: EdgeOptions): Behaviour<EdgeMessage> {
  const keeper = new EdgeKeeper(options)
  return machine<EdgeMessage, EdgeEvent>({
    kind: 'edge',
    definition: edgeMachine,
    actions: { connect: (ctx) => keeper.connect(ctx), pass: (ctx) => keeper.drain(ctx) },
    receive: (message, ctx) => keeper.receive(message, ctx),
    init: () => keeper.init(),
    inspect: () => ({
      copied: options.flows.reduce((sum, { flow }) => sum + flow.copied, 0),
      pending: options.flows.some(({ flow }) => flow.pending),
      error: keeper.error?.code ?? '',
    }),
  })
}

class EdgeKeeper {
  readonly #o: EdgeOptions
  error: BlazeError | undefined
  #draining = false
  #connected = false

  constructor(options: EdgeOptions) {
    this.#o = options
  }

  init(): void {
    this.#draining = false
    this.#connected = false
    for (const { flow } of this.#o.flows) flow.restart()
  }

  connect(ctx: Context): void {
    ctx.run(
      () => this.#o.connect(),
      (result) => {
        if (!result.ok) return this.#fail(ctx, result.error)
        this.#subscribe(ctx)
        this.#connected = true
        ctx.send({ type: 'edge.connected' })
        return undefined
      },
    )
  }

  receive(message: EdgeMessage, ctx: Context): EdgeEvent | undefined {
    switch (message.type) {
      case 'edge.drain':
        this.drain(ctx)
        return undefined
      case 'edge.reset':
        for (const { flow } of this.#o.flows) flow.restart()
        this.drain(ctx)
        return ctx.state() === 'live' ? { type: 'edge.behind' } : undefined
    }
  }

  #subscribe(ctx: Context): void {
    for (const { flow, source } of this.#o.flows) {
      ctx.own(
        source.onRecords((changes) => {
          // A full mailbox holds a drain already.
          if (flow.note(changes) && !this.#draining) ctx.self.tell({ type: 'edge.drain' })
        }),
      )
    }
    for (const database of new Set(this.#o.flows.flatMap(({ source, target }) => [source, target]))) {
      let known = database.space
      ctx.own(
        database.onSpace((space) => {
          if (space !== undefined && space !== known) ctx.self.tell({ type: 'edge.reset' })
          known = space ?? known
        }),
      )
    }
  }

  drain(ctx: Context): void {
    if (this.#draining || !this.#connected) return
    this.#draining = true
    ctx.run(
      async (signal) => {
        for (const { flow } of this.#o.flows) await flow.drain(signal)
      },
      (result) => {
        this.#draining = false
        if (!result.ok) return this.#fail(ctx, result.error)
        if (this.#o.flows.some(({ flow }) => flow.pending)) return { type: 'edge.drain' }
        this.error = undefined
        if (ctx.state() === 'passing') ctx.send({ type: 'edge.passed' })
        this.#o.report(undefined)
        return undefined
      },
    )
  }

  #fail(ctx: Context, cause: unknown): undefined {
    if (!(cause instanceof BlazeError)) {
      this.#o.report(new BlazeError('CLOSED', 'the edge between the databases failed', { cause }))
      ctx.crash(cause)
      return undefined
    }
    this.error = cause
    if (this.#connected && transient.has(cause.code)) {
      ctx.after(limits.reopenDelayMs, { type: 'edge.drain' })
      return undefined
    }
    ctx.emit('edge.failed', { code: cause.code })
    ctx.send({ type: 'edge.failed' })
    this.#o.report(cause)
    return undefined
  }
}

/** Codes after which the same copy may succeed. */
const transient: ReadonlySet<string> = new Set(['POISONED', 'DISK_FULL', 'OVERLOADED', 'CLOCK_SKEW'])
