/**
 * The receiving half of a relay: applies what the peer sends strictly in order, one step at a time, and acknowledges only what was
 * synced. Invariant: after a refusal nothing later of the same exchange is applied.
 */
import { BlazeError, bytesKey, limits, type Timer } from '../../runtime/index.ts'
import {
  dotOf,
  isTombstone,
  parseItems,
  type PartItem,
  type Replica,
  type VectorEntry,
} from '../replica/index.ts'
import type { Space } from '../team/index.ts'
import type { Heard } from './heard.ts'
import { encodeAck, encodeSpoiled, parseBlobs, RELAY_ACK, RELAY_SPOILED, type RelayData } from './message.ts'

export interface IncomingPort {
  send(type: number, body: Uint8Array): boolean
  /** Gives credit back to the peer. */
  consumed(bytes: number): void
  run<T>(work: () => Promise<T>, done: (value: T) => void, failed: (error: unknown) => void): void
  /** Calls `work` in a turn of the relay's cell. What it throws ends the connection. */
  after(ms: number, work: () => void): Timer
  /** Before a part is applied: bytes of its records, deletions not counted. Throws `QUOTA` when the peer has sent too much of late. */
  admit?(bytes: number): void
  /** The peer's whole log, announcements and vector have been taken over. */
  ready(): void
  /** News of the team were taken over: with them this side may have nothing left to do. */
  taken(): void
  /** A part was applied and synced; `vector` are the entries that ended its round. */
  applied(vector: readonly VectorEntry[], roundEnd: boolean): void
  /** A step was refused: the exchange is over. */
  refused(error: BlazeError): void
}

type Step =
  | { kind: 'team'; blobs: Uint8Array[]; bytes: number }
  | { kind: 'announce'; blobs: Uint8Array[]; bytes: number }
  | { kind: 'ready' }
  | {
      kind: 'part'
      round: number
      part: number
      upTo: number
      roundEnd: boolean
      items: PartItem[]
      bytes: number
    }

export class Incoming {
  readonly #space: Space
  readonly #replica: Replica
  readonly #peer: Uint8Array
  readonly #incarnation: Uint8Array
  readonly #port: IncomingPort
  readonly #steps: Step[] = []
  #working = false
  readonly #heard: Heard
  #ended = false
  /** The part whose messages are still coming. */
  #items: PartItem[] = []
  #itemBytes = 0
  /** Bytes of it whose credit the peer has not got back. */
  #owedBytes = 0
  /** When the part that is coming has to be whole. */
  #overdue: Timer | undefined
  #last: Omit<RelayData, 'items'> | undefined
  /** Whole parts that wait or are being applied. */
  #parts = 0
  /** Vector as last told to the peer, by `bytesKey` of the replica id. */
  readonly #told = new Map<string, number>()
  #syncing = false
  #upTo = 0
  #received = 0

  /** `told`: this side's vector as the peer learned it from hello. */
  constructor(o: {
    space: Space
    peer: Uint8Array
    incarnation: Uint8Array
    told: readonly VectorEntry[]
    heard: Heard
    port: IncomingPort
  }) {
    this.#space = o.space
    this.#replica = o.space.replica
    this.#peer = o.peer
    this.#incarnation = o.incarnation
    this.#heard = o.heard
    this.#port = o.port
    for (const entry of o.told) this.#told.set(bytesKey(entry.replicaId), entry.seq)
  }

  /** In the middle of a round of more than one part. */
  get syncing(): boolean {
    return this.#syncing
  }

  /** Arrival of the peer up to which parts were applied. */
  get upTo(): number {
    return this.#upTo
  }

  /** Envelopes that were applied or found to be known. */
  get received(): number {
    return this.#received
  }

  /** Nothing waits, and no round is open. */
  get idle(): boolean {
    return !this.#busy && this.#itemBytes === 0 && !this.#syncing
  }

  team(body: Uint8Array): void {
    this.#push({ kind: 'team', blobs: parseBlobs(body), bytes: body.length })
  }

  announce(body: Uint8Array): void {
    this.#push({ kind: 'announce', blobs: parseBlobs(body), bytes: body.length })
  }

  ready(): void {
    this.#push({ kind: 'ready' })
  }

  data(data: RelayData, bytes: number): void {
    this.#checkOrder(data)
    const { items: _parsedBelow, ...head } = data
    this.#last = head
    this.#itemBytes += bytes
    if (this.#itemBytes > limits.relayPartBytesMax) {
      throw new BlazeError('PROTOCOL_VIOLATION', `a part exceeds ${limits.relayPartBytesMax} bytes`)
    }
    for (const item of parseItems(data.items)) this.#items.push(item)
    this.#owedBytes += bytes
    if (!data.partEnd) {
      // The rest of the part needs credit. It gets none while others wait: one long part is in memory at a time.
      if (!this.#busy) this.#payBack()
      this.#startClock()
      return
    }
    this.#stopClock()
    if (this.#parts >= limits.relayPartsInFlightMax) {
      throw new BlazeError(
        'PROTOCOL_VIOLATION',
        `more than ${limits.relayPartsInFlightMax} parts wait for their acknowledgement`,
      )
    }
    const { round, part, upTo, roundEnd } = data
    this.#parts += 1
    this.#push({ kind: 'part', round, part, upTo, roundEnd, items: this.#items, bytes: this.#owedBytes })
    this.#items = []
    this.#itemBytes = 0
    this.#owedBytes = 0
  }

  end(): void {
    this.#ended = true
    this.#stopClock()
    this.#steps.length = 0
    this.#items = []
  }

  get #busy(): boolean {
    return this.#working || this.#steps.length > 0
  }

  /** All messages of a part name it alike, and parts come in order. */
  #checkOrder({ round, part, upTo }: RelayData): void {
    const last = this.#last
    if (last === undefined) return
    const inOrder = last.partEnd
      ? round > last.round || (round === last.round && part > last.part)
      : round === last.round && part === last.part && upTo === last.upTo
    if (!inOrder) {
      throw new BlazeError(
        'PROTOCOL_VIOLATION',
        `part ${round}.${part} after ${last.partEnd ? '' : 'a piece of '}part ${last.round}.${last.part}`,
      )
    }
  }

  #payBack(): void {
    if (this.#owedBytes > 0) this.#port.consumed(this.#owedBytes)
    this.#owedBytes = 0
  }

  #stopClock(): void {
    this.#overdue?.cancel()
    this.#overdue = undefined
  }

  #startClock(): void {
    this.#overdue ??= this.#port.after(limits.relayPartMs, () => this.#giveUp())
  }

  #giveUp(): void {
    this.#overdue = undefined
    if (this.#ended) return
    // What holds it up is here; its time begins when that is done.
    if (this.#busy) return this.#startClock()
    throw new BlazeError('TIMEOUT', `a part was not whole within ${limits.relayPartMs} ms of its beginning`)
  }

  #push(step: Step): void {
    if (this.#ended) return
    if (this.#steps.length >= limits.relayStepsMax) {
      throw new BlazeError(
        'PROTOCOL_VIOLATION',
        `more than ${limits.relayStepsMax} messages wait for their turn`,
      )
    }
    this.#steps.push(step)
    this.#next()
  }

  #next(): void {
    if (this.#working || this.#ended) return
    const step = this.#steps.shift()
    if (step === undefined) {
      if (this.#owedBytes === 0) return
      // Until now the peer may not have been able to go on: its time begins here.
      this.#stopClock()
      this.#startClock()
      this.#payBack()
      return
    }
    if (step.kind === 'ready') {
      this.#port.ready()
      this.#next()
      return
    }
    this.#working = true
    this.#port.run(
      () => this.#work(step),
      () => {
        this.#working = false
        if (this.#ended) return
        this.#done(step)
        this.#next()
      },
      (error) => {
        this.#working = false
        if (!this.#ended) this.#refuse(step, error)
      },
    )
  }

  async #work(step: Exclude<Step, { kind: 'ready' }>): Promise<void> {
    if (step.kind === 'team') await this.#space.learn({ entries: step.blobs })
    else if (step.kind === 'announce') await this.#space.learn({ announcements: step.blobs })
    else {
      const { upTo, items, roundEnd } = step
      this.#port.admit?.(recordBytes(items))
      // Before it is applied: from then on rounds to this peer meet these writes.
      this.#hear(items)
      await this.#replica.applyPart({
        peer: this.#peer,
        incarnation: this.#incarnation,
        upTo,
        items,
        roundEnd,
      })
    }
  }

  #hear(items: readonly PartItem[]): void {
    for (const item of items) {
      const dot = item.kind === 'envelope' ? dotOf(item.bytes) : undefined
      if (dot !== undefined) this.#heard.add(dot.replicaId, dot.seq)
    }
  }

  #done(step: Exclude<Step, { kind: 'ready' }>): void {
    if (step.kind !== 'part') {
      this.#port.consumed(step.bytes)
      this.#port.taken()
      return
    }
    this.#parts -= 1
    this.#upTo = step.upTo
    this.#syncing = !step.roundEnd
    const vector = this.#changedVector()
    this.#port.send(RELAY_ACK, encodeAck({ round: step.round, part: step.part, arrival: step.upTo, vector }))
    this.#port.consumed(step.bytes)
    const entries: VectorEntry[] = []
    for (const item of step.items) {
      if (item.kind === 'vector') entries.push(item.entry)
      else if (item.kind === 'envelope') this.#received += 1
    }
    this.#port.applied(entries, step.roundEnd)
  }

  #refuse(step: Step, error: unknown): void {
    // Anything but an operating fault is a bug and crashes the cell.
    if (!(error instanceof BlazeError)) throw error
    const at = step.kind === 'part' ? step : { round: 0, part: 0 }
    this.#port.send(
      RELAY_SPOILED,
      encodeSpoiled({ round: at.round, part: at.part, code: error.code, text: error.message }),
    )
    this.end()
    this.#port.refused(error)
  }

  #changedVector(): VectorEntry[] {
    const changed: VectorEntry[] = []
    // A misfit takes parts, and acknowledges no write by that.
    if (this.#replica.misfit.rebase !== undefined) return changed
    for (const entry of this.#replica.vector().values()) {
      const key = bytesKey(entry.replicaId)
      if (this.#told.get(key) === entry.seq) continue
      this.#told.set(key, entry.seq)
      changed.push(entry)
    }
    return changed
  }
}

/** Of envelopes that are no deletions. */
function recordBytes(items: readonly PartItem[]): number {
  let bytes = 0
  for (const item of items)
    if (item.kind === 'envelope' && !isTombstone(item.bytes)) bytes += item.bytes.length
  return bytes
}
