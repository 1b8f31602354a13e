/**
 * Feeds a decoder with changed encodings until its time is over.
 *
 * Invariant: a decoder returns, or throws one of the codes that it documents, in bounded time and memory; anything else is a failure
 * that names the target, the seed and the bytes, so that it can be run again.
 */
import { BlazeError, createChance } from '../../runtime/index.ts'
import type { ErrorCode } from '../../runtime/index.ts'
import { mutate } from './mutate.ts'

export interface FuzzTarget {
  readonly name: string
  /** What its decoder documents; `TypeError` for those that are given an argument of the application. */
  readonly codes: readonly (ErrorCode | 'TypeError')[]
  /** Valid encodings, which it takes. */
  readonly seeds: readonly Uint8Array[]
  /** Further inputs, which it need not take. */
  readonly hostile?: readonly Uint8Array[]
  /** Longest input; default 64 KiB. */
  readonly bytesMax?: number
  /** A promise is awaited. */
  decode(bytes: Uint8Array): unknown
}

export interface FuzzReport {
  readonly runs: number
  /** Inputs that were taken as valid. */
  readonly taken: number
  readonly slowestMs: number
}

export class FuzzFailure extends Error {
  override readonly name: string = 'FuzzFailure'
}

const BYTES_MAX_DEFAULT = 65_536
/** Far above what any input of that length needs, also on a machine that does something else. */
const DECODE_MS_MAX = 500
/** Memory that one input may cost above a few times its length. */
const DECODE_BYTES_MAX = 64 * 1_048_576
/** Inputs between two looks at the clock. */
const BATCH = 32
/** Longest input that a failure shows whole. */
const SHOWN_BYTES_MAX = 4_096

export async function fuzz(
  target: FuzzTarget,
  { seed, ms }: { seed: number; ms: number },
): Promise<FuzzReport> {
  const run = new Run(target, seed)
  for (const bytes of target.seeds) await run.expectTaken(bytes)
  for (const bytes of target.hostile ?? []) await run.decode(bytes)
  const chance = createChance(seed)
  const inputs = [...target.seeds, ...(target.hostile ?? [])]
  const untilMs = performance.now() + ms
  do {
    for (let n = 0; n < BATCH; n += 1)
      await run.decode(mutate(inputs, chance, target.bytesMax ?? BYTES_MAX_DEFAULT))
  } while (performance.now() < untilMs)
  return run
}

class Run implements FuzzReport {
  readonly #target: FuzzTarget
  readonly #seed: number
  runs = 0
  taken = 0
  slowestMs = 0

  constructor(target: FuzzTarget, seed: number) {
    this.#target = target
    this.#seed = seed
  }

  async expectTaken(bytes: Uint8Array): Promise<void> {
    const before = this.taken
    await this.decode(bytes)
    if (this.taken === before) throw this.#failure('a valid encoding is refused', bytes)
  }

  async decode(bytes: Uint8Array): Promise<void> {
    this.runs += 1
    const before = memory()
    const startMs = performance.now()
    try {
      await this.#target.decode(bytes)
      this.taken += 1
    } catch (error) {
      if (!this.#isDocumented(error)) throw this.#failure(`it threw ${describe(error)}`, bytes, error)
    }
    const ms = performance.now() - startMs
    this.slowestMs = Math.max(this.slowestMs, ms)
    if (ms > DECODE_MS_MAX && (await this.#isSlow(bytes)))
      throw this.#failure(`it took ${Math.round(ms)} ms`, bytes)
    const grown = memory() - before
    if (grown > DECODE_BYTES_MAX) throw this.#failure(`it took ${Math.round(grown / 1_048_576)} MiB`, bytes)
  }

  #isDocumented(error: unknown): boolean {
    const { codes } = this.#target
    if (error instanceof BlazeError) return codes.includes(error.code)
    return error instanceof TypeError && codes.includes('TypeError')
  }

  /** A machine that is busy is slow once, a decoder each time. */
  async #isSlow(bytes: Uint8Array): Promise<boolean> {
    for (let again = 0; again < 3; again += 1) {
      const startMs = performance.now()
      try {
        await this.#target.decode(bytes)
      } catch (error) {
        if (!this.#isDocumented(error)) throw this.#failure(`it threw ${describe(error)}`, bytes, error)
      }
      if (performance.now() - startMs < DECODE_MS_MAX) return false
    }
    return true
  }

  #failure(problem: string, bytes: Uint8Array, cause?: unknown): FuzzFailure {
    const hex = Buffer.from(bytes.subarray(0, SHOWN_BYTES_MAX)).toString('hex')
    const cut = bytes.length > SHOWN_BYTES_MAX ? `… (${bytes.length} bytes)` : ''
    const text = `${this.#target.name}, seed ${this.#seed}, input ${this.runs}: ${problem}\n  bytes ${hex}${cut}`
    return new FuzzFailure(text, { cause })
  }
}

function memory(): number {
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

function describe(error: unknown): string {
  if (error instanceof BlazeError) return `${error.code}, which it does not document: ${error.message}`
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
}
