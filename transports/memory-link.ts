/**
 * One end of a link within a process: a queue of records towards the other end, delivered by its own clock.
 * Invariant: without faults records arrive once, whole and in order; bytes are copied, nothing is shared.
 */
import { BlazeError, limits } from '../runtime/index.ts'
import type { Env } from '../runtime/index.ts'
import { expectRecord } from './link.ts'
import type { Link, LinkHandlers } from './link.ts'

/** Probabilities are from 0 to 1 and apply to each record by itself. */
export interface NetworkFaults {
  readonly latencyMs?: number
  /** Up to so much more, at random. */
  readonly jitterMs?: number
  readonly loss?: number
  readonly duplicate?: number
  /** The record overtakes the one before it. */
  readonly reorder?: number
  /** Of each direction of each link; without it sending takes no time. */
  readonly bytesPerSecond?: number
}

/** What the ends of a link ask the network. */
export interface Path {
  faults(): NetworkFaults
  random(): number
  /** False while nothing that one node sends reaches the other: what would arrive now is lost. */
  passes(from: string, to: string): boolean
  /** False while the node is without power, so that not even its system answers. */
  powered(node: string): boolean
  /** A record was delivered. */
  delivered(from: string, to: string, record: Uint8Array): void
}

type Item = { kind: 'record'; bytes: Uint8Array; dueMs: number } | { kind: 'end'; dueMs: number }

export class MemoryLink implements Link {
  readonly transport = 'memory'
  readonly remote: string
  readonly binding: Uint8Array = new Uint8Array(0)
  readonly #env: Env
  readonly #name: string
  readonly #path: Path
  #peer: MemoryLink | undefined
  #handlers: LinkHandlers | undefined
  #paused = false
  #state: 'open' | 'ended' = 'open'
  #error: BlazeError | undefined
  #toldClosed = false
  /** On its way to us, or here and not delivered yet. */
  #inbound: Item[] = []
  #inboundBytes = 0
  #pumping = false
  /** The peer was told to wait. */
  #peerWaits = false
  /** What was sent last leaves at this time. */
  #sendingUntilMs = 0
  /** This end is over and the peer does not know: the link is half open. */
  #untold = false
  /** The peer's answer to a record on a half-open link is on its way. */
  #resetting = false

  private constructor(env: Env, name: string, remote: string, path: Path) {
    this.#env = env
    this.#name = name
    this.remote = remote
    this.#path = path
  }

  /** The two ends, at the nodes of these names. */
  static pair(env: Env, names: readonly [string, string], path: Path): readonly [MemoryLink, MemoryLink] {
    const first = new MemoryLink(env, names[0], names[1], path)
    const second = new MemoryLink(env, names[1], names[0], path)
    first.#peer = second
    second.#peer = first
    return [first, second]
  }

  get ended(): boolean {
    return this.#state === 'ended'
  }

  attach(handlers: LinkHandlers): void {
    this.#handlers = handlers
    this.#schedule()
  }

  send(record: Uint8Array): boolean {
    expectRecord(record)
    if (this.#state === 'ended' || this.#peer === undefined) return true
    if (this.#peer.ended) {
      this.#askForReset(this.#peer)
      return true
    }
    const faults = this.#path.faults()
    const happens = (probability = 0): boolean => probability > 0 && this.#path.random() < probability
    if (happens(faults.loss)) return true
    for (let copies = happens(faults.duplicate) ? 2 : 1; copies > 0; copies--) {
      const item: Item = { kind: 'record', bytes: record.slice(), dueMs: this.#dueMs(record.length) }
      this.#peer.#arrive(item, happens(faults.reorder))
    }
    const queued = this.#peer.#inboundBytes
    if (queued > limits.linkQueueBytesMax) {
      this.destroy(
        new BlazeError('OVERLOADED', `more than ${limits.linkQueueBytesMax} bytes wait for ${this.remote}`),
      )
      return false
    }
    if (queued > limits.linkHighWaterBytes) this.#peer.#peerWaits = true
    return !this.#peer.#peerWaits
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.#schedule()
  }

  close(): void {
    if (this.#state === 'ended') return
    this.#end(undefined)
    if (this.#peer !== undefined) this.#peer.#arrive({ kind: 'end', dueMs: this.#dueMs(0) }, false)
  }

  destroy(error?: BlazeError): void {
    if (this.#state === 'ended') return
    this.#end(error)
    this.#env.defer(() => {
      if (this.#path.passes(this.#name, this.remote)) this.#peer?.break()
      else this.#untold = true
    })
  }

  /** Ends this end only: the peer believes in the link until it sends, or for ever. */
  abandon(error: BlazeError): void {
    if (this.#state === 'ended') return
    this.#untold = true
    this.#end(error)
  }

  /** What the network does when the link breaks under its ends. */
  break(): void {
    this.#end(new BlazeError('LINK_CLOSED', `the link to ${this.remote} broke`))
  }

  /** What a power cut does to this end: it is never called again. `abandoned`: and the peer is not told. */
  silence(abandoned = false): void {
    this.#toldClosed = true
    if (abandoned && this.#state === 'open') this.#untold = true
    this.#end(undefined)
  }

  #end(error: BlazeError | undefined): void {
    if (this.#state === 'ended') return
    this.#state = 'ended'
    this.#error = error
    this.#inbound = []
    this.#inboundBytes = 0
    this.#schedule()
  }

  /** As the system of a node does that gets a record of a link it does not know: the sender is told, unless that is lost too. */
  #askForReset(peer: MemoryLink): void {
    if (!peer.#untold || this.#resetting) return
    this.#resetting = true
    const { latencyMs = 0 } = this.#path.faults()
    this.#env.after(2 * latencyMs, () => {
      this.#resetting = false
      const path = this.#path
      const answers = path.powered(this.remote) && path.passes(this.remote, this.#name)
      if (answers && path.passes(this.#name, this.remote)) this.break()
    })
  }

  #dueMs(bytes: number): number {
    const { latencyMs = 0, jitterMs = 0, bytesPerSecond } = this.#path.faults()
    const startMs = Math.max(this.#env.monotonic(), this.#sendingUntilMs)
    this.#sendingUntilMs =
      bytesPerSecond === undefined ? this.#env.monotonic() : startMs + (bytes * 1000) / bytesPerSecond
    const delayMs = latencyMs + (jitterMs > 0 ? jitterMs * this.#path.random() : 0)
    // In order unless `reorder` says so: nothing is due before what was sent before it.
    const last = this.#peer === undefined ? undefined : this.#peer.#inbound.at(-1)
    return Math.max(this.#sendingUntilMs + delayMs, last?.dueMs ?? 0)
  }

  #arrive(item: Item, overtakes: boolean): void {
    if (this.#state === 'ended') return
    const last = this.#inbound.at(-1)
    if (overtakes && last?.kind === 'record') this.#inbound.splice(-1, 0, { ...item, dueMs: last.dueMs })
    else this.#inbound.push(item)
    if (item.kind === 'record') this.#inboundBytes += item.bytes.length
    this.#schedule()
  }

  /** One pump at a time, so that items keep their order whatever the order of timers is. */
  #schedule(): void {
    if (this.#pumping || this.#handlers === undefined) return
    if (this.#state === 'ended' ? this.#toldClosed : this.#paused || this.#inbound.length === 0) return
    this.#pumping = true
    const waitMs = this.#state === 'ended' ? 0 : (this.#inbound[0]?.dueMs ?? 0) - this.#env.monotonic()
    const pump = (): void => {
      this.#pumping = false
      this.#deliver()
      this.#schedule()
    }
    if (waitMs > 0) this.#env.after(waitMs, pump)
    else this.#env.defer(pump)
  }

  #deliver(): void {
    const handlers = this.#handlers
    if (handlers === undefined) return
    while (this.#state === 'open' && !this.#paused) {
      const item = this.#inbound[0]
      if (item === undefined || item.dueMs > this.#env.monotonic()) break
      this.#inbound.shift()
      if (item.kind === 'record') this.#inboundBytes -= item.bytes.length
      this.#release()
      if (!this.#path.passes(this.remote, this.#name)) {
        if (item.kind === 'end' && this.#peer !== undefined) this.#peer.#untold = true
        continue
      }
      if (item.kind === 'record') {
        this.#path.delivered(this.remote, this.#name, item.bytes)
        handlers.record(item.bytes)
      } else this.#end(undefined)
    }
    if (this.#state === 'open' || this.#toldClosed) return
    this.#toldClosed = true
    handlers.closed(this.#error)
  }

  #release(): void {
    if (!this.#peerWaits || this.#inboundBytes > limits.linkHighWaterBytes / 2) return
    this.#peerWaits = false
    const peer = this.#peer
    this.#env.defer(() => {
      if (peer !== undefined && !peer.ended) peer.#handlers?.drain()
    })
  }
}
