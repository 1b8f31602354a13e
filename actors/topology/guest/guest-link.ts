/**
 * One link of a guest to its host, from the dial to its end: proves both sides, attaches, and checks what the host says.
 * Invariant: nothing of a message is handed on before all of it made sense at that point; a host that breaks the protocol is told
 * so and left.
 */
import { BlazeError, equalBytes, limits } from '../../../runtime/index.ts'
import type { Timer } from '../../../runtime/index.ts'
import { dialChannel } from '../../../transports/index.ts'
import type { Channel, Link } from '../../../transports/index.ts'
import { Session } from '../../connection/index.ts'
import type { StreamMessage } from '../../connection/index.ts'
import { encodeAttach, mirrorFrame, parseAttached, parseChanges } from '../mirror/index.ts'
import type { Attached, Changes, MirrorCursor } from '../mirror/index.ts'
import type { GuestOptions } from './guest-message.ts'
import type { TakenMessage } from './mirror-view.ts'

/** Called in the turn of the socket; a `BlazeError` that they throw ends the link. */
export interface GuestLinkHandlers {
  attached(attached: Attached): void
  changes(message: TakenMessage, attached: Attached): void
  /** The host took the stream back; the link goes on. */
  reset(error: BlazeError): void
  /** Once, unless it was closed from here. */
  ended(error: BlazeError): void
}

/** Of the streams of a mirror. */
const NO_SPACE = new Uint8Array(16)

interface Attachment {
  readonly stream: number
  readonly cursor: MirrorCursor | undefined
  readonly timer: Timer
  attached: Attached | undefined
  /** Of `attached`. */
  collections: ReadonlySet<string>
  /** Arrival that the host has told last. */
  upTo: number
}

export class GuestLink {
  readonly #o: GuestOptions
  readonly #handlers: GuestLinkHandlers
  #link: Link | undefined
  #channel: Channel | undefined
  #session: Session | undefined
  #attachment: Attachment | undefined
  /** Ended, or closed from here. */
  #over = false

  constructor(options: GuestOptions, handlers: GuestLinkHandlers) {
    this.#o = options
    this.#handlers = handlers
  }

  /** Rejects as the transport does. */
  async dial(signal: AbortSignal): Promise<void> {
    const { world, group, database } = this.#o
    const link = await world.local.dial(group.endpoint(database), { signal, timeoutMs: limits.dialTimeoutMs })
    if (this.#over) link.destroy()
    this.#link = link
  }

  /** Rejects with `GROUP_KEY_INVALID` when the two do not have one group in common, `FORBIDDEN`, and what the channel says. */
  async secure(): Promise<void> {
    const { world, group, app } = this.#o
    const { env, crypto } = world
    const link = this.#link
    if (this.#over || link === undefined) throw new BlazeError('LINK_CLOSED', 'the link has ended')
    const { channel, server } = await dialChannel(link, {
      env,
      crypto,
      pattern: 'XXpsk3',
      id: group.id,
      psk: group.psk,
      staticKey: app.staticKey,
      device: app.device,
    }).catch((error: unknown) => {
      throw error instanceof BlazeError && error.code === 'CODE_INVALID' ? strangers(error) : error
    })
    this.#channel = channel
    if (this.#over) channel.destroy()
    // Who has the group's key is one of us; which app it is, only its own key proves.
    if ((await group.appOf(server.deviceKey)) === undefined) {
      channel.close('GROUP_KEY_INVALID', 'the key of the host is not registered in the app group')
      throw strangers()
    }
    if (this.#over) throw new BlazeError('LINK_CLOSED', 'the link has ended')
    this.#session = this.#begin(channel)
  }

  /** Opens a stream and asks for what comes after the cursor. */
  attach(cursor: MirrorCursor | undefined, mode: GuestOptions['mode']): void {
    const session = this.#session
    if (this.#over || session === undefined) return
    const { world, database, pid } = this.#o
    const stream = session.openStream(NO_SPACE)
    const timer = world.env.after(limits.requestTimeoutMs, () => {
      session.close(new BlazeError('TIMEOUT', `the host did not answer within ${limits.requestTimeoutMs} ms`))
    })
    this.#attachment = {
      stream,
      cursor,
      timer,
      attached: undefined,
      collections: new Set(),
      upTo: 0,
    }
    session.route(stream, {
      tell: (message) => {
        this.#receive(message)
        return 'ok'
      },
    })
    session.stream(stream).send(mirrorFrame.attach, encodeAttach({ mode, pid, database, cursor }))
  }

  /** Rejects with the code of the host's answer, `TIMEOUT`, or `LINK_CLOSED` when the link ended before it came. */
  async request(operation: number, body: Uint8Array): Promise<Uint8Array> {
    const session = this.#session
    if (this.#over || session === undefined) throw lost()
    try {
      return await session.request(operation, body, limits.requestTimeoutMs)
    } catch (error) {
      // Whatever ended the link, it is no answer.
      if (this.#over) throw lost(error)
      throw error
    }
  }

  /** Tells the host, when it made no sense, and ends the link. */
  close(error?: BlazeError): void {
    if (this.#over) return
    this.#finish()
    if (this.#channel !== undefined) this.#channel.close(error?.code, error?.message)
    else this.#link?.destroy()
  }

  /** Ends without a word. */
  destroy(): void {
    this.#finish()
    if (this.#channel !== undefined) this.#channel.destroy()
    else this.#link?.destroy()
  }

  #begin(channel: Channel): Session {
    const session: Session = new Session({
      channel,
      env: this.#o.world.env,
      handlers: {
        request: () => {
          throw violation('a host asks nothing')
        },
        open: () => {
          throw violation('a host opens no streams')
        },
        reset: (stream, error) => {
          if (this.#over || stream !== this.#attachment?.stream) return
          this.#detach()
          this.#handlers.reset(error)
        },
        closed: (error) => {
          if (this.#over) return
          this.#finish()
          this.#handlers.ended(error ?? new BlazeError('LINK_CLOSED', 'the host ended the connection'))
        },
      },
    })
    return session
  }

  #receive(message: StreamMessage): void {
    const attachment = this.#attachment
    const session = this.#session
    if (this.#over || attachment === undefined || session === undefined) return
    if (message.type === 'relay.writable') return
    const { frame, body } = message
    const stream = session.stream(attachment.stream)
    const { attached } = attachment
    if (attached === undefined && frame === mirrorFrame.attached) {
      this.#attached(attachment, parseAttached(body))
      stream.consumed(body.length)
    } else if (attached !== undefined && frame === mirrorFrame.changes) {
      const changes = parseChanges(body)
      checkChanges(changes, attachment)
      attachment.upTo = changes.upTo
      const done = (): void => stream.consumed(body.length)
      this.#handlers.changes({ changes, bytes: body.length, done }, attached)
    } else {
      throw violation(`a frame of type ${frame} ${attached === undefined ? 'before' : 'after'} the attach`)
    }
  }

  #attached(attachment: Attachment, attached: Attached): void {
    const { cursor } = attachment
    if (!attached.full) {
      if (cursor === undefined) throw violation('no full pass for a guest without a cursor')
      if (!equalBytes(cursor.space, attached.space) || !equalBytes(cursor.policy, attached.policy)) {
        throw violation('no full pass under another policy, or of another space')
      }
    }
    attachment.timer.cancel()
    attachment.attached = attached
    attachment.collections = new Set(attached.collections)
    attachment.upTo = attached.full ? 0 : (cursor?.arrival ?? 0)
    this.#handlers.attached(attached)
  }

  #detach(): void {
    this.#attachment?.timer.cancel()
    this.#attachment = undefined
  }

  #finish(): void {
    this.#over = true
    this.#detach()
  }
}

function checkChanges(changes: Changes, { collections, upTo }: Attachment): void {
  if (changes.upTo < upTo) throw violation('changes that reach less than those before')
  for (const item of changes.items) {
    if (item.kind === 'record' && !collections.has(item.state.collection)) {
      throw violation('a record of a collection that is not exported')
    }
  }
}

function violation(problem: string): BlazeError {
  return new BlazeError('PROTOCOL_VIOLATION', `mirror: ${problem}`)
}

function strangers(cause?: unknown): BlazeError {
  return new BlazeError('GROUP_KEY_INVALID', 'the host is not of this app group', { cause })
}

function lost(cause?: unknown): BlazeError {
  return new BlazeError(
    'LINK_CLOSED',
    'the link to the host ended before its answer came; a write may have happened',
    { cause },
  )
}
