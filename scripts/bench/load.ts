/**
 * An open loop: starts work at fixed times, whether or not earlier work is done, so that a stall shows in what came after it.
 *
 * Invariant: it starts exactly `updates` pieces of work, and resolves only after all of them.
 */
import type { LoadPlan } from './device-calls.ts'

/** How late a timer may fire without the work being charged for it: timers have whole milliseconds. */
const timerSlackMs = 1.5

/** Missing updates that an error names. */
const namedMax = 10

/** Milliseconds since some point of the past that all processes of this machine share. */
export function machineMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

/** `work` gets its number and its start: when its time came, or when the loop got to it if that was just the timer. */
export async function openLoop(
  { updates, perSecond }: LoadPlan,
  work: (n: number, startMs: number) => Promise<void>,
): Promise<void> {
  const stepMs = 1000 / perSecond
  const firstMs = machineMs() + stepMs
  const pending: Promise<void>[] = []
  let next = 0
  await new Promise<void>((resolve) => {
    const tick = (): void => {
      for (let nowMs = machineMs(); next < updates && firstMs + next * stepMs <= nowMs; nowMs = machineMs()) {
        const started = work(next, Math.min(nowMs, firstMs + next * stepMs + timerSlackMs))
        // Reported by the await below; until then it must not count as unhandled.
        started.catch(() => undefined)
        pending.push(started)
        next += 1
      }
      if (next === updates) resolve()
      else setTimeout(tick, Math.max(0, firstMs + next * stepMs - machineMs()))
    }
    tick()
  })
  await Promise.all(pending)
}

/** Collects one figure an update, its latency or when it was seen, and says when all are there. */
export class Latencies {
  readonly #byNumber = new Map<number, number>()
  #waiting: { updates: number; done: () => void } | undefined

  /** Only the first sight of an update counts. */
  note(n: number, figureMs: number): void {
    if (!this.#byNumber.has(n)) this.#byNumber.set(n, figureMs)
    if (this.#waiting !== undefined && this.#byNumber.size >= this.#waiting.updates) this.#waiting.done()
  }

  /** In order of the updates' numbers. Rejects with how many are missing after `timeoutMs`. */
  async all(updates: number, timeoutMs: number): Promise<number[]> {
    let timer: NodeJS.Timeout | undefined
    await new Promise<void>((resolve, reject) => {
      const late = (): void => reject(this.#missing(updates))
      timer = setTimeout(late, timeoutMs)
      this.#waiting = { updates, done: resolve }
      if (this.#byNumber.size >= updates) resolve()
    }).finally(() => clearTimeout(timer))
    return [...this.#byNumber].sort(([a], [b]) => a - b).map(([, figureMs]) => figureMs)
  }

  #missing(updates: number): Error {
    const missing = Array.from({ length: updates }, (_, n) => n).filter((n) => !this.#byNumber.has(n))
    const named = `${missing.slice(0, namedMax).join(' ')}${missing.length > namedMax ? ' …' : ''}`
    return new Error(`${this.#byNumber.size} of ${updates} updates were seen, not ${named}`)
  }
}
