/**
 * The cell of a database: opens the store, hands requests to the session, and dies with the store so that its supervisor opens a
 * fresh one. Invariant: at most one session is open, and a poisoned one is never used again.
 */
import { BlazeError, limits, machine } from '../../runtime/index.ts'
import type { Behaviour, MachineContext, Ref } from '../../runtime/index.ts'
import type { LeftReplica } from '../replica/index.ts'
import { DatabaseCore } from './core.ts'
import type { DatabaseOptions, DatabaseWorld } from './core.ts'
import { databaseMachine } from './machine.ts'
import type { DatabaseEvent } from './machine.ts'
import type { DatabaseMessage, DatabaseRequest, Reply } from './message.ts'
import { openSession } from './opening.ts'
import { leaveReplica, refusedBy } from './rebase.ts'
import type { DatabaseSession } from './session.ts'

type Context = MachineContext<DatabaseMessage, DatabaseEvent>

export interface SpawnedDatabase {
  readonly core: DatabaseCore
  readonly ref: Ref<DatabaseMessage>
  /** Settles with the first opening. */
  readonly opened: Promise<void>
}

export function spawnDatabase(world: DatabaseWorld, options: DatabaseOptions): SpawnedDatabase {
  const core = new DatabaseCore(world, options)
  const keeper = new DatabaseKeeper(core)
  const opened = new Promise<void>((resolve, reject) => keeper.onFirstOpening({ resolve, reject }))
  const behaviour = keeper.behaviour()
  // A directory has one holder, but two directories may hold databases of one name.
  for (let n = 1; ; n += 1) {
    const name = `database ${options.name.replaceAll('/', '_').slice(0, 100)}${n === 1 ? '' : ` ${n}`}`
    try {
      const ref = world.system.spawn({ name, behaviour, mailboxMax: limits.databaseMailMax })
      return { core, ref, opened }
    } catch (error) {
      if (!(error instanceof BlazeError && error.code === 'NAME_TAKEN')) throw error
    }
  }
}

class DatabaseKeeper {
  readonly #core: DatabaseCore
  #first: Reply<void> | undefined
  /** Requests that came while the store was being opened. */
  #stash: DatabaseRequest[] = []
  #opening: Promise<DatabaseSession | undefined> = Promise.resolve(undefined)
  #closeReply: Reply<void> | undefined
  /** A session whose replica id has to be left. */
  #leaving: { readonly session: DatabaseSession; readonly left: LeftReplica } | undefined

  constructor(core: DatabaseCore) {
    this.#core = core
  }

  onFirstOpening(first: Reply<void>): void {
    this.#first = first
  }

  behaviour(): Behaviour<DatabaseMessage> {
    return machine<DatabaseMessage, DatabaseEvent>({
      kind: 'database',
      definition: databaseMachine,
      actions: { open: (ctx) => this.#open(ctx), close: (ctx) => this.#close(ctx) },
      receive: (message) => this.#receive(message),
      inspect: () => this.#inspect(),
    })
  }

  #receive(message: DatabaseMessage): DatabaseEvent | undefined {
    const { session, state } = this.#core
    switch (message.type) {
      case 'database.close':
        this.#closeReply = message.reply
        return { type: 'database.closing' }
      case 'database.keys':
        session?.view.keysChanged()
        return undefined
      default:
        if (session !== undefined) this.#hand(session, message)
        else if (state === 'opening') this.#keep(message)
        else message.reply.reject(this.#unavailable())
        return undefined
    }
  }

  #hand(session: DatabaseSession, request: DatabaseRequest): void {
    const refused = refusedBy(session.space.replica.misfit.rebase, request.type)
    if (refused === undefined) session.handle(request)
    else request.reply.reject(refused)
  }

  #keep(request: DatabaseRequest): void {
    if (this.#stash.length < limits.databaseMailMax) this.#stash.push(request)
    else request.reply.reject(new BlazeError('OVERLOADED', 'too many calls wait for the database to open'))
  }

  #open(ctx: Context): void {
    const core = this.#core
    core.state = 'opening'
    ctx.run(
      async () => {
        const opening = this.#over(this.#opening).then(() =>
          openSession(
            core,
            (event, details) => ctx.emit(event, details),
            (error) => this.#lost(ctx, error),
          ),
        )
        this.#opening = opening
        const session = await opening
        ctx.own({
          close: async () => {
            if (core.session === session) core.session = undefined
            await session.close(core.error)
          },
        })
        return session
      },
      (result) => {
        if (this.#closeReply !== undefined) return undefined
        if (!result.ok) {
          this.#failed(ctx, result.error)
          return undefined
        }
        const session = result.value
        const { space } = session
        space.replica.onPoisoned((error) => {
          if (this.#leaving?.session !== session) this.#lost(ctx, error)
        })
        space.onForked((left) => this.#misfits(ctx, session, left))
        space.replica.misfit.onRebased(() => this.#rebased(ctx))
        core.error = undefined
        const rebasing = space.replica.misfit.rebase !== undefined
        core.state = rebasing ? 'rebasing' : 'ready'
        core.session = session
        ctx.send({ type: rebasing ? 'database.rebasing' : 'database.opened' })
        this.#first?.resolve(undefined)
        this.#first = undefined
        space.leaveClosed()
        if (core.session === session) this.#flush((request) => this.#hand(session, request))
        return undefined
      },
    )
  }

  /** Another branch of this device's history was shown: this opening is over, and the next one begins to rebase. */
  #misfits(ctx: Context, session: DatabaseSession, left: LeftReplica): void {
    const core = this.#core
    if (core.session !== session) return
    this.#leaving = { session, left }
    core.error = new BlazeError('FORKED', 'this directory is an older copy of one that went on elsewhere')
    core.state = 'opening'
    core.session = undefined
    ctx.emit('database.misfit', { forkPoint: left.forkPoint })
    ctx.send({ type: 'database.misfit' })
  }

  /**
   * One opening after the other: a life that crashed in the middle of one goes on with it. Of a replica id that is left the header
   * names the new one before the store is touched again; tried until that went through.
   */
  async #over(before: Promise<DatabaseSession | undefined>): Promise<void> {
    const session = await before.catch(() => undefined)
    try {
      await session?.close(this.#core.error)
    } catch (error) {
      // Its store failed, and is closed all the same.
      if (!(error instanceof BlazeError)) throw error
    }
    const left = this.#leaving?.left
    if (left === undefined) return
    const { world, unlocked } = this.#core
    const { header } = unlocked
    await header.update(leaveReplica(header.identity, { env: world.env, reason: 'forked', ...left }))
    this.#leaving = undefined
  }

  #rebased(ctx: Context): void {
    if (this.#core.state !== 'rebasing') return
    this.#core.state = 'ready'
    ctx.emit('database.rebased')
    ctx.send({ type: 'database.opened' })
  }

  /** This opening is over; the supervisor begins a fresh one. */
  #lost(ctx: Context, error: BlazeError): void {
    this.#core.error = error
    // Nobody wants another one: the close is under way, and tells.
    if (this.#closeReply !== undefined) return
    this.#core.state = 'opening'
    ctx.crash(error)
  }

  #failed(ctx: Context, cause: unknown): void {
    const core = this.#core
    const damaged = cause instanceof BlazeError && !retried.has(cause.code)
    core.error =
      cause instanceof BlazeError
        ? cause
        : new BlazeError('POISONED', 'the store cannot be opened', { cause })
    core.state = damaged ? 'damaged' : 'failed'
    ctx.send({ type: damaged ? 'database.damaged' : 'database.failed' })
    this.#first?.reject(cause)
    this.#first = undefined
    this.#flush((request) => request.reply.reject(this.#unavailable()))
  }

  #close(ctx: Context): void {
    const core = this.#core
    core.state = 'closing'
    this.#flush((request) => request.reply.reject(this.#unavailable()))
    ctx.run(
      async () => {
        await this.#opening.catch(() => undefined)
        const { session } = core
        core.session = undefined
        await session?.close()
      },
      (result) => {
        if (result.ok) this.#closeReply?.resolve(undefined)
        else this.#closeReply?.reject(result.error)
        return undefined
      },
    )
  }

  #flush(handle: (request: DatabaseRequest) => void): void {
    const stash = this.#stash
    this.#stash = []
    for (const request of stash) handle(request)
  }

  #unavailable(): BlazeError {
    const { error } = this.#core
    if (this.#core.state === 'closing' || error === undefined) {
      return new BlazeError('CLOSED', 'the database was closed')
    }
    return error
  }

  #inspect(): object {
    const { session } = this.#core
    return {
      records: session?.view.records ?? 0,
      cacheBytes: session?.view.cacheBytes ?? 0,
      lastArrival: session?.space.replica.lastArrival ?? 0,
    }
  }
}

/** Faults of a disk may pass; what is wrong with the data does not. */
const retried: ReadonlySet<string> = new Set(['POISONED', 'DISK_FULL', 'ALREADY_OPEN', 'CLOSED'])
