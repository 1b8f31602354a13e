/** The only source of time, chance, entropy and logging. Nothing below it reads a clock or rolls a die by itself. */
import { createChance } from './chance.ts'
import { limits } from './limits.ts'

export interface Timer {
  /** After this returns the callback will not run. Harmless when it already ran. */
  cancel(): void
}

export interface Log {
  debug(event: string, details?: object): void
  info(event: string, details?: object): void
  warn(event: string, details?: object): void
  error(event: string, details?: object): void
}

export interface Env {
  /** Wall clock, ms since the epoch. May jump. */
  now(): number
  /** Fractional ms since some fixed point. Never goes back. */
  monotonic(): number
  /** Runs `fn` once after at least `delayMs`. Keeps the process alive until cancelled. */
  after(delayMs: number, fn: () => void): Timer
  /** In [0, 1). Not for secrets. */
  random(): number
  /** Cryptographic on Node; reproducible in simulation. */
  entropy(bytes: number): Uint8Array
  /** Runs `fn` after the callbacks that are already pending, so that sockets and timers get their turn. FIFO. */
  defer(fn: () => void): void
  readonly log: Log
}

export const silentLog: Log = {
  debug() {},
  info() {},
  warn() {},
  error() {},
}

/** The real world. */
export function createNodeEnv(options: { log?: Log } = {}): Env {
  const chance = createChance(seedFromEntropy())
  return {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    after: nativeTimer,
    random: chance,
    entropy: nativeEntropy,
    defer: (fn) => {
      setImmediate(fn)
    },
    log: options.log ?? silentLog,
  }
}

function nativeTimer(delayMs: number, fn: () => void): Timer {
  return new NativeTimer(delayMs, fn)
}

/** A class, because every connection holds some: methods cost nothing each. */
class NativeTimer implements Timer {
  readonly #fn: () => void
  #restMs: number
  #handle: NodeJS.Timeout | undefined

  constructor(delayMs: number, fn: () => void) {
    this.#fn = fn
    this.#restMs = delayMs
    this.#arm()
  }

  cancel(): void {
    clearTimeout(this.#handle)
  }

  #arm(): void {
    const pieceMs = Math.min(this.#restMs, limits.nativeTimerMsMax)
    this.#restMs -= pieceMs
    this.#handle = setTimeout(() => (this.#restMs > 0 ? this.#arm() : this.#fn()), pieceMs)
  }
}

function nativeEntropy(bytes: number): Uint8Array {
  const out = new Uint8Array(bytes)
  // The platform refuses more than 65,536 bytes a call.
  for (let at = 0; at < bytes; at += 65_536) globalThis.crypto.getRandomValues(out.subarray(at, at + 65_536))
  return out
}

function seedFromEntropy(): number {
  const view = new DataView(nativeEntropy(8).buffer)
  return view.getUint32(0) * 0x20_0000 + (view.getUint32(4) >>> 11)
}
