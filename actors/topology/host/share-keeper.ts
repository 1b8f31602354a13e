/**
 * The cell of a share: owns the listener and its guests, and follows the database.
 * Invariant: it throws into nobody's turn; a listener of the database is told of commits in order, and of each once.
 */
import { BlazeError, limits, machine } from '../../../runtime/index.ts'
import type { Behaviour, MachineContext } from '../../../runtime/index.ts'
import { refuseLink } from '../../../transports/index.ts'
import type { Link } from '../../../transports/index.ts'
import type { RecordChange } from '../../database/index.ts'
import type { Space } from '../../team/index.ts'
import type { ExportPolicy } from '../policy/index.ts'
import { CommitChanges } from './commit-changes.ts'
import { Guest } from './guest.ts'
import type { GuestHost } from './guest-host.ts'
import { shareMachine } from './machine.ts'
import type { ShareEvent } from './machine.ts'
import { ShareDoor } from './share-door.ts'
import type { ShareOptions, ShareStatus } from './share.ts'
import { ShareTerms } from './share-terms.ts'
import type { Grants } from './share-terms.ts'

export type ShareMessage =
  { readonly type: 'share.gone'; readonly name: string } | { readonly type: 'share.retry' }

type Context = MachineContext<ShareMessage, ShareEvent>

export class ShareKeeper {
  /** See `Share.started`. */
  readonly started: Promise<void>
  readonly #o: ShareOptions
  readonly #host: GuestHost
  readonly #door: ShareDoor
  #terms: ShareTerms
  #settle: { resolve(): void; reject(error: unknown): void } | undefined
  #begun = false
  #ctx: Context | undefined
  #state: ShareStatus['state'] = 'opening'
  #error: BlazeError | undefined
  #failures = 0
  readonly #guests = new Map<string, Guest>()
  #accepted = 0
  #refused = 0
  #space: Space | undefined
  #unfollow: () => void = () => {}
  /** Newest arrival that guests were told of. */
  #arrival = 0

  constructor(options: ShareOptions) {
    this.#o = options
    const { database, group, app, world } = options
    this.#terms = new ShareTerms(options.policy, options.grants, world.crypto)
    this.#host = {
      database,
      crypto: world.crypto,
      group,
      app,
      terms: () => this.#terms,
      arrival: () => this.#arrival,
      moved: () => this.#report(),
    }
    this.#door = new ShareDoor(options)
    this.started = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
    })
    // Whoever waits is told.
    this.started.catch(() => undefined)
  }

  behaviour(): Behaviour<ShareMessage> {
    return machine<ShareMessage, ShareEvent>({
      kind: 'share',
      definition: shareMachine,
      init: (ctx) => this.#init(ctx),
      actions: {
        open: (ctx) => this.#open(ctx),
        listen: () => this.#enter('listening'),
        backOff: (ctx) => this.#backOff(ctx),
      },
      receive: (message) => this.#receive(message),
      inspect: () => this.#inspect(),
    })
  }

  setTerms(policy: ExportPolicy, grants: Grants | undefined): void {
    const before = this.#terms
    this.#terms = new ShareTerms(policy, grants, this.#o.world.crypto)
    this.#each((guest) => guest.termsChanged(before))
    if (this.#door.open) this.#republish()
    this.#report()
  }

  status(): ShareStatus {
    return {
      state: this.#state,
      error: this.#error,
      policyVersion: this.#terms.version,
      guests: [...this.#guests.values()].map((guest) => guest.status()),
    }
  }

  /** The cell will not start again. */
  stopped(): void {
    this.#enter('stopped')
    this.#settle?.reject(new BlazeError('CLOSED', 'sharing was stopped'))
    this.#settle = undefined
  }

  #init(ctx: Context): void {
    const { database } = this.#o
    this.#ctx = ctx
    this.#space = undefined
    ctx.own(() => {
      // Their cells have died with this one.
      this.#guests.clear()
      if (this.#state !== 'stopped') this.#enter('opening')
    })
    ctx.own(this.#door)
    ctx.own(() => this.#unfollow())
    ctx.own(database.onSpace((space) => this.#safely(() => this.#follow(space))))
    ctx.own(database.onRecords((changes) => this.#safely(() => this.#changed(changes))))
  }

  #open(ctx: Context): void {
    this.#enter('opening')
    const terms = this.#terms
    ctx.run(
      () => this.#door.listen(terms, (link) => this.#arrived(link, ctx)),
      (result) => {
        if (!result.ok) return this.#failed(ctx, result.error)
        this.#begun = true
        this.#failures = 0
        this.#error = undefined
        ctx.send({ type: 'share.opened' })
        this.#settle?.resolve()
        this.#settle = undefined
        if (terms !== this.#terms) this.#republish()
        return undefined
      },
    )
  }

  #failed(ctx: Context, cause: unknown): undefined {
    // A bug of ours: the supervisor starts another life, unless somebody waits to be told.
    if (this.#begun && !(cause instanceof BlazeError)) throw cause
    this.#error = faultOf(cause, 'sharing could not begin')
    ctx.emit('share.failed', { code: this.#error.code, reason: this.#error.message })
    if (this.#begun) {
      ctx.send({ type: 'share.failed' })
      return undefined
    }
    ctx.send({ type: 'share.refused' })
    this.#settle?.reject(cause)
    this.#settle = undefined
    this.#enter('stopped')
    return undefined
  }

  #backOff(ctx: Context): void {
    const fullMs = Math.min(
      limits.resourceRetryMaxMs,
      limits.resourceRetryFirstMs * 2 ** Math.min(this.#failures, 30),
    )
    this.#failures += 1
    ctx.after(fullMs * (0.5 + ctx.env.random() / 2), { type: 'share.retry' })
    this.#enter('failed')
  }

  /** The entry informs people and other apps; sharing does not depend on it, so a fault is shown and no more. */
  #republish(): void {
    this.#door.publish(this.#terms).then(
      () => {
        this.#error = undefined
        this.#report()
      },
      (cause: unknown) => {
        this.#error = faultOf(cause, 'the entry of the shared database cannot be written')
        this.#ctx?.emit('share.unpublished', { code: this.#error.code, reason: this.#error.message })
        this.#report()
      },
    )
  }

  #receive(message: ShareMessage): ShareEvent | undefined {
    switch (message.type) {
      case 'share.gone':
        this.#guests.delete(message.name)
        this.#report()
        return undefined
      case 'share.retry':
        return { type: 'share.retry' }
    }
  }

  /** In the turn of the socket: a link that waited in a mailbox would be lost with it. */
  #arrived(link: Link, ctx: Context): void {
    try {
      this.#accept(link, ctx)
    } catch (error) {
      // The cell may be stopping, and its dialler comes again.
      refuseLink(link, 'busy')
      if (!(error instanceof BlazeError && error.code === 'CELL_DOWN')) ctx.crash(error)
    }
  }

  #accept(link: Link, ctx: Context): void {
    let unproven = 0
    for (const guest of this.#guests.values()) if (!guest.proven) unproven += 1
    if (this.#guests.size >= limits.guestsMax || unproven >= limits.handshakesPerAddressMax) {
      this.#refused += 1
      refuseLink(link, 'busy')
      return
    }
    this.#accepted += 1
    const name = `guest-${this.#accepted}`
    const guest = new Guest(this.#host, link)
    const ref = ctx.spawn({
      name,
      restart: 'temporary',
      stopBudgetMs: limits.clientStopMs,
      behaviour: guest.behaviour(),
    })
    this.#guests.set(name, guest)
    ctx.watch(ref, () => ({ type: 'share.gone', name }))
    this.#report()
  }

  #follow(space: Space | undefined): void {
    this.#unfollow()
    this.#unfollow = () => {}
    const known = this.#space
    this.#space = space
    if (space !== undefined) {
      this.#arrival = space.replica.lastArrival
      // After the view of the database, which tells the records of the same batch.
      this.#unfollow = space.replica.onCommitted(() => this.#safely(() => this.#committed()))
    }
    if (known !== undefined) this.#each((guest) => guest.spaceChanged())
  }

  /** In the turn in which the commit was synced: guests that are up to date get it at once. */
  #changed(changes: readonly RecordChange[]): void {
    const { database } = this.#o
    if (this.#space === undefined || this.#guests.size === 0) return
    const upTo = this.#space.replica.lastArrival
    const commit = new CommitChanges({
      showing: { policy: this.#terms.policy, mirrorTag: (tag) => database.mirrorTag(tag) },
      changes,
      after: this.#arrival,
      upTo,
      cursor: Math.min(upTo, database.heldFloor() - 1),
    })
    this.#each((guest) => guest.changed(commit))
    // Before whoever wrote goes on; with many guests that would make the writer wait.
    if (this.#guests.size <= limits.flushedGuestsMax) this.#each((guest) => guest.flush())
  }

  #committed(): void {
    if (this.#space === undefined) return
    this.#arrival = this.#space.replica.lastArrival
    this.#each((guest) => guest.advanced(this.#arrival))
  }

  /** A bug that shows with one guest is that guest's end. */
  #each(work: (guest: Guest) => void): void {
    for (const guest of this.#guests.values()) {
      try {
        work(guest)
      } catch (error) {
        guest.fail(error)
      }
    }
  }

  /** Called in a turn of the database: what is wrong here crashes this cell. */
  #safely(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.#ctx?.crash(error)
    }
  }

  #enter(state: ShareStatus['state']): void {
    this.#state = state
    this.#report()
  }

  #report(): void {
    this.#o.report?.()
  }

  #inspect(): object {
    return {
      database: this.#o.database.name,
      app: this.#o.app.id,
      policy: this.#terms.version,
      guests: this.#guests.size,
      accepted: this.#accepted,
      refused: this.#refused,
      ...(this.#error === undefined ? {} : { error: this.#error.code }),
    }
  }
}

function faultOf(cause: unknown, what: string): BlazeError {
  return cause instanceof BlazeError ? cause : new BlazeError('DIRECTORY_UNUSABLE', what, { cause })
}
