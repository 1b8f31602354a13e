/**
 * The host's side of one guest: proves who it is, and serves its mirror and its requests. Lives as long as its link.
 * Invariant: nothing leaves before app, grant and policy were checked, nor after they changed; what is wrong with one guest ends
 * that one.
 */
import { BlazeError, equalBytes, machine } from '../../../runtime/index.ts'
import type { Behaviour, ErrorCode, MachineContext } from '../../../runtime/index.ts'
import { acceptChannel } from '../../../transports/index.ts'
import type { Authorization, Channel, Link, ProvenClient } from '../../../transports/index.ts'
import { Session } from '../../connection/index.ts'
import { homeOf } from '../group/index.ts'
import type { CommitChanges } from './commit-changes.ts'
import type { GuestHost } from './guest-host.ts'
import { GuestMirror } from './guest-mirror.ts'
import { GuestRequests } from './guest-requests.ts'
import { guestMachine } from './machine.ts'
import type { GuestEvent } from './machine.ts'
import type { GuestMode, ShareTerms } from './share-terms.ts'

/** A connected guest, as plain data. */
export interface GuestStatus {
  /** Empty until it has proven itself. */
  readonly app: string
  /** As it says; 0 until it attached. */
  readonly pid: number
  readonly mode: GuestMode
  readonly state: 'handshake' | 'authenticated' | 'passing' | 'live' | 'closed'
  /** Arrivals that it was not sent yet. */
  readonly lag: number
  readonly remote: string
}

export interface GuestMessage {
  readonly type: 'guest.channel'
  readonly channel: Channel
  readonly deviceKey: Uint8Array
}

export class Guest {
  readonly #host: GuestHost
  readonly #link: Link
  #ctx: MachineContext<GuestMessage, GuestEvent> | undefined
  #state: GuestStatus['state'] = 'handshake'
  #session: Session | undefined
  #requests: GuestRequests | undefined
  #app = ''
  #home: Uint8Array = new Uint8Array(0)
  #pid = 0
  /** Of the last attach that was not refused. */
  #mode: GuestMode | undefined
  #mirror: GuestMirror | undefined
  #error: BlazeError | undefined

  constructor(host: GuestHost, link: Link) {
    this.#host = host
    this.#link = link
  }

  /** Spawn it `temporary`, once. It stops itself when the link is gone. */
  behaviour(): Behaviour<GuestMessage> {
    return machine<GuestMessage, GuestEvent>({
      kind: 'guest',
      definition: guestMachine,
      init: (ctx) => {
        this.#ctx = ctx
        ctx.own(() => this.#dispose())
      },
      actions: {
        secure: () => this.#secure(),
        expire: () => this.#close(new BlazeError('CLOSED', 'no mirror was attached for too long')),
      },
      receive: (message) => {
        this.#secured(message)
        return undefined
      },
      stop: () => this.#session?.close(),
      inspect: () => this.#inspect(),
    })
  }

  status(): GuestStatus {
    const position = this.#mirror?.position
    return {
      app: this.#app,
      pid: this.#pid,
      mode: this.#mode ?? 'readOnly',
      state: this.#state,
      lag: position === undefined ? 0 : Math.max(0, this.#host.arrival() - position),
      remote: this.#link.remote,
    }
  }

  /** False while it is in its handshake. */
  get proven(): boolean {
    return this.#state !== 'handshake'
  }

  /** A commit of the database, in the turn in which it was synced. */
  changed(commit: CommitChanges): void {
    this.#mirror?.changed(commit)
  }

  /** Sends what it has to now, not with the rest of the tick. */
  flush(): void {
    if (this.#mirror !== undefined) this.#session?.channel.flush()
  }

  advanced(arrival: number): void {
    this.#mirror?.advanced(arrival)
  }

  /** Other terms hold now. What is queued under those of before is dropped. */
  termsChanged(before: ShareTerms): void {
    if (this.#session === undefined) return
    const terms = this.#host.terms()
    const allowed = terms.modeOf(this.#app)
    if (allowed === undefined) this.#close(forbidden())
    else if (!terms.sameRules(before) || this.#mayChangeMode(allowed, before)) {
      this.#detach(new BlazeError('CLOSED', 'the export policy or the grant of this app has changed'))
    }
  }

  /** A writer that may only read from now on, or a reader that may have asked for more before. */
  #mayChangeMode(allowed: GuestMode, before: ShareTerms): boolean {
    if (this.#mode === 'readWrite') return allowed === 'readOnly'
    return allowed === 'readWrite' && before.modeOf(this.#app) !== 'readWrite'
  }

  /** The store was lost, or opened again. */
  spaceChanged(): void {
    this.#detach(new BlazeError('CLOSED', 'the database is being opened again'))
  }

  /** A bug of this side: ends this guest, and nobody else hears of it. */
  fail(error: unknown): void {
    this.#ctx?.crash(error)
  }

  #secure(): void {
    const { crypto, group, app, database } = this.#host
    this.#ctx?.run(
      () =>
        acceptChannel(this.#link, {
          env: database.env,
          crypto,
          staticKey: app.staticKey,
          pairingStaticKey: app.staticKey,
          device: app.device,
          psk: (id) => (equalBytes(id, group.id) ? group.psk : undefined),
          authorize: (client) => this.#authorize(client),
        }),
      (result) => {
        if (result.ok) {
          const { channel, client } = result.value
          return { type: 'guest.channel', channel, deviceKey: client.deviceKey }
        }
        if (!(result.error instanceof BlazeError)) throw result.error
        this.#ended(result.error)
        return undefined
      },
    )
  }

  async #authorize({ pattern, deviceKey }: ProvenClient): Promise<Authorization> {
    const refuse = (message: string, code: ErrorCode = 'FORBIDDEN'): Authorization => {
      return { ok: false, code, message }
    }
    try {
      // Only this pattern proves that the guest has the group's key.
      const app = pattern === 'XXpsk3' ? await this.#host.group.appOf(deviceKey) : undefined
      if (app === undefined) return refuse('the key of this app is not registered in the app group')
      if (this.#host.terms().modeOf(app) === undefined) {
        return refuse(`the app ${app} has no grant for this database`)
      }
      this.#app = app
      return { ok: true, mayHost: false, pairing: new Uint8Array(0) }
    } catch (error) {
      // The guest cannot look into the group's files through our eyes: it is told.
      if (error instanceof BlazeError) return refuse(error.message, error.code)
      throw error
    }
  }

  #secured({ channel, deviceKey }: GuestMessage): void {
    const { database, crypto } = this.#host
    this.#home = homeOf(deviceKey, database.identity.space, crypto)
    const session = new Session({
      channel,
      env: database.env,
      handlers: {
        request: (request) =>
          this.#guard(() => {
            if (this.#mode === undefined) throw violation('a request before a mirror was attached')
            this.#requests?.handle(request, this.#mode)
          }),
        open: (stream, spaceId) => this.#guard(() => this.#open(stream, spaceId)),
        reset: () => this.#guard(() => this.#detached()),
        closed: (error) => this.#ended(error),
      },
    })
    this.#session = session
    this.#requests = new GuestRequests({
      database,
      session,
      app: this.#app,
      home: this.#home,
      terms: () => this.#host.terms(),
      arrival: () => this.#host.arrival(),
      answered: (arrival) => this.#mirror?.promise(arrival),
      failed: (error) => this.fail(error),
    })
    this.#enter('authenticated', { type: 'guest.secured' })
    // The grant may have gone while the end of the handshake was on its way.
    if (this.#host.terms().modeOf(this.#app) === undefined) this.#close(forbidden())
  }

  /** What is thrown as a `BlazeError` is the guest's fault, and the session ends with it. */
  #guard(work: () => void): void {
    try {
      work()
    } catch (error) {
      if (error instanceof BlazeError) throw error
      this.fail(error)
    }
  }

  #open(stream: number, spaceId: Uint8Array): void {
    const session = this.#session
    if (session === undefined) return
    if (this.#mirror !== undefined) throw violation('a second stream')
    if (spaceId.some((byte) => byte !== 0)) throw violation('a stream of a space')
    const mirror = new GuestMirror({
      host: this.#host,
      session,
      stream,
      app: this.#app,
      home: this.#home,
      attached: ({ pid, mode }) => {
        this.#pid = pid
        this.#mode = mode
        this.#enter('passing', { type: 'guest.attached' })
      },
      moved: (live) =>
        this.#enter(live ? 'live' : 'passing', { type: live ? 'guest.caughtUp' : 'guest.behind' }),
      over: (error) => this.#detach(error),
      failed: (error) => this.fail(error),
    })
    this.#mirror = mirror
    session.route(stream, {
      tell: (message) => {
        this.#guard(() => mirror.receive(message))
        return 'ok'
      },
    })
  }

  /** Takes the stream back. What it has queued is dropped. */
  #detach(error: BlazeError): void {
    if (this.#mirror === undefined) return
    this.#session?.reset(this.#mirror.stream, error)
    this.#detached()
  }

  #detached(): void {
    this.#mirror?.end()
    this.#mirror = undefined
    this.#enter('authenticated', { type: 'guest.detached' })
  }

  /** Tells the guest why. */
  #close(error: BlazeError): void {
    this.#session?.close(error)
  }

  #ended(error: BlazeError | undefined): void {
    if (this.#state === 'closed') return
    this.#error = error
    this.#mirror?.end()
    this.#mirror = undefined
    if (error !== undefined) this.#ctx?.emit('guest.lost', { code: error.code, reason: error.message })
    this.#enter('closed', { type: 'guest.closed' })
  }

  #enter(state: GuestStatus['state'], event: GuestEvent): void {
    this.#state = state
    this.#ctx?.send(event)
    this.#host.moved()
  }

  #inspect(): object {
    const stream = this.#mirror?.stream
    return {
      ...this.status(),
      queuedBytes: stream === undefined ? 0 : (this.#session?.channel.queuedBytes(stream) ?? 0),
      ...(this.#error === undefined ? {} : { error: this.#error.code }),
    }
  }

  #dispose(): void {
    this.#mirror?.end()
    this.#mirror = undefined
    this.#session?.channel.destroy()
    // A handshake that has failed ended the link itself, and what it refused with may still be on its way.
    if (this.#state === 'handshake') this.#link.destroy()
    this.#state = 'closed'
  }
}

function forbidden(): BlazeError {
  return new BlazeError('FORBIDDEN', 'this app has no grant for this database')
}

function violation(message: string): BlazeError {
  return new BlazeError('PROTOCOL_VIOLATION', message)
}
