/**
 * One stream of a guest: its attach, checked, and then the mirror that is sent over it.
 * Invariant: one stream, one attach, one set of terms; whatever else comes over it is a violation.
 */
import { BlazeError, equalBytes } from '../../../runtime/index.ts'
import type { Session, StreamMessage } from '../../connection/index.ts'
import type { Replica } from '../../replica/index.ts'
import { encodeAttached, mirrorFrame, parseAttach } from '../mirror/index.ts'
import type { Attach } from '../mirror/index.ts'
import type { CommitChanges } from './commit-changes.ts'
import type { GuestHost } from './guest-host.ts'
import { MirrorOutgoing } from './mirror-outgoing.ts'

export interface GuestMirrorOptions {
  readonly host: GuestHost
  readonly session: Session
  readonly stream: number
  /** Who attaches. */
  readonly app: string
  readonly home: Uint8Array
  /** The attach was not refused; what was asked for. */
  attached(attach: Attach): void
  /** The guest went live, or fell behind. */
  moved(live: boolean): void
  /** The stream has to be taken back. */
  over(error: BlazeError): void
  /** A bug of this side. */
  failed(error: unknown): void
}

export class GuestMirror {
  readonly #o: GuestMirrorOptions
  #outgoing: MirrorOutgoing | undefined
  #ended = false

  constructor(options: GuestMirrorOptions) {
    this.#o = options
  }

  get stream(): number {
    return this.#o.stream
  }

  /** Arrival up to which everything was sent; undefined until the guest attached. */
  get position(): number | undefined {
    return this.#outgoing?.position
  }

  /** `PROTOCOL_VIOLATION`. */
  receive(message: StreamMessage): void {
    if (message.type === 'relay.writable') {
      this.#outgoing?.writable()
      return
    }
    const { frame, body } = message
    if (this.#outgoing !== undefined || frame !== mirrorFrame.attach) {
      const when = this.#outgoing === undefined ? 'before' : 'after'
      throw new BlazeError('PROTOCOL_VIOLATION', `a frame of type ${frame} ${when} the attach`)
    }
    const { session, stream } = this.#o
    session.stream(stream).consumed(body.length)
    this.#attach(parseAttach(body))
  }

  changed(commit: CommitChanges): void {
    this.#outgoing?.changed(commit)
  }

  advanced(arrival: number): void {
    this.#outgoing?.advanced(arrival)
  }

  promise(arrival: number): void {
    this.#outgoing?.promise(arrival)
  }

  end(): void {
    this.#ended = true
    this.#outgoing?.end()
  }

  #attach(attach: Attach): void {
    const { host } = this.#o
    const refusal = this.#refusal(attach)
    const replica = host.database.space?.replica
    if (refusal !== undefined) this.#o.over(refusal)
    else if (replica === undefined)
      this.#o.over(new BlazeError('CLOSED', 'the database is being opened again'))
    else this.#begin(attach, replica)
  }

  #refusal({ database: name, mode }: Attach): BlazeError | undefined {
    const { host, app } = this.#o
    if (name !== host.database.name) {
      return new BlazeError('UNKNOWN_SPACE', `the database here is "${host.database.name}"`)
    }
    const allowed = host.terms().modeOf(app)
    if (allowed === undefined) return new BlazeError('FORBIDDEN', 'this app has no grant for this database')
    if (mode === 'readOnly' || allowed === 'readWrite') return undefined
    return new BlazeError('READ_ONLY', 'the export policy or the grant of this app allows reading only')
  }

  #begin(attach: Attach, replica: Replica): void {
    const { host, session, home } = this.#o
    const stream = session.stream(this.#o.stream)
    const { policy } = host.terms()
    const space = host.database.identity.space
    const { lastArrival, incarnation } = replica
    const after = this.#resumed(attach, policy.version)
    const attached = encodeAttached({
      space,
      home,
      policy: policy.version,
      incarnation,
      lastArrival,
      full: after === undefined,
      readOnly: attach.mode === 'readOnly',
      collections: policy.collections,
    })
    const outgoing = this.#sending(after, lastArrival)
    this.#outgoing = outgoing
    this.#o.attached(attach)
    stream.send(mirrorFrame.attached, attached)
    outgoing.pump()
  }

  /** The arrival that the guest goes on after; undefined when it needs a full pass. */
  #resumed({ cursor }: Attach, version: Uint8Array): number | undefined {
    const { database } = this.#o.host
    if (cursor === undefined || !equalBytes(cursor.policy, version)) return undefined
    if (!equalBytes(cursor.space, database.identity.space)) return undefined
    return database.resumable(cursor) ? cursor.arrival : undefined
  }

  #sending(after: number | undefined, lastArrival: number): MirrorOutgoing {
    const { host, session } = this.#o
    const { database } = host
    const stream = session.stream(this.#o.stream)
    return new MirrorOutgoing({
      showing: { policy: host.terms().policy, mirrorTag: (tag) => database.mirrorTag(tag) },
      after: after ?? 0,
      unnamedUpTo: after === undefined ? lastArrival : 0,
      port: {
        send: (body) => stream.send(mirrorFrame.changes, body),
        page: (from, limit) =>
          database.request((reply) => ({ type: 'mirror.page', after: from, limit, reply })),
        arrival: () => host.arrival(),
        heldFloor: () => database.heldFloor(),
        moved: (live) => this.#o.moved(live),
        failed: (error) => this.#failed(error),
      },
    })
  }

  #failed(error: unknown): void {
    if (this.#ended) return
    if (error instanceof BlazeError) {
      this.#o.over(new BlazeError('CLOSED', `the database could not be read: ${error.message}`))
    } else {
      this.#o.failed(error)
    }
  }
}
