/**
 * One direction of one connection: takes bytes from a socket and gives them to another as its faults allow.
 * Invariant: bytes leave in order and without a gap, and what waits here is bounded, since nothing more is read above it.
 */
import type { Socket } from 'node:net'
import type { Faults } from './fault.ts'

/** Bytes that wait here before the source is paused: those of a socket buffer. */
const waitingBytesMax = 262_144
/** Bytes that are lost or not lost together. */
const segmentBytes = 1_460
/** Doublings of the wait after a loss. */
const lossesMax = 6

/** What a direction asks of its connection. */
export interface Way {
  readonly faults: () => Faults
  readonly chance: () => number
  /** Bytes that may still pass before a reset; takes that many. Fewer than asked for means that the reset follows. */
  readonly grant: (bytes: number) => number
  readonly reset: () => void
}

interface Piece {
  readonly bytes: Uint8Array
  dueMs: number
}

export class Direction {
  readonly name: 'up' | 'down'
  readonly #from: Socket
  readonly #to: Socket
  readonly #way: Way
  #pieces: Piece[] = []
  #waitingBytes = 0
  #freeMs = 0
  #lastDueMs = 0
  #ended = false
  #swallowed = false
  #blocked = false
  #timer: NodeJS.Timeout | undefined
  #immediate: NodeJS.Immediate | undefined

  constructor(name: 'up' | 'down', from: Socket, to: Socket, way: Way) {
    this.name = name
    this.#from = from
    this.#to = to
    this.#way = way
    from.on('data', (chunk: Buffer) => this.#take(chunk))
    from.on('end', () => {
      this.#ended = true
      this.#pump()
    })
    to.on('drain', () => {
      this.#blocked = false
      this.#pump()
    })
  }

  /** Whether the end of its source may be told. */
  get swallows(): boolean {
    const { halfOpen, oneWay } = this.#way.faults()
    if (halfOpen || (oneWay !== undefined && oneWay !== this.name)) this.#swallow()
    return this.#swallowed
  }

  /** Other faults hold from now on, also for what waits. */
  changed(): void {
    if (this.swallows) return
    const nowMs = performance.now()
    this.#freeMs = nowMs
    this.#lastDueMs = nowMs
    for (const piece of this.#pieces) piece.dueMs = nowMs
    this.#wake()
    this.#pump()
  }

  close(): void {
    this.#wake()
    this.#pieces = []
  }

  #swallow(): void {
    if (this.#swallowed) return
    this.#swallowed = true
    this.#pieces = []
    this.#waitingBytes = 0
    // The source goes on sending, as to a machine that is there no more.
    this.#from.resume()
  }

  #take(chunk: Buffer): void {
    if (this.swallows) return
    const { slice } = this.#way.faults()
    const bytesMax = slice > 0 ? slice : chunk.length
    for (let at = 0; at < chunk.length; at += bytesMax) {
      const bytes = chunk.subarray(at, at + bytesMax)
      this.#pieces.push({ bytes, dueMs: this.#due(bytes.length) })
    }
    this.#waitingBytes += chunk.length
    if (this.#waitingBytes > waitingBytesMax) this.#from.pause()
    this.#pump()
  }

  /** When bytes that come now reach the other side. */
  #due(bytes: number): number {
    const { latencyMs, jitterMs, rate } = this.#way.faults()
    const nowMs = performance.now()
    this.#freeMs = Math.max(this.#freeMs, nowMs) + (rate > 0 ? (bytes * 1_000) / rate : 0)
    const dueMs = this.#freeMs + latencyMs + jitterMs * this.#way.chance() + this.#stall(bytes)
    // One that was lost holds up those behind it.
    this.#lastDueMs = Math.max(this.#lastDueMs, dueMs)
    return this.#lastDueMs
  }

  #stall(bytes: number): number {
    const { loss, stallMs } = this.#way.faults()
    if (loss === 0) return 0
    let waitMs = 0
    for (let left = bytes; left > 0; left -= segmentBytes) {
      // A small write is a part of a segment, and lost as seldom.
      let chance = loss * Math.min(1, left / segmentBytes)
      for (let times = 0; times < lossesMax && this.#way.chance() < chance; times += 1) {
        waitMs += stallMs * 2 ** times
        chance = loss
      }
    }
    return waitMs
  }

  #pump(): void {
    if (this.#timer !== undefined || this.#immediate !== undefined) return
    const { hold, slice } = this.#way.faults()
    for (;;) {
      if (hold || this.#blocked || this.#swallowed || this.#to.destroyed) return
      const piece = this.#pieces[0]
      if (piece === undefined) break
      const leftMs = piece.dueMs - performance.now()
      if (leftMs > 0) {
        this.#timer = setTimeout(() => this.#again(), Math.ceil(leftMs))
        return
      }
      this.#pieces.shift()
      if (!this.#write(piece.bytes)) return
      if (slice > 0 && this.#pieces.length > 0) {
        // Only another turn makes another segment of it.
        this.#immediate = setImmediate(() => this.#again())
        return
      }
    }
    if (this.#ended && !this.#to.writableEnded) this.#to.end()
  }

  /** False when nothing may follow. */
  #write(bytes: Uint8Array): boolean {
    const granted = this.#way.grant(bytes.length)
    this.#waitingBytes -= bytes.length
    if (granted > 0) this.#blocked = !this.#to.write(bytes.subarray(0, granted))
    if (granted < bytes.length) {
      this.#way.reset()
      return false
    }
    if (this.#waitingBytes <= waitingBytesMax / 2) this.#from.resume()
    return true
  }

  #again(): void {
    this.#wake()
    this.#pump()
  }

  #wake(): void {
    clearTimeout(this.#timer)
    clearImmediate(this.#immediate)
    this.#timer = undefined
    this.#immediate = undefined
  }
}
