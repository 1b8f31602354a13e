/**
 * The host's end of a mirror without a database behind it.
 * Invariant: it says what the spec makes it say, on a real channel with real keys; nothing is answered by itself but where
 * `onAttach` and `onRequest` say so.
 */
import { Session } from '../../../../actors/connection/index.ts'
import type { Request } from '../../../../actors/connection/index.ts'
import type { AppGroup, AppIdentity } from '../../../../actors/topology/group/index.ts'
import {
  encodeAttached,
  encodeChanges,
  encodeItem,
  encodeMirrorAnswer,
  mirrorFrame,
  parseAttach,
} from '../../../../actors/topology/mirror/index.ts'
import type {
  Attach,
  Attached,
  ChangesHead,
  MirrorAnswer,
  MirrorItem,
} from '../../../../actors/topology/mirror/index.ts'
import { BlazeError, nodeCrypto } from '../../../../runtime/index.ts'
import type { Env } from '../../../../runtime/index.ts'
import { acceptChannel } from '../../../../transports/index.ts'
import type { Authorization, Link, Listener, Transport } from '../../../../transports/index.ts'
import { DATABASE, tagOf } from './mirror-record.ts'

export const SPACE: Uint8Array = new Uint8Array(16).fill(1)
export const HOME: Uint8Array = new Uint8Array(16).fill(2)
export const POLICY: Uint8Array = new Uint8Array(16).fill(3)
export const INCARNATION: Uint8Array = new Uint8Array(16).fill(4)

export interface BareHostOptions {
  readonly env: Env
  readonly transport: Transport
  group(): Promise<AppGroup>
  app(group: AppGroup): Promise<AppIdentity>
}

export class BareHost {
  readonly links: HostLink[] = []
  readonly attaches: Attach[] = []
  onAttach: (link: HostLink, attach: Attach) => void = () => {}
  onRequest: (link: HostLink, request: Request) => void = () => {}
  authorize: () => Authorization = () => ({ ok: true, mayHost: false, pairing: new Uint8Array(0) })
  /** Instead of the group's. */
  psk: Uint8Array | undefined
  /** Instead of one that is registered. */
  app: AppIdentity | undefined
  /** Links that were not secured. */
  failures: string[] = []
  readonly env: Env
  readonly #o: BareHostOptions
  #group: AppGroup | undefined
  #listener: Listener | undefined

  constructor(options: BareHostOptions) {
    this.#o = options
    this.env = options.env
  }

  /** The latest link. */
  get link(): HostLink {
    const link = this.links.at(-1)
    if (link === undefined) throw new Error('nobody has connected')
    return link
  }

  async listen(): Promise<void> {
    const group = await this.#o.group()
    const app = this.app ?? (await this.#o.app(group))
    this.#group = group
    this.#listener = await this.#o.transport.listen(group.endpoint(DATABASE), (link) => {
      this.#accept(group, app, link).catch((error: unknown) => {
        this.failures.push(error instanceof BlazeError ? error.code : String(error))
      })
    })
  }

  /** Takes no more links. */
  async deaf(): Promise<void> {
    await this.#listener?.close()
  }

  get group(): AppGroup {
    if (this.#group === undefined) throw new Error('the host does not listen yet')
    return this.#group
  }

  async #accept(group: AppGroup, app: AppIdentity, link: Link): Promise<void> {
    const { channel } = await acceptChannel(link, {
      env: this.env,
      crypto: nodeCrypto,
      staticKey: app.staticKey,
      pairingStaticKey: app.staticKey,
      device: app.device,
      psk: () => this.psk ?? group.psk,
      authorize: () => this.authorize(),
    })
    const made: HostLink = new HostLink(
      new Session({
        channel,
        env: this.env,
        handlers: {
          request: (request) => {
            made.requests.push(request)
            this.onRequest(made, request)
          },
          open: (stream) => {
            made.stream = stream
            made.streams += 1
            made.session.route(stream, {
              tell: (message) => {
                if (message.type !== 'relay.frame' || message.frame !== mirrorFrame.attach) return 'ok'
                made.session.stream(stream).consumed(message.body.length)
                const attach = parseAttach(message.body)
                this.attaches.push(attach)
                this.onAttach(made, attach)
                return 'ok'
              },
            })
          },
          reset: () => {},
          closed: (error) => {
            made.ended = error?.code ?? 'in order'
          },
        },
      }),
    )
    this.links.push(made)
  }
}

export class HostLink {
  readonly session: Session
  readonly requests: Request[] = []
  stream = 0
  streams = 0
  /** Code of its end. */
  ended: string | undefined
  /** Whether the last frame may be followed by another. */
  writable = true

  constructor(session: Session) {
    this.session = session
  }

  send(type: number, body: Uint8Array): void {
    this.writable = this.session.stream(this.stream).send(type, body)
  }

  attached(over: Partial<Attached> = {}): void {
    this.send(mirrorFrame.attached, encodeAttached({ ...ATTACHED, ...over }))
  }

  changes(items: readonly MirrorItem[], head: Partial<ChangesHead> & { readonly upTo: number }): void {
    const whole = { caughtUp: true, cursor: head.upTo, ...head }
    this.send(mirrorFrame.changes, encodeChanges(whole, items.map(encodeItem)))
  }

  answer(id: number, answer: Partial<MirrorAnswer> & { readonly arrival: number }): void {
    this.session.answer(id, encodeMirrorAnswer({ existed: true, hidden: [], ...answer }))
  }

  reset(code: BlazeError['code']): void {
    this.session.reset(this.stream, new BlazeError(code, 'as the spec says'))
  }

  close(code: BlazeError['code']): void {
    this.session.close(new BlazeError(code, 'as the spec says'))
  }
}

export const ATTACHED: Attached = {
  space: SPACE,
  home: HOME,
  policy: POLICY,
  incarnation: INCARNATION,
  lastArrival: 0,
  full: true,
  readOnly: false,
  collections: ['bugs', 'notes'],
}

/** An item for a record, under the tag of its name. */
export function shown(state: Extract<MirrorItem, { kind: 'record' }>['state']): MirrorItem {
  return { kind: 'record', tag: tagOf(`${state.collection}/${state.id}`), state }
}

export function gone(kind: 'deleted' | 'retracted', id: string, collection = 'bugs'): MirrorItem {
  return { kind, tag: tagOf(`${collection}/${id}`) }
}
