/**
 * The accepting side of a connection: handshake, then requests and relays of one client. Lives as long as its link.
 * Invariant: it decides nothing; every right is asked of `ConnectionAccess`.
 */
import {
  BlazeError,
  limits,
  machine,
  toHex,
  type Behaviour,
  type CryptoProvider,
  type ErrorCode,
  type MachineContext,
  type Ref,
  type Signer,
} from '../../runtime/index.ts'
import { acceptChannel, type Channel, type HeldBytes, type Link } from '../../transports/index.ts'
import { relay, type RelayMessage } from '../relay/index.ts'
import { formatDeviceId, type Space } from '../team/index.ts'
import { acceptedMachine, type ConnectionEvent } from './machine.ts'
import type { Request } from './request.ts'
import { Session } from './session.ts'

/** Who is at the other end, as the handshake proved it. */
export interface ConnectionClient {
  readonly deviceKey: Uint8Array
  readonly staticKey: Uint8Array
  readonly pattern: 'XK' | 'XXpsk3'
  /** Code or invite id of a pairing; empty under XK. */
  readonly id: Uint8Array
  readonly mayHost: boolean
}

export type Admission =
  | { readonly ok: true; readonly mayHost: boolean; readonly pairing: Uint8Array }
  | { readonly ok: false; readonly code: ErrorCode; readonly message: string }

/** What the owner of the listener decides. */
export interface ConnectionAccess {
  /** The psk of a code or invite, or undefined when there is none of that id. */
  psk(id: Uint8Array): Uint8Array | undefined
  /** May redeem a code durably before it answers. */
  authorize(client: Omit<ConnectionClient, 'mayHost'>): Admission | Promise<Admission>
  /** Answers a request of PROTOCOL §9; a rejection with a `BlazeError` is the answer too. */
  request(client: ConnectionClient, operation: number, body: Uint8Array): Promise<Uint8Array>
  /** `UNKNOWN_SPACE`, `FORBIDDEN`. `release` is called once, when the relay has ended. */
  openSpace(client: ConnectionClient, spaceId: Uint8Array): Promise<{ space: Space; release(): void }>
  /** A part with so many bytes of records has come, deletions not counted. Throws `QUOTA` when the client has sent too much of late. */
  admit?(client: ConnectionClient, bytes: number): void
  /** The connection has ended otherwise than in order. `secured`: its client had been let in. */
  ended?(error: BlazeError, secured: boolean): void
}

export interface AcceptedOptions {
  readonly link: Link
  readonly crypto: CryptoProvider
  readonly identity: {
    readonly staticKey: Uint8Array
    readonly retiredKeys?: readonly Uint8Array[]
    readonly pairingKey: Uint8Array
    readonly device: Signer
  }
  readonly access: ConnectionAccess
  /** What the channels of all connections hold together. */
  readonly held?: HeldBytes
}

export type AcceptedMessage =
  | { type: 'accepted.secured'; channel: Channel; client: ConnectionClient }
  | { type: 'accepted.request'; request: Request }
  | { type: 'accepted.open'; stream: number; spaceId: Uint8Array }
  | { type: 'accepted.opened'; stream: number; space: Space; release: () => void }
  | { type: 'accepted.ended'; stream: number; error: BlazeError; tell: boolean }
  | { type: 'accepted.closed'; error: BlazeError | undefined }
  | { type: 'accepted.answered'; settle: () => void }

/** Spawn it `temporary`. It stops itself when the link is gone. */
export function acceptedConnection(o: AcceptedOptions): Behaviour<AcceptedMessage> {
  let cell: AcceptedCell | undefined
  return machine<AcceptedMessage, ConnectionEvent>({
    kind: 'connection',
    definition: acceptedMachine,
    init: (ctx) => {
      cell = new AcceptedCell(o, ctx)
    },
    actions: { secure: () => cell?.secure() },
    receive: (message) => cell?.receive(message),
    stop: () => cell?.hangUp(),
    inspect: () => cell?.inspect() ?? {},
  })
}

interface OpenRelay {
  readonly ref: Ref<RelayMessage>
  readonly spaceId: Uint8Array
}

class AcceptedCell {
  readonly #o: AcceptedOptions
  readonly #ctx: MachineContext<AcceptedMessage, ConnectionEvent>
  readonly #relays = new Map<number, OpenRelay>()
  /** Of spaces that were opened for this connection and not given back. */
  readonly #releases = new Set<() => void>()
  /** Requests that are being answered. */
  #requests = 0
  #session: Session | undefined
  #client: ConnectionClient | undefined
  #error: BlazeError | undefined

  constructor(o: AcceptedOptions, ctx: MachineContext<AcceptedMessage, ConnectionEvent>) {
    this.#o = o
    this.#ctx = ctx
    ctx.own(() => {
      for (const release of this.#releases) release()
    })
    ctx.own(() => {
      if (this.#session === undefined) o.link.destroy()
      else this.#session.channel.destroy()
    })
  }

  secure(): void {
    const { link, crypto, identity, access, held } = this.#o
    this.#ctx.run(
      () =>
        acceptChannel(link, {
          env: this.#ctx.env,
          crypto,
          staticKey: identity.staticKey,
          ...(identity.retiredKeys === undefined ? {} : { retiredKeys: identity.retiredKeys }),
          pairingStaticKey: identity.pairingKey,
          device: identity.device,
          held,
          psk: (id) => access.psk(id),
          authorize: (client) => access.authorize(client),
        }),
      (result) => {
        if (result.ok) return { type: 'accepted.secured', ...result.value }
        return { type: 'accepted.closed', error: faultOf(result.error) }
      },
    )
  }

  hangUp(): void {
    this.#session?.close()
  }

  receive(message: AcceptedMessage): ConnectionEvent | undefined {
    switch (message.type) {
      case 'accepted.secured':
        if (this.#ctx.state() !== 'handshake') {
          message.channel.destroy()
          return { type: 'connection.closed' }
        }
        this.#secured(message.channel, message.client)
        return { type: 'connection.secured' }
      case 'accepted.request':
        this.#request(message.request)
        return undefined
      case 'accepted.open':
        this.#open(message.stream, message.spaceId)
        return undefined
      case 'accepted.opened':
        return this.#opened(message.stream, message.space, message.release)
      case 'accepted.ended':
        this.#endRelay(message.stream, message.error, message.tell)
        return undefined
      case 'accepted.answered':
        message.settle()
        return undefined
      case 'accepted.closed':
        this.#error = message.error
        if (message.error !== undefined) {
          this.#ctx.emit('connection.lost', { code: message.error.code, reason: message.error.message })
          this.#o.access.ended?.(message.error, this.#session !== undefined)
        }
        return { type: 'connection.closed' }
    }
  }

  inspect(): object {
    const client = this.#client
    return {
      remote: this.#o.link.remote,
      ...(client === undefined
        ? {}
        : { device: formatDeviceId(this.#o.crypto, client.deviceKey), pattern: client.pattern }),
      relays: [...this.#relays.values()].map((open) => toHex(open.spaceId)),
      ...(this.#error === undefined ? {} : { error: this.#error.code }),
    }
  }

  #secured(channel: Channel, client: ConnectionClient): void {
    this.#client = client
    const self = this.#ctx.self
    this.#session = new Session({
      channel,
      env: this.#ctx.env,
      handlers: {
        request: (request) => this.#tell({ type: 'accepted.request', request }),
        open: (stream, spaceId) => this.#tell({ type: 'accepted.open', stream, spaceId: spaceId.slice() }),
        reset: (stream, error) => this.#tell({ type: 'accepted.ended', stream, error, tell: false }),
        closed: (error) => {
          // A full mailbox must not keep a dead connection alive.
          if (self.tell({ type: 'accepted.closed', error }) === 'full') this.#ctx.stopSelf()
        },
      },
    })
  }

  #tell(message: AcceptedMessage): void {
    if (this.#ctx.self.tell(message) === 'full') {
      throw new BlazeError('OVERLOADED', 'the client sends more requests than the connection can queue')
    }
  }

  #request(request: Request): void {
    const client = this.#client
    if (client === undefined) return
    if (this.#requests >= limits.requestsMax) {
      const error = new BlazeError('OVERLOADED', `${limits.requestsMax} requests are being answered already`)
      this.#session?.answerError(request.id, error)
      return
    }
    this.#requests += 1
    this.#ctx.run(
      () => this.#o.access.request(client, request.operation, request.body),
      (result) => ({
        type: 'accepted.answered',
        settle: () => {
          this.#requests -= 1
          if (result.ok) this.#session?.answer(request.id, result.value)
          else this.#session?.answerError(request.id, faultOf(result.error))
        },
      }),
    )
  }

  #open(stream: number, spaceId: Uint8Array): void {
    const client = this.#client
    if (client === undefined) return
    this.#ctx.run(
      async (signal) => {
        const opened = await this.#o.access.openSpace(client, spaceId)
        const release = (): void => {
          if (this.#releases.delete(release)) opened.release()
        }
        this.#releases.add(release)
        // The cell died meanwhile and its result is dropped. Were it to die right after this, `own` releases.
        if (signal.aborted) release()
        return { space: opened.space, release }
      },
      (result) => {
        if (result.ok) return { type: 'accepted.opened', stream, ...result.value }
        return { type: 'accepted.ended', stream, error: faultOf(result.error), tell: true }
      },
    )
  }

  #opened(stream: number, space: Space, release: () => void): ConnectionEvent | undefined {
    const session = this.#session
    const client = this.#client
    // The client may have taken the stream back while its space was being opened.
    if (session === undefined || client === undefined || !session.has(stream)) {
      release()
      return undefined
    }
    const ref = this.#ctx.spawn({
      name: `relay-${stream}`,
      restart: 'temporary',
      behaviour: relay({
        space,
        peer: client.deviceKey,
        stream: session.stream(stream),
        crypto: this.#o.crypto,
        ...this.#admission(client),
        // Whatever ended it, the client was told in `spoiled`, takes the stream back and opens another.
        ended: () => {},
        violated: (error) => session.close(error),
      }),
    })
    this.#relays.set(stream, { ref, spaceId: space.spaceId })
    this.#ctx.watch(ref, (reason) => {
      release()
      const what = reason.kind === 'stopped' ? 'has ended' : 'failed'
      const error = new BlazeError('CLOSED', `the relay ${what} on this side`)
      return { type: 'accepted.ended', stream, error, tell: true }
    })
    session.route(stream, ref)
    return { type: 'connection.opened' }
  }

  #admission(client: ConnectionClient): { admit?: (bytes: number) => void } {
    const { access } = this.#o
    return access.admit === undefined ? {} : { admit: (bytes) => access.admit?.(client, bytes) }
  }

  #endRelay(stream: number, error: BlazeError, tell: boolean): void {
    if (tell) this.#session?.reset(stream, error)
    else this.#session?.forget(stream)
    const open = this.#relays.get(stream)
    if (open === undefined) return
    this.#relays.delete(stream)
    void open.ref.stop()
  }
}

/** Anything but an operating fault is a bug of ours; the peer is told no more than that. */
function faultOf(error: unknown): BlazeError {
  return error instanceof BlazeError
    ? error
    : new BlazeError('REFUSED', 'the request failed on this side', { cause: error })
}
