/**
 * The dialling side of a connection: keeps one space of this device synced with one supervisor, whatever happens to the link.
 * Invariant: it is always in a state that says what it waits for; only what retrying cannot heal ends in `refused`.
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
import {
  dialChannel,
  formatEndpoint,
  type Channel,
  type Endpoint,
  type Link,
  type Transport,
} from '../../transports/index.ts'
import { relay, type RelayMessage, type RelayReport } from '../relay/index.ts'
import type { Space } from '../team/index.ts'
import { dialedMachine, type ConnectionEvent } from './machine.ts'
import { DATABASE_REGISTER, encodeDatabaseRegistration } from './request.ts'
import { Session } from './session.ts'

export interface DialedOptions {
  readonly transport: Transport
  /** In order of preference; at least one. */
  readonly endpoints: readonly Endpoint[]
  /** The supervisor's pinned P-256 static key, 65 bytes. */
  readonly serverKey: Uint8Array
  /** This device's P-256 scalar and Ed25519 key. */
  readonly staticKey: Uint8Array
  readonly device: Signer
  readonly crypto: CryptoProvider
  readonly space: Space
  readonly ownReplica: Uint8Array
  /** Name to register the space under, until the supervisor confirmed it once. Absent for a device that joined. */
  readonly register?: string
  /** Called in a turn of the cell, after every change. */
  report(report: ConnectionReport): void
}

/** Where a connection stands. Plain data. */
export interface ConnectionReport {
  readonly state: string
  readonly endpoint: string
  /** Failed attempts since the last success. */
  readonly attempts: number
  /** Why the last attempt or stream failed. */
  readonly error: BlazeError | undefined
  readonly registered: boolean
  readonly relay: RelayReport | undefined
  readonly roundTripMs: number | undefined
}

/** A caller that waits for a mark. `givenUp` ones are forgotten. */
export interface MarkWaiting {
  settle(error?: BlazeError): void
  readonly givenUp: boolean
}

export type DialedMessage =
  | { type: 'dialed.linked'; link: Link }
  | { type: 'dialed.secured'; channel: Channel; deviceKey: Uint8Array }
  | { type: 'dialed.registered' }
  | { type: 'dialed.failed'; error: BlazeError }
  | { type: 'dialed.relay'; report: RelayReport }
  | { type: 'dialed.relayEnded'; stream: number; error: BlazeError }
  | { type: 'dialed.reopen' }
  | { type: 'dialed.retry' }
  | { type: 'dialed.drain' }
  | { type: 'dialed.mark'; waiting: MarkWaiting }
  | {
      type: 'dialed.request'
      operation: number
      body: Uint8Array
      timeoutMs: number
      settle: (result: { body: Uint8Array } | { error: BlazeError }) => void
    }

/** Codes that no retry heals; the connection waits in `refused` for a person. */
const FINAL: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'SERVER_KEY_MISMATCH',
  'FORBIDDEN',
  'DATABASE_EXISTS',
  'CODE_INVALID',
  'CODE_USED',
  'CODE_EXPIRED',
  'NOT_SUPPORTED',
  'BAD_KEY',
])

export function dialedConnection(o: DialedOptions): Behaviour<DialedMessage> {
  let cell: DialedCell | undefined
  return machine<DialedMessage, ConnectionEvent>({
    kind: 'connection',
    definition: dialedMachine,
    init: (ctx) => {
      cell = new DialedCell(o, ctx)
    },
    actions: {
      dial: () => cell?.dial(),
      secure: () => cell?.secure(),
      register: () => cell?.register(),
      openRelay: () => cell?.openRelay(),
      backOff: () => cell?.backOff(),
      refuse: () => cell?.hangUp('refused'),
      drain: () => cell?.hangUp('draining'),
    },
    receive: (message) => cell?.receive(message),
    stop: () => cell?.hangUp('draining'),
    inspect: () => cell?.inspect() ?? {},
  })
}

class DialedCell {
  readonly #o: DialedOptions
  readonly #ctx: MachineContext<DialedMessage, ConnectionEvent>
  /** As the machine; inside its actions the machine still names the state that is being left. */
  #state = 'connecting'
  #endpointAt = 0
  #attempts = 0
  #link: Link | undefined
  #channel: Channel | undefined
  #session: Session | undefined
  #peer: Uint8Array | undefined
  #relay: { ref: Ref<RelayMessage>; stream: number } | undefined
  #relayReport: RelayReport | undefined
  #relayAttempts = 0
  #registered: boolean
  /** Marks that the supervisor has not answered; a new stream asks again. */
  readonly #marks = new Map<number, MarkWaiting>()
  #lastMark = 0
  #markedStream = 0
  #error: BlazeError | undefined

  constructor(o: DialedOptions, ctx: MachineContext<DialedMessage, ConnectionEvent>) {
    this.#o = o
    this.#ctx = ctx
    this.#registered = o.register === undefined
    ctx.own(() => {
      if (this.#channel !== undefined) this.#channel.destroy()
      else this.#link?.destroy()
    })
  }

  dial(): void {
    this.#state = 'connecting'
    const endpoint = this.#endpoint()
    this.#ctx.run(
      async (signal) => {
        const link = await this.#o.transport.dial(endpoint, { signal, timeoutMs: limits.dialTimeoutMs })
        if (signal.aborted) link.destroy()
        return link
      },
      (result) => (result.ok ? { type: 'dialed.linked', link: result.value } : failure(result.error)),
    )
    this.#report()
  }

  secure(): void {
    this.#state = 'handshake'
    const link = this.#link
    if (link === undefined) return
    const { serverKey, staticKey, device, crypto } = this.#o
    this.#ctx.run(
      () => dialChannel(link, { env: this.#ctx.env, crypto, pattern: 'XK', serverKey, staticKey, device }),
      (result) => {
        if (!result.ok) return failure(result.error)
        return {
          type: 'dialed.secured',
          channel: result.value.channel,
          deviceKey: result.value.server.deviceKey,
        }
      },
    )
    this.#report()
  }

  register(): void {
    this.#state = 'authenticated'
    const { register, space } = this.#o
    const session = this.#session
    if (session === undefined) return
    if (this.#registered || register === undefined) {
      this.#ctx.send({ type: 'connection.registered' })
      return
    }
    const body = encodeDatabaseRegistration({ name: register, spaceId: space.spaceId })
    this.#ctx.run(
      () => session.request(DATABASE_REGISTER, body, limits.requestTimeoutMs),
      (result) => (result.ok ? { type: 'dialed.registered' } : failure(result.error)),
    )
  }

  openRelay(): void {
    this.#state = 'syncing'
    const session = this.#session
    const peer = this.#peer
    if (session === undefined || peer === undefined) return
    const { space, crypto, ownReplica } = this.#o
    const stream = session.openStream(space.spaceId)
    const self = this.#ctx.self
    const ref = this.#ctx.spawn({
      name: `relay-${stream}`,
      restart: 'temporary',
      behaviour: relay({
        space,
        peer,
        ownReplica,
        crypto,
        stream: session.stream(stream),
        report: (report) => this.#relayMoved(stream, report),
        ended: (error) => void self.tell({ type: 'dialed.relayEnded', stream, error }),
        violated: (error) => session.close(error),
      }),
    })
    this.#relay = { ref, stream }
    this.#ctx.watch(ref, (reason) => {
      const error = new BlazeError('CLOSED', 'the relay has ended', { cause: reason.error })
      return { type: 'dialed.relayEnded', stream, error }
    })
    session.route(stream, ref)
    this.#report()
  }

  hangUp(state: string): void {
    this.#state = state
    const channel = this.#channel
    const link = this.#link
    const relayRef = this.#relay?.ref
    this.#session = undefined
    this.#channel = undefined
    this.#link = undefined
    this.#peer = undefined
    this.#relay = undefined
    this.#relayReport = undefined
    this.#markedStream = 0
    if (relayRef !== undefined) void relayRef.stop()
    if (channel !== undefined) channel.close()
    else link?.destroy()
    this.#report()
  }

  backOff(): void {
    this.hangUp('failover')
    const ceilingMs = Math.min(
      limits.failoverMaxMs,
      limits.failoverFirstMs * 2 ** Math.min(this.#attempts, 16),
    )
    this.#attempts += 1
    this.#endpointAt += 1
    this.#ctx.after(this.#ctx.env.random() * ceilingMs, { type: 'dialed.retry' })
    this.#report()
  }

  receive(message: DialedMessage): ConnectionEvent | undefined {
    switch (message.type) {
      case 'dialed.linked':
        if (this.#ctx.state() !== 'connecting') {
          message.link.destroy()
          return undefined
        }
        this.#link = message.link
        return { type: 'connection.dialed' }
      case 'dialed.secured':
        if (this.#ctx.state() !== 'handshake') {
          message.channel.destroy()
          return undefined
        }
        this.#secured(message.channel, message.deviceKey)
        return { type: 'connection.secured' }
      case 'dialed.registered':
        this.#registered = true
        return { type: 'connection.registered' }
      case 'dialed.failed':
        this.#error = message.error
        return { type: FINAL.has(message.error.code) ? 'connection.refused' : 'connection.failed' }
      case 'dialed.relay':
        return undefined
      case 'dialed.relayEnded':
        return this.#relayEnded(message.stream, message.error)
      case 'dialed.reopen':
        if (this.#ctx.state() === 'syncing' && this.#relay === undefined) this.openRelay()
        return undefined
      case 'dialed.retry':
        return { type: 'connection.retry' }
      case 'dialed.drain':
        return { type: 'connection.drain' }
      case 'dialed.mark': {
        for (const [id, waiting] of this.#marks) if (waiting.givenUp) this.#marks.delete(id)
        if (this.#marks.size >= limits.relayMarksMax) {
          message.waiting.settle(
            new BlazeError('OVERLOADED', `${limits.relayMarksMax} calls of caughtUp() wait already`),
          )
          return undefined
        }
        const id = ++this.#lastMark
        this.#marks.set(id, message.waiting)
        if (this.#relayReport?.ready === true) this.#relay?.ref.tell({ type: 'relay.mark', id })
        return undefined
      }
      case 'dialed.request': {
        const session = this.#session
        const { operation, body, timeoutMs, settle } = message
        if (session === undefined) {
          settle({ error: new BlazeError('OFFLINE', 'there is no connection to the supervisor now') })
          return undefined
        }
        session.request(operation, body, timeoutMs).then(
          (answer) => settle({ body: answer }),
          (error: unknown) => settle({ error: faultOf(error) }),
        )
        return undefined
      }
    }
  }

  inspect(): object {
    return {
      endpoint: formatEndpoint(this.#endpoint()),
      attempts: this.#attempts,
      space: toHex(this.#o.space.spaceId),
      ...(this.#error === undefined ? {} : { error: this.#error.code, reason: this.#error.message }),
    }
  }

  #secured(channel: Channel, deviceKey: Uint8Array): void {
    this.#channel = channel
    this.#peer = deviceKey
    const self = this.#ctx.self
    const session = new Session({
      channel,
      env: this.#ctx.env,
      handlers: {
        request: (request) =>
          session.answerError(request.id, new BlazeError('NOT_SUPPORTED', 'a device answers no requests')),
        open: (stream) =>
          session.reset(stream, new BlazeError('NOT_SUPPORTED', 'a device opens no spaces for others')),
        reset: (stream, error) => void self.tell({ type: 'dialed.relayEnded', stream, error }),
        closed: (error) => {
          // An older session may report its end after a newer one began.
          if (this.#session !== session) return
          self.tell({
            type: 'dialed.failed',
            error: error ?? new BlazeError('LINK_CLOSED', 'the supervisor ended the connection'),
          })
        },
      },
    })
    this.#session = session
    this.#report()
  }

  #relayMoved(stream: number, report: RelayReport): void {
    if (this.#relay !== undefined && this.#relay.stream !== stream) return
    this.#relayReport = report
    this.#settleMarks(stream, report)
    if (report.caughtUp) {
      this.#attempts = 0
      this.#relayAttempts = 0
      this.#error = undefined
    }
    this.#report()
  }

  #settleMarks(stream: number, report: RelayReport): void {
    for (const [id, waiting] of this.#marks) {
      if (id > report.marked) break
      this.#marks.delete(id)
      waiting.settle()
    }
    if (!report.ready || this.#markedStream === stream) return
    this.#markedStream = stream
    // Ids rise, so the answer to the last one answers all.
    if (this.#marks.size > 0) this.#relay?.ref.tell({ type: 'relay.mark', id: this.#lastMark })
  }

  /** A refused round leaves the connection up; a fresh stream negotiates again after a while. */
  #relayEnded(stream: number, error: BlazeError): undefined {
    if (this.#relay?.stream !== stream) return
    const { ref } = this.#relay
    this.#relay = undefined
    this.#error = error
    this.#session?.reset(stream, error)
    // A fork is not healed by asking again: the relay stays, to show its state.
    if (error.code !== 'FORKED') {
      void ref.stop()
      const ceilingMs = Math.min(
        limits.relayRetryMaxMs,
        limits.relayRetryFirstMs * 2 ** Math.min(this.#relayAttempts, 16),
      )
      this.#relayAttempts += 1
      this.#ctx.after(ceilingMs * (0.5 + this.#ctx.env.random() / 2), { type: 'dialed.reopen' })
    }
    this.#report()
  }

  #endpoint(): Endpoint {
    const endpoint = this.#o.endpoints[this.#endpointAt % this.#o.endpoints.length]
    if (endpoint === undefined) throw new TypeError('endpoints: expected at least one')
    return endpoint
  }

  #report(): void {
    this.#o.report({
      state: this.#state,
      endpoint: formatEndpoint(this.#endpoint()),
      attempts: this.#attempts,
      error: this.#error,
      registered: this.#registered,
      relay: this.#relayReport,
      roundTripMs: this.#channel?.roundTripMs,
    })
  }
}

function failure(error: unknown): DialedMessage {
  return { type: 'dialed.failed', error: faultOf(error) }
}

function faultOf(error: unknown): BlazeError {
  return error instanceof BlazeError
    ? error
    : new BlazeError('UNREACHABLE', 'the connection failed', { cause: error })
}
