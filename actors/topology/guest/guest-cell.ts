/**
 * What a guest does in each state of its machine: keeps the copy open, the host dialled, and the two in step.
 * Invariant: what belongs to a link or a copy that is over changes nothing; data goes from the socket to live queries in one turn.
 */
import { BlazeError, limits } from '../../../runtime/index.ts'
import type { ErrorCode, MachineContext, Timer } from '../../../runtime/index.ts'
import type { Reply } from '../../database/index.ts'
import type { Attached, MirrorWrite } from '../mirror/index.ts'
import { closed, CopyKeeper } from './copy-keeper.ts'
import { GuestCalls } from './guest-calls.ts'
import type { GuestCore } from './guest-core.ts'
import { GuestLink } from './guest-link.ts'
import type { GuestMessage, GuestReport } from './guest-message.ts'
import type { GuestSession } from './guest-session.ts'
import { markThrough, writeThrough } from './guest-write.ts'
import type { GuestEvent } from './machine.ts'
import type { TakenMessage } from './mirror-view.ts'

/** Codes that no retry heals; the guest waits in `refused` for a person. */
const FINAL: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'FORBIDDEN',
  'READ_ONLY',
  'GROUP_KEY_INVALID',
  'UNKNOWN_SPACE',
  'UNSAFE_DIRECTORY',
  'NOT_SUPPORTED',
])

/** After these the terms under which the copy was made hold no longer, and nobody will say what of it still may be shown. */
const WITHDRAWN: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['FORBIDDEN', 'READ_ONLY'])

type Context = MachineContext<GuestMessage, GuestEvent>

export class GuestCell {
  readonly #core: GuestCore
  readonly #ctx: Context
  readonly #copy: CopyKeeper
  readonly #calls: GuestCalls
  #link: GuestLink | undefined
  /** The host's last message said that this guest has everything. */
  #caughtUp = false
  #live = false
  #closeReply: Reply<void> | undefined
  /** Monotonic, when the stream was opened. */
  #openedMs = 0
  /** Streams of this link that were taken back soon, one after the other. */
  #resets = 0
  #reattach: Timer | undefined
  /** Writing is not allowed at present: the next stream asks for reading only, the one after it for all again. */
  #asReader = false

  constructor(core: GuestCore, ctx: Context) {
    this.#core = core
    this.#ctx = ctx
    this.#copy = new CopyKeeper(core, {
      dropped: (at, reason) => {
        ctx.env.log.warn('guest.copy.dropped', { at, reason: reason.message })
        ctx.emit('copy.dropped', { at, reason: reason.message })
      },
      failed: (error) => {
        if (error instanceof BlazeError) this.#post({ type: 'guest.copyFailed', error })
        else ctx.crash(error)
      },
    })
    this.#calls = new GuestCalls(ctx.env, () => {
      const view = core.session?.view
      return { position: view?.position ?? 0, swept: view?.head.swept ?? false }
    })
    ctx.own(() => this.#dispose())
  }

  connect(): void {
    this.#enter('connecting')
    if (this.#core.session === undefined) this.#open()
    else this.#dial()
  }

  secure(): void {
    this.#enter('handshake')
    const link = this.#link
    if (link === undefined) return
    this.#ctx.run(
      () => link.secure(),
      (result) => {
        if (!result.ok) return { type: 'guest.ended', link, error: faultOf(result.error) }
        if (link === this.#link) this.#ctx.send({ type: 'guest.secured' })
        return undefined
      },
    )
  }

  attach(): void {
    this.#enter('attaching')
    const link = this.#link
    if (link === undefined) return
    this.#calls.linked()
    if (this.#resets < 2) this.#openStream(link)
    else {
      const waitMs = this.#ctx.env.random() * backOffMs(this.#resets - 2)
      this.#reattach = this.#ctx.after(waitMs, { type: 'guest.reattach', link })
    }
  }

  pass(): void {
    this.#enter('passing')
  }

  live(): void {
    this.#core.attempts = 0
    this.#enter('live')
  }

  backOff(): void {
    const waitMs = this.#ctx.env.random() * backOffMs(this.#core.attempts)
    this.#core.attempts += 1
    this.#ctx.after(waitMs, { type: 'guest.dial' })
    this.#hangUp()
    this.#enter('failover')
  }

  refuse(): void {
    this.#hangUp()
    const { session, error } = this.#core
    if (error?.code === 'READ_ONLY') this.#core.readOnly = true
    if (error !== undefined && WITHDRAWN.has(error.code) && session !== undefined) {
      session.view.purge()
      this.#post({ type: 'guest.sweep' })
    }
    this.#enter('refused')
  }

  close(): void {
    this.#hangUp()
    this.#calls.close(closed())
    this.#ctx.run(
      () => this.#copy.close(closed()),
      (result) => {
        if (result.ok) this.#closeReply?.resolve(undefined)
        else this.#closeReply?.reject(result.error)
        return undefined
      },
    )
    this.#enter('closing')
  }

  receive(message: GuestMessage): GuestEvent | undefined {
    switch (message.type) {
      case 'record.write': {
        const { step, collection, inputs, reply } = message
        this.#write({ step, collection, inputs }).then(() => reply.resolve(undefined), reply.reject)
        return undefined
      }
      case 'record.delete': {
        const { collection, id, reply } = message
        const inputs = [{ id, values: new Map() }]
        this.#write({ step: 'delete', collection, inputs }).then(reply.resolve, reply.reject)
        return undefined
      }
      case 'guest.mark':
        markThrough(this.#calls, message.timeoutMs).then(message.reply.resolve, message.reply.reject)
        return undefined
      case 'guest.close':
        this.#closeReply = message.reply
        return { type: 'guest.closing' }
      case 'guest.opened':
        this.#opened(message.session)
        return undefined
      case 'guest.ended':
        if (message.link !== this.#link) return undefined
        this.#core.error = message.error
        return { type: FINAL.has(message.error.code) ? 'guest.refused' : 'guest.failed' }
      case 'guest.reset':
        return message.link === this.#link ? this.#reset(message.error) : undefined
      case 'guest.reattach':
        if (message.link === this.#link) this.#openStream(message.link)
        return undefined
      case 'guest.sweep':
        this.#sweep()
        return undefined
      case 'guest.copyFailed':
        this.#core.error = message.error
        this.#copy.failed(message.error)
        return { type: 'guest.failed' }
      case 'guest.dial':
        return { type: 'guest.retry' }
      default:
        this.#copy.read(message)
        return undefined
    }
  }

  inspect(): object {
    const { error, at } = this.#core
    const { position, attempts, passes } = this.#core.report()
    const records = this.#core.session?.view.index.records ?? 0
    return { at, position, attempts, passes, records, ...(error === undefined ? {} : { error: error.code }) }
  }

  #open(): void {
    this.#ctx.run(
      () => this.#copy.open(),
      (result) =>
        result.ok
          ? { type: 'guest.opened', session: result.value }
          : { type: 'guest.copyFailed', error: faultOf(result.error) },
    )
  }

  #opened(session: GuestSession): void {
    if (this.#core.state !== 'connecting') return
    this.#copy.opened(session)
    this.#dial()
  }

  #dial(): void {
    const link = new GuestLink(this.#core.options, {
      attached: (attached) => this.#guard(() => this.#attached(link, attached)),
      changes: (message, attached) => this.#guard(() => this.#changes(message, attached)),
      reset: (error) => this.#post({ type: 'guest.reset', link, error }),
      ended: (error) => this.#post({ type: 'guest.ended', link, error }),
    })
    this.#link = link
    this.#resets = 0
    this.#ctx.run(
      (signal) => link.dial(signal),
      (result) => {
        if (!result.ok) return { type: 'guest.ended', link, error: faultOf(result.error) }
        if (link === this.#link) this.#ctx.send({ type: 'guest.linked' })
        return undefined
      },
    )
  }

  #openStream(link: GuestLink): void {
    this.#openedMs = this.#ctx.env.monotonic()
    const { options, session } = this.#core
    link.attach(session?.view.head.cursor, this.#asReader ? 'readOnly' : options.mode)
  }

  /** In a turn of the socket: what is wrong here is not the fault of the host, and a bug crashes this cell alone. */
  #guard(work: () => void): void {
    try {
      work()
    } catch (error) {
      if (!(error instanceof BlazeError)) this.#ctx.crash(error)
      // A copy that failed has told so itself.
      else if (error.code === 'PROTOCOL_VIOLATION') throw error
    }
  }

  #attached(link: GuestLink, attached: Attached): void {
    const core = this.#core
    const { session } = core
    if (session === undefined) return
    core.error = undefined
    core.readOnly = attached.readOnly
    core.served = true
    this.#asReader = false
    core.collections = attached.collections
    const dropped = session.view.begin(attached)
    if (dropped.length > 0) this.#calls.replaced()
    session.changed(dropped)
    this.#caughtUp = false
    this.#live = false
    this.#ctx.send({ type: 'guest.attached' })
    this.#calls.open({
      request: (operation, body) => link.request(operation, body),
      violated: (error) => {
        link.close(error)
        this.#post({ type: 'guest.ended', link, error })
      },
    })
  }

  #changes(message: TakenMessage, attached: Attached): void {
    const { session } = this.#core
    if (session === undefined) return
    const { view } = session
    const wasSweeping = view.sweeping
    session.changed(view.apply(message, attached))
    this.#caughtUp = message.changes.caughtUp
    if (!view.sweeping) this.#look()
    else if (!wasSweeping) this.#sweep()
    this.#calls.moved()
  }

  #sweep(): void {
    const { session } = this.#core
    if (session === undefined || !session.view.sweeping) return
    session.changed(session.view.sweep())
    if (session.view.sweeping) {
      this.#post({ type: 'guest.sweep' })
      return
    }
    if (session.view.head.complete) this.#core.passes += 1
    this.#look()
    this.#calls.moved()
  }

  /** Whether the guest is live now. Not asked while rows are being swept. */
  #look(): void {
    if (this.#caughtUp === this.#live) return
    this.#live = this.#caughtUp
    this.#ctx.send({ type: this.#live ? 'guest.caughtUp' : 'guest.behind' })
  }

  #reset(error: BlazeError): GuestEvent {
    this.#core.error = error
    this.#caughtUp = false
    this.#live = false
    this.#calls.suspend()
    if (error.code === 'READ_ONLY' && this.#core.served && !this.#asReader) {
      // The terms have changed: what may be read goes on.
      this.#asReader = true
      return { type: 'guest.detached' }
    }
    if (FINAL.has(error.code)) return { type: 'guest.refused' }
    if (error.code !== 'CLOSED') return { type: 'guest.failed' }
    const livedMs = this.#ctx.env.monotonic() - this.#openedMs
    this.#resets = livedMs > limits.reattachQuietMs ? 1 : this.#resets + 1
    return { type: 'guest.detached' }
  }

  async #write(write: MirrorWrite): Promise<boolean> {
    if (this.#core.report().readOnly) {
      throw new BlazeError('READ_ONLY', 'the shared database may only be read from here')
    }
    return writeThrough(this.#calls, write, (part, { hidden }) => {
      const { session } = this.#core
      if (session === undefined) return undefined
      const kept = session.view.keep(part, hidden, this.#ctx.env.now())
      session.changed(kept.shown)
      return kept.written
    })
  }

  #hangUp(): void {
    this.#reattach?.cancel()
    this.#link?.close()
    this.#link = undefined
    this.#caughtUp = false
    this.#live = false
    this.#calls.unlinked()
  }

  /** On the system lane, which is never full: what is told here must not be lost. */
  #post(message: GuestMessage): void {
    this.#ctx.run(
      () => Promise.resolve(),
      () => message,
    )
  }

  #enter(state: GuestReport['state']): void {
    this.#core.state = state
    this.#core.moved()
  }

  /** On every kind of death. */
  #dispose(): Promise<void> {
    this.#link?.destroy()
    this.#calls.close(closed())
    return this.#copy.close(closed())
  }
}

function backOffMs(attempts: number): number {
  return Math.min(limits.failoverMaxMs, limits.failoverFirstMs * 2 ** Math.min(attempts, 16))
}

function faultOf(error: unknown): BlazeError {
  return error instanceof BlazeError
    ? error
    : new BlazeError('UNREACHABLE', 'the connection to the host failed', { cause: error })
}
