/**
 * What the dialling side does in each state of its machine.
 * Invariant: results of an attempt or relay that is over change nothing; nothing that matters waits in a mailbox that can be full.
 */
import { BlazeError, limits, toHex, type MachineContext, type Ref, type Timer } from '../../runtime/index.ts'
import { formatEndpoint, type Channel, type Endpoint, type Link } from '../../transports/index.ts'
import { relay, type RelayMessage, type RelayReport } from '../relay/index.ts'
import type { DialedMessage, DialedOptions } from './dialed-message.ts'
import { settleRequest } from './dialed-request.ts'
import { ceilingOf, failure, faultOf, isFinal } from './fault.ts'
import type { ConnectionEvent } from './machine.ts'
import { DATABASE_REGISTER, encodeDatabaseRegistration } from './request.ts'
import { secureEndpoint, secureLink, type Secured } from './secure-link.ts'
import { Session } from './session.ts'

interface OpenRelay {
  /** Of this life; streams begin again with every session. */
  readonly number: number
  readonly stream: number
  readonly ref: Ref<RelayMessage>
  /** The mark that it was asked, until it is answered. */
  asked: number
}

export class DialedCell {
  readonly #o: DialedOptions
  readonly #ctx: MachineContext<DialedMessage, ConnectionEvent>
  /** As the machine; inside its actions the machine still names the state that is being left. */
  #state = 'connecting'
  #attempt = 0
  #endpointAt = 0
  #attempts = 0
  #link: Link | undefined
  #channel: Channel | undefined
  #session: Session | undefined
  #peer: Uint8Array | undefined
  #relay: OpenRelay | undefined
  #relayReport: RelayReport | undefined
  /** What the relay told last, until this cell has its turn. */
  #told: RelayReport | undefined
  #relays = 0
  #relayAttempts = 0
  #reopen: Timer | undefined
  #registered: boolean
  #serverKey: Uint8Array
  #renewal: Timer | undefined
  /** The channel that is to take the place of the one in use. */
  #next: Channel | undefined
  #error: BlazeError | undefined

  constructor(o: DialedOptions, ctx: MachineContext<DialedMessage, ConnectionEvent>) {
    this.#o = o
    this.#ctx = ctx
    this.#registered = o.register === undefined
    this.#serverKey = o.serverKey
    ctx.own(() => {
      this.#next?.destroy()
      if (this.#channel !== undefined) this.#channel.destroy()
      else this.#link?.destroy()
    })
  }

  dial(): void {
    this.#state = 'connecting'
    this.#attempt += 1
    const attempt = this.#attempt
    const endpoint = this.#endpoint()
    this.#ctx.run(
      async (signal) => {
        const link = await this.#o.transport.dial(endpoint, { signal, timeoutMs: limits.dialTimeoutMs })
        // Kept at once: were the cell to die before the result is handled, nobody else would close it.
        if (signal.aborted || attempt !== this.#attempt) link.destroy()
        else this.#link = link
        return link
      },
      (result) =>
        result.ok
          ? { type: 'dialed.linked', attempt, link: result.value }
          : failure(attempt, faultOf(result.error)),
    )
    this.#report()
  }

  secure(): void {
    this.#state = 'handshake'
    const link = this.#link
    const attempt = this.#attempt
    if (link === undefined) return
    this.#ctx.run(
      () => secureLink(this.#o, this.#ctx.env, link, this.#serverKey),
      (result) =>
        result.ok
          ? { type: 'dialed.secured', attempt, secured: result.value }
          : failure(attempt, faultOf(result.error)),
    )
    this.#report()
  }

  register(): void {
    this.#state = 'authenticated'
    const { register, space } = this.#o
    const session = this.#session
    const attempt = this.#attempt
    if (session === undefined) return
    if (this.#registered || register === undefined) {
      this.#ctx.send({ type: 'connection.registered' })
      return
    }
    const body = encodeDatabaseRegistration({ name: register, spaceId: space.spaceId })
    this.#ctx.run(
      () => session.request(DATABASE_REGISTER, body, limits.requestTimeoutMs),
      (result) =>
        result.ok ? { type: 'dialed.registered', attempt } : failure(attempt, faultOf(result.error)),
    )
  }

  openRelay(): void {
    this.#state = 'syncing'
    const session = this.#session
    const peer = this.#peer
    if (session === undefined || peer === undefined) return
    const { space, crypto, ownReplica } = this.#o
    const stream = session.openStream(space.spaceId)
    this.#relays += 1
    const number = this.#relays
    this.#relayReport = undefined
    this.#told = undefined
    const ref = this.#ctx.spawn({
      name: `relay-${number}`,
      restart: 'temporary',
      behaviour: relay({
        space,
        peer,
        ownReplica,
        crypto,
        stream: session.stream(stream),
        report: (report) => this.#relayTold(number, report),
        ended: (error) => this.#post({ type: 'dialed.relayEnded', relay: number, error }),
        violated: (error) => session.close(error),
      }),
    })
    this.#relay = { number, stream, ref, asked: 0 }
    this.#ctx.watch(ref, (reason) => {
      const error = new BlazeError('CLOSED', 'the relay has ended', { cause: reason.error })
      return { type: 'dialed.relayEnded', relay: number, error }
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
    this.#told = undefined
    this.#reopen?.cancel()
    this.#reopen = undefined
    this.#renewal?.cancel()
    if (relayRef !== undefined) void relayRef.stop()
    if (channel !== undefined) channel.close()
    else link?.destroy()
    this.#report()
  }

  backOff(): void {
    const ceilingMs = ceilingOf(limits.failoverFirstMs, limits.failoverMaxMs, this.#attempts)
    this.#attempts += 1
    this.#endpointAt += 1
    this.#ctx.after(this.#ctx.env.random() * ceilingMs, { type: 'dialed.retry' })
    this.hangUp('failover')
  }

  receive(message: DialedMessage): ConnectionEvent | undefined {
    switch (message.type) {
      case 'dialed.linked':
        if (this.#isLate(message.attempt, 'connecting')) {
          message.link.destroy()
          return undefined
        }
        return { type: 'connection.dialed' }
      case 'dialed.secured':
        if (this.#isLate(message.attempt, 'handshake')) {
          message.secured.channel.destroy()
          return undefined
        }
        this.#secured(message.secured)
        return { type: 'connection.secured' }
      case 'dialed.renew':
        this.#renew()
        return undefined
      case 'dialed.renewed':
        this.#renewed(message.attempt, message.secured)
        return undefined
      case 'dialed.renewFailed':
        if (this.#isLate(message.attempt, 'syncing')) return undefined
        this.#planRenewal(limits.channelRenewRetryMs)
        if (!isFinal(message.error)) return undefined
        this.#error = message.error
        return { type: 'connection.refused' }
      case 'dialed.registered':
        this.#registered = true
        return this.#isLate(message.attempt, 'authenticated') ? undefined : { type: 'connection.registered' }
      case 'dialed.failed':
        // The end of a link may be told by more than one of those who used it.
        if (message.attempt !== this.#attempt) return undefined
        this.#error = message.error
        return { type: isFinal(message.error) ? 'connection.refused' : 'connection.failed' }
      case 'dialed.relay':
        this.#relayMoved()
        return undefined
      case 'dialed.relayEnded':
        this.#relayEnded(message.relay, message.error)
        return undefined
      case 'dialed.reopen':
        // Hanging up cancels the timer: there is a session, and no relay.
        this.openRelay()
        return undefined
      case 'dialed.retry':
        return { type: 'connection.retry' }
      case 'dialed.drain':
        return { type: 'connection.drain' }
      case 'dialed.mark':
        this.#ask()
        return undefined
      case 'dialed.request':
        settleRequest(this.#session, message)
        return undefined
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

  #isLate(attempt: number, state: string): boolean {
    return attempt !== this.#attempt || this.#ctx.state() !== state
  }

  /** On the system lane, which is never full: what is told here must not be lost. */
  #post(message: DialedMessage): void {
    this.#ctx.run(
      () => Promise.resolve(),
      () => message,
    )
  }

  /** A channel lasts an hour; before that a new one is made beside it, by a fresh handshake over a fresh link. */
  #planRenewal(waitMs: number): void {
    this.#renewal?.cancel()
    this.#renewal = this.#ctx.after(waitMs, { type: 'dialed.renew' })
  }

  #renew(): void {
    const attempt = this.#attempt
    if (this.#session?.waiting !== 0 || this.#state !== 'syncing') {
      this.#planRenewal(limits.channelRenewRetryMs)
      return
    }
    this.#ctx.run(
      async (signal) => {
        const secured = await secureEndpoint(
          this.#o,
          this.#ctx.env,
          this.#endpoint(),
          this.#serverKey,
          signal,
        )
        if (signal.aborted) secured.channel.destroy()
        else this.#next = secured.channel
        return secured
      },
      (result) =>
        result.ok
          ? { type: 'dialed.renewed', attempt, secured: result.value }
          : { type: 'dialed.renewFailed', attempt, error: faultOf(result.error) },
    )
  }

  /** The relay begins anew on the new channel, from what both sides hold; what the old one had under way is asked for again. */
  #renewed(attempt: number, secured: Secured): void {
    this.#next = undefined
    const session = this.#session
    const late = this.#isLate(attempt, 'syncing') || session === undefined
    if (late || session.waiting > 0) {
      secured.channel.close()
      if (!late) this.#planRenewal(limits.channelRenewRetryMs)
      return
    }
    this.hangUp('syncing')
    this.#attempt += 1
    this.#secured(secured)
    this.openRelay()
  }

  #secured({ channel, deviceKey, serverKey }: Secured): void {
    this.#channel = channel
    this.#peer = deviceKey
    this.#serverKey = serverKey
    this.#error = undefined
    this.#planRenewal(limits.channelRenewMs * (1 - this.#ctx.env.random() / 10))
    const attempt = this.#attempt
    const session = new Session({
      channel,
      env: this.#ctx.env,
      handlers: {
        request: (request) =>
          session.answerError(request.id, new BlazeError('NOT_SUPPORTED', 'a device answers no requests')),
        open: (stream) =>
          session.reset(stream, new BlazeError('NOT_SUPPORTED', 'a device opens no spaces for others')),
        reset: (stream, error) => {
          const open = this.#session === session ? this.#relay : undefined
          if (open?.stream === stream) this.#post({ type: 'dialed.relayEnded', relay: open.number, error })
        },
        closed: (error) => {
          if (this.#session !== session) return
          const ended = new BlazeError('LINK_CLOSED', 'the supervisor ended the connection')
          this.#post(failure(attempt, error ?? ended))
        },
      },
    })
    this.#session = session
    this.#report()
  }

  /** In a turn of the relay: many reports may become one. */
  #relayTold(number: number, report: RelayReport): void {
    if (this.#relay?.number !== number) return
    if (this.#told === undefined) this.#post({ type: 'dialed.relay' })
    this.#told = report
  }

  #relayMoved(): void {
    const open = this.#relay
    const report = this.#told
    this.#told = undefined
    if (open === undefined || report === undefined) return
    this.#relayReport = report
    if (report.marked >= open.asked) open.asked = 0
    if (report.caughtUp) {
      this.#attempts = 0
      this.#relayAttempts = 0
      this.#error = undefined
    }
    this.#report()
    this.#o.marks.settle(report.marked)
    this.#ask()
  }

  /** One question at a time, so that however many callers give up, the peer has one to answer. Looked at after every report. */
  #ask(): void {
    const open = this.#relay
    const id = this.#o.marks.due
    if (open === undefined || open.asked > 0 || id === 0 || this.#relayReport?.ready !== true) return
    if (open.ref.tell({ type: 'relay.mark', id }) === 'ok') open.asked = id
  }

  /** A refused round leaves the connection up; a fresh stream negotiates again after a while. */
  #relayEnded(number: number, error: BlazeError): void {
    const open = this.#relay
    if (open === undefined || open.number !== number) return
    this.#error = error
    this.#session?.reset(open.stream, error)
    this.#relay = undefined
    void open.ref.stop()
    const ceilingMs = ceilingOf(limits.relayRetryFirstMs, limits.relayRetryMaxMs, this.#relayAttempts)
    this.#relayAttempts += 1
    this.#reopen = this.#ctx.after(ceilingMs * (0.5 + this.#ctx.env.random() / 2), { type: 'dialed.reopen' })
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
