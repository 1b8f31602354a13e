/**
 * What the dialling side does in each state of its machine.
 * Invariant: results of an attempt or relay that is over change nothing; nothing that matters waits in a mailbox that can be full.
 */
import { BlazeError, limits, toHex, type MachineContext, type Timer } from '../../runtime/index.ts'
import { formatEndpoint, type Channel, type Endpoint, type Link } from '../../transports/index.ts'
import { isSkewed } from '../relay/index.ts'
import type { DialedMessage, DialedOptions } from './dialed-message.ts'
import { settleRequest } from './dialed-request.ts'
import { ceilingOf, failure, faultOf, isFinal } from './fault.ts'
import { Health } from './health.ts'
import type { ConnectionEvent } from './machine.ts'
import {
  DATABASE_REGISTER,
  encodeDatabaseRegistration,
  encodeIntroduction,
  TEAM_INTRODUCE,
} from './request.ts'
import { RelaySlot } from './relay-slot.ts'
import { Route } from './route.ts'
import { dialRoute, secureEndpoint, secureLink, type Secured } from './secure-link.ts'
import { Session } from './session.ts'
import { SleepWatch } from './sleep-watch.ts'

export class DialedCell {
  readonly #o: DialedOptions
  readonly #ctx: MachineContext<DialedMessage, ConnectionEvent>
  readonly #route: Route
  readonly #health: Health
  readonly #sleep: SleepWatch
  /** As the machine; inside its actions the machine still names the state that is being left. */
  #state = 'connecting'
  #attempt = 0
  #attempts = 0
  #link: Link | undefined
  #channel: Channel | undefined
  #session: Session | undefined
  #peer: Uint8Array | undefined
  readonly #relays: RelaySlot
  #registered: boolean
  /** Whether the supervisor, which does not know this device as a member, was shown what makes it one. */
  #introduction: 'none' | 'due' | 'made' = 'none'
  #serverKey: Uint8Array
  #retry: Timer | undefined
  /** A channel that is to take the place of the one in use is being made. */
  #renewing = false
  #next: Channel | undefined
  #error: BlazeError | undefined

  constructor(o: DialedOptions, ctx: MachineContext<DialedMessage, ConnectionEvent>) {
    this.#o = o
    this.#ctx = ctx
    this.#registered = o.register === undefined
    this.#serverKey = o.serverKey
    this.#route = new Route(o.endpoints)
    this.#health = new Health(ctx.env, this.#route)
    this.#sleep = new SleepWatch(ctx.env)
    this.#relays = new RelaySlot(o, ctx, (message) => this.#post(message))
    ctx.after(limits.healthTickMs, { type: 'dialed.tick' })
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
    this.#ctx.run(
      async (signal) => {
        const link = await dialRoute(this.#o.transport, this.#route, signal)
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
    const name = this.#registered ? undefined : register
    const introduces = this.#introduction === 'due'
    if (name === undefined && !introduces) {
      this.#ctx.send({ type: 'connection.registered' })
      return
    }
    const { spaceId, team } = space
    this.#ctx.run(
      async () => {
        const ask = (operation: number, body: Uint8Array): Promise<Uint8Array> =>
          session.request(operation, body, limits.requestTimeoutMs)
        if (introduces) await ask(TEAM_INTRODUCE, encodeIntroduction({ spaceId, entries: team.entries() }))
        if (name !== undefined) await ask(DATABASE_REGISTER, encodeDatabaseRegistration({ name, spaceId }))
      },
      (result) =>
        result.ok ? { type: 'dialed.registered', attempt } : failure(attempt, faultOf(result.error)),
    )
  }

  openRelay(): void {
    this.#state = 'syncing'
    if (this.#session !== undefined && this.#peer !== undefined) this.#relays.open(this.#session, this.#peer)
    this.#report()
  }

  hangUp(state: string): void {
    this.#state = state
    const channel = this.#channel
    const link = this.#link
    this.#session = undefined
    this.#channel = undefined
    this.#link = undefined
    this.#peer = undefined
    this.#relays.close()
    if (channel !== undefined) channel.close()
    else link?.destroy()
    this.#report()
  }

  backOff(): void {
    const rounds = Math.floor(this.#attempts / this.#route.count)
    this.#attempts += 1
    this.#retryWithin(ceilingOf(limits.failoverFirstMs, limits.failoverMaxMs, rounds))
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
        this.#route.succeeded(this.#route.current)
        this.#secured(message.secured)
        return { type: 'connection.secured' }
      case 'dialed.tick':
        return this.#tick()
      case 'dialed.awake':
        return this.#awake(message.attempt, message.atMs)
      case 'dialed.renewed':
        this.#renewed(message.attempt, message.endpoint, message.secured)
        return undefined
      case 'dialed.renewFailed':
        this.#renewing = false
        if (this.#isLate(message.attempt, 'syncing')) return undefined
        this.#health.failed()
        // What another address answers says nothing about the one in use.
        if (!isFinal(message.error) || message.endpoint !== this.#route.current) return undefined
        this.#error = message.error
        return { type: 'connection.refused' }
      case 'dialed.registered':
        this.#registered = true
        if (this.#introduction === 'due') this.#introduction = 'made'
        return this.#isLate(message.attempt, 'authenticated') ? undefined : { type: 'connection.registered' }
      case 'dialed.failed':
        // The end of a link may be told by more than one of those who used it.
        if (message.attempt !== this.#attempt) return undefined
        return this.#failed(message.error)
      case 'dialed.relay':
        this.#relayMoved()
        return undefined
      case 'dialed.relayEnded':
        return this.#relayEnded(message.relay, message.error)
      case 'dialed.reopen':
        // Hanging up cancels the timer: there is a session, and no relay.
        this.openRelay()
        return undefined
      case 'dialed.retry':
        return { type: 'connection.retry' }
      case 'dialed.mark':
        this.#relays.ask()
        return undefined
      case 'dialed.request':
        settleRequest(this.#session, message)
        return undefined
    }
  }

  inspect(): object {
    return {
      endpoint: formatEndpoint(this.#route.current),
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

  #failed(error: BlazeError): ConnectionEvent {
    this.#error = error
    const elsewhere = this.#route.failed(error)
    return { type: isFinal(error) && !elsewhere ? 'connection.refused' : 'connection.failed' }
  }

  #relayEnded(relay: number, error: BlazeError): ConnectionEvent | undefined {
    const wasLetIn = this.#relays.report?.ready === true
    if (!this.#relays.ended(relay, error)) return undefined
    this.#error = error
    if (error.code === 'FORBIDDEN' && !wasLetIn && this.#introduction === 'none') {
      // The supervisor may not have heard of this member yet: the next connection begins with an introduction.
      this.#introduction = 'due'
      return { type: 'connection.failed' }
    }
    this.#report()
    return undefined
  }

  #retryWithin(ceilingMs: number): void {
    this.#retry?.cancel()
    this.#retry = this.#ctx.after(this.#ctx.env.random() * ceilingMs, { type: 'dialed.retry' })
  }

  #tick(): undefined {
    this.#ctx.after(limits.healthTickMs, { type: 'dialed.tick' })
    if (this.#sleep.slept()) this.#woke()
    const channel = this.#channel
    if (channel === undefined || this.#renewing || !this.#isQuiet()) return
    const peerClock = this.#relays.report?.peerClock
    if (peerClock !== undefined && isSkewed(this.#ctx.env, peerClock)) this.#health.hurry()
    const endpoint = this.#health.due(channel.lastHeardMs)
    if (endpoint !== undefined) this.#renew(endpoint)
  }

  /** Nothing is lost when the relay begins anew; a request that waits would be. */
  #isQuiet(): boolean {
    return this.#state === 'syncing' && this.#session?.waiting === 0
  }

  /** The peer may have given the link up long ago. */
  #woke(): void {
    if (this.#state === 'failover') this.#retryWithin(limits.wakeMs)
    this.#channel?.ping()
    const atMs = this.#ctx.env.monotonic()
    this.#ctx.after(limits.wakeMs, { type: 'dialed.awake', attempt: this.#attempt, atMs })
  }

  #awake(attempt: number, atMs: number): ConnectionEvent | undefined {
    if (attempt !== this.#attempt || this.#channel === undefined) return undefined
    if (this.#channel.lastHeardMs >= atMs) return undefined
    return this.#failed(new BlazeError('LINK_CLOSED', 'the link did not survive the sleep of this computer'))
  }

  #renew(endpoint: Endpoint): void {
    const attempt = this.#attempt
    this.#renewing = true
    this.#ctx.run(
      async (signal) => {
        const secured = await secureEndpoint(this.#o, this.#ctx.env, endpoint, this.#serverKey, signal)
        if (signal.aborted) secured.channel.destroy()
        else this.#next = secured.channel
        return secured
      },
      (result) =>
        result.ok
          ? { type: 'dialed.renewed', attempt, endpoint, secured: result.value }
          : { type: 'dialed.renewFailed', attempt, endpoint, error: faultOf(result.error) },
    )
  }

  /** The relay begins anew on the new channel, from what both sides hold; what the old one had under way is asked for again. */
  #renewed(attempt: number, endpoint: Endpoint, secured: Secured): void {
    this.#next = undefined
    this.#renewing = false
    if (this.#isLate(attempt, 'syncing') || !this.#isQuiet()) {
      secured.channel.close()
      return
    }
    this.hangUp('syncing')
    this.#attempt += 1
    this.#route.succeeded(endpoint)
    this.#secured(secured)
    this.openRelay()
  }

  #secured({ channel, deviceKey, serverKey }: Secured): void {
    this.#channel = channel
    this.#peer = deviceKey
    this.#serverKey = serverKey
    this.#error = undefined
    this.#health.secured()
    const attempt = this.#attempt
    const session = new Session({
      channel,
      env: this.#ctx.env,
      handlers: {
        request: (request) =>
          session.answerError(request.id, new BlazeError('NOT_SUPPORTED', 'a device answers no requests')),
        open: (stream) =>
          session.reset(stream, new BlazeError('NOT_SUPPORTED', 'a device opens no spaces for others')),
        reset: (stream, error) => this.#relays.reset(session, stream, error),
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

  #relayMoved(): void {
    const report = this.#relays.moved()
    if (report === undefined) return
    if (report.caughtUp) {
      this.#attempts = 0
      this.#error = undefined
    }
    this.#report()
    this.#o.marks.settle(report.marked)
    this.#relays.ask()
  }

  #report(): void {
    this.#o.report({
      state: this.#state,
      endpoint: formatEndpoint(this.#route.current),
      attempts: this.#attempts,
      error: this.#error,
      registered: this.#registered,
      relay: this.#relays.report,
      roundTripMs: this.#channel?.roundTripMs,
      queuedBytes: this.#relays.queuedBytes(),
    })
  }
}
