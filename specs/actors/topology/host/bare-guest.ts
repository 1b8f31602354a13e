/**
 * A guest that is nothing but a secure channel, a session and a map of rows: it keeps what it is told, and says what a spec wants.
 * Invariant: every byte that the host lets it see, after decryption, is kept in `seen`.
 */
import { Session } from '../../../../actors/connection/index.ts'
import type { RecordInput, RecordState, WriteStep } from '../../../../actors/database/index.ts'
import { parseDoc } from '../../../../actors/database/index.ts'
import type { DocInput } from '../../../../actors/database/index.ts'
import type { AppGroup, AppIdentity } from '../../../../actors/topology/group/index.ts'
import {
  encodeAttach,
  encodeMirrorWrite,
  MIRROR_MARK,
  MIRROR_WRITE,
  mirrorFrame,
  parseAttached,
  parseChanges,
  parseMirrorAnswer,
} from '../../../../actors/topology/mirror/index.ts'
import type { Attach, Attached, Changes, MirrorAnswer } from '../../../../actors/topology/mirror/index.ts'
import { equalBytes, nodeCrypto, toHex } from '../../../../runtime/index.ts'
import type { BlazeError, Env } from '../../../../runtime/index.ts'
import { dialChannel } from '../../../../transports/index.ts'
import type { Channel, DialChannelOptions, Link, Transport } from '../../../../transports/index.ts'

export interface BareGuestOptions {
  readonly env: Env
  readonly transport: Transport
  readonly group: AppGroup
  readonly database: string
  readonly app: AppIdentity
  /** What to dial with instead. */
  readonly dial?: Partial<DialChannelOptions>
  readonly mode?: Attach['mode']
  /** What an earlier connection left. */
  readonly from?: BareGuest
}

const NO_SPACE = new Uint8Array(16)

interface Row {
  state: RecordState
  pass: number
}

export class BareGuest {
  /** All messages, whatever their stream. */
  readonly seen: { readonly stream: number; readonly type: number; readonly body: Uint8Array }[] = []
  readonly changes: Changes[] = []
  readonly attachments: Attached[] = []
  /** Codes of the streams that the host took back. */
  readonly resets: string[] = []
  /** How the connection ended: a code, or `goodbye`. */
  closed: string | undefined
  /** Gives no credit back while false. */
  reading = true
  /** Attaches again when a stream was taken back with `CLOSED`. */
  persistent = false
  caughtUp = false
  readonly #o: BareGuestOptions
  #link: Link | undefined
  #channel: Channel | undefined
  #session: Session | undefined
  #stream = 0
  #unread = 0
  /** To attach again, since the last that was answered. */
  #attempts = 0
  #attached: Attached | undefined
  #cursor: Attach['cursor']
  #pass = 0
  readonly #rows = new Map<string, Row>()

  constructor(options: BareGuestOptions) {
    this.#o = options
    const { from } = options
    if (from === undefined) return
    this.#cursor = from.#cursor
    this.#pass = from.#pass
    for (const [tag, row] of from.#rows) this.#rows.set(tag, { ...row })
  }

  /** Rejects as `dialChannel` does. */
  async connect(): Promise<void> {
    const { env, transport, group, database, app, dial } = this.#o
    const link = await transport.dial(group.endpoint(database), { timeoutMs: 10_000 })
    this.#link = link
    const base = {
      env,
      crypto: nodeCrypto,
      pattern: 'XXpsk3',
      id: group.id,
      psk: group.psk,
      staticKey: app.staticKey,
      device: app.device,
    }
    const { channel } = await dialChannel(link, { ...base, ...dial } as DialChannelOptions)
    this.#channel = this.#listening(channel)
    this.#session = new Session({
      channel: this.#channel,
      env,
      handlers: {
        request: () => {},
        open: () => {},
        reset: (stream, error) => this.#reset(stream, error),
        closed: (error) => {
          this.closed = error?.code ?? 'goodbye'
        },
      },
    })
  }

  get link(): Link {
    if (this.#link === undefined) throw new Error('not connected')
    return this.#link
  }

  get channel(): Channel {
    if (this.#channel === undefined) throw new Error('not connected')
    return this.#channel
  }

  get session(): Session {
    if (this.#session === undefined) throw new Error('not connected')
    return this.#session
  }

  get stream(): number {
    return this.#stream
  }

  /** Of the first attach of this connection. */
  get home(): Uint8Array {
    return this.#attached?.home ?? NO_SPACE
  }

  get cursor(): Attach['cursor'] {
    return this.#cursor
  }

  /** Opens a stream, and attaches over it. */
  attach(over: Partial<Attach> = {}): void {
    this.openStream()
    const { mode = 'readWrite', database } = this.#o
    this.send(mirrorFrame.attach, encodeAttach({ mode, pid: 42, database, cursor: this.#cursor, ...over }))
  }

  openStream(space: Uint8Array = NO_SPACE): number {
    this.caughtUp = false
    const stream = this.session.openStream(space)
    this.#stream = stream
    this.#unread = 0
    this.session.route(stream, {
      tell: (message) => {
        if (message.type === 'relay.frame') this.#frame(stream, message.frame, message.body)
        return 'ok'
      },
    })
    return stream
  }

  /** Over the last stream. */
  send(type: number, body: Uint8Array): void {
    this.channel.send(this.#stream, type, body)
  }

  /** Reads again, and what was not read. */
  read(): void {
    this.reading = true
    this.channel.consumed(this.#stream, this.#unread)
    this.#unread = 0
  }

  write(
    step: WriteStep | 'delete',
    collection: string,
    docs: Readonly<Record<string, DocInput>>,
  ): Promise<MirrorAnswer> {
    const inputs = Object.entries(docs).map(([id, doc]): RecordInput => ({
      id,
      values: parseDoc(doc).values,
    }))
    const body = encodeMirrorWrite({ step, collection, inputs })
    return this.session.request(MIRROR_WRITE, body, 60_000).then(parseMirrorAnswer)
  }

  mark(): Promise<MirrorAnswer> {
    return this.session.request(MIRROR_MARK, new Uint8Array(0), 60_000).then(parseMirrorAnswer)
  }

  hangUp(): void {
    this.session.close()
  }

  get upTo(): number {
    return this.changes.at(-1)?.upTo ?? 0
  }

  /** By `collection/id`. */
  get rows(): Map<string, RecordState> {
    const rows = [...this.#rows.values()].map(({ state }) => state)
    return new Map(rows.map((state) => [`${state.collection}/${state.id}`, state]))
  }

  ids(): string[] {
    return [...this.rows.keys()].sort()
  }

  /** Whether the text was in anything that the host ever sent. */
  saw(text: string): boolean {
    return this.seen.some(({ body }) => Buffer.from(body).includes(text))
  }

  #listening(channel: Channel): Channel {
    return new Proxy(channel, {
      get: (target, key) => {
        const value: unknown = Reflect.get(target, key, target)
        if (key === 'attach') {
          return (handlers: Parameters<Channel['attach']>[0]) =>
            target.attach({
              ...handlers,
              message: (stream, type, body) => {
                this.seen.push({ stream, type, body: body.slice() })
                handlers.message(stream, type, body)
              },
            })
        }
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  }

  #reset(stream: number, error: BlazeError): void {
    this.resets.push(error.code)
    if (stream !== this.#stream) return
    this.caughtUp = false
    if (!this.persistent || error.code !== 'CLOSED') return
    // At once, but for a host that takes the stream back again.
    const again = (): void => {
      if (this.closed === undefined && stream === this.#stream) this.attach()
    }
    if (this.#attempts === 0) again()
    else this.#o.env.after(20, again)
    this.#attempts += 1
  }

  #frame(stream: number, frame: number, body: Uint8Array): void {
    if (this.reading) this.channel.consumed(stream, body.length)
    else this.#unread += body.length
    if (frame === mirrorFrame.attached) this.#begin(parseAttached(body))
    else if (frame === mirrorFrame.changes) this.#apply(parseChanges(body))
    else throw new Error(`a frame of type ${frame} from the host`)
  }

  #begin(attached: Attached): void {
    this.attachments.push(attached)
    this.#attempts = 0
    this.#attached = attached
    if (!attached.full) return
    this.#pass += 1
    // It belongs to the pass before, and would be resumed as if this one had ended.
    this.#cursor = undefined
  }

  #apply(changes: Changes): void {
    const attached = this.#attached
    if (attached === undefined) throw new Error('changes before attached')
    this.changes.push(changes)
    for (const item of changes.items) {
      const tag = toHex(item.tag)
      const known = this.#rows.get(tag)
      if (item.kind === 'record') this.#rows.set(tag, { state: item.state, pass: this.#pass })
      else if (item.kind === 'deleted' || (known !== undefined && !this.#isMine(known)))
        this.#rows.delete(tag)
    }
    const { policy, space, incarnation } = attached
    this.#cursor = { policy, space, incarnation, arrival: changes.cursor }
    if (!changes.caughtUp) return
    this.caughtUp = true
    for (const [tag, row] of this.#rows)
      if (row.pass < this.#pass && !this.#isMine(row)) this.#rows.delete(tag)
  }

  #isMine({ state }: Row): boolean {
    return state.home !== null && equalBytes(state.home, this.home)
  }
}
