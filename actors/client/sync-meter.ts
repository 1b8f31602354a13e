/**
 * Rates and ages of a sync, from the reports of its connection. Invariant: it keeps a few numbers, however many reports come, and a
 * relay that begins to count anew takes nothing away.
 */
import { equalBytes, limits, type Env } from '../../runtime/index.ts'

/** Writes a second, over the last seconds in which anything was reported. */
export interface SyncRates {
  readonly sent: number
  readonly received: number
}

interface Sample {
  readonly atMs: number
  readonly sent: number
  readonly received: number
}

interface Waiting {
  readonly seq: number
  readonly sinceMs: number
}

export class SyncMeter {
  readonly #env: Env
  #replicaId: Uint8Array = new Uint8Array()
  #relay = { sent: 0, received: 0 }
  #total = { sent: 0, received: 0 }
  #samples: Sample[] = []
  /** Own writes that are not confirmed: the oldest, and some of the later ones, ascending. */
  #waiting: Waiting[] = []

  constructor(env: Env) {
    this.#env = env
    this.#sample()
  }

  counted(counts: { readonly sent: number; readonly received: number } | undefined): void {
    if (counts === undefined) {
      this.#relay = { sent: 0, received: 0 }
      return
    }
    const { sent, received } = counts
    // Fewer than before: another relay.
    this.#total.sent += sent - (sent < this.#relay.sent ? 0 : this.#relay.sent)
    this.#total.received += received - (received < this.#relay.received ? 0 : this.#relay.received)
    this.#relay = { sent, received }
    this.#sample()
  }

  rates(): SyncRates {
    const nowMs = this.#env.monotonic()
    const first = this.#samples.find(({ atMs }) => nowMs - atMs <= limits.rateWindowMs)
    if (first === undefined) return { sent: 0, received: 0 }
    const seconds = Math.max(1, (nowMs - first.atMs) / 1000)
    return {
      sent: (this.#total.sent - first.sent) / seconds,
      received: (this.#total.received - first.received) / seconds,
    }
  }

  /** Own writes up to `written` are stored here, and those up to `confirmed` by the supervisor. A replica that took a new id counts anew. */
  wrote(replicaId: Uint8Array, written: number, confirmed: number): void {
    if (!equalBytes(replicaId, this.#replicaId)) {
      this.#replicaId = replicaId
      this.#waiting = []
      this.#samples = []
      this.#sample()
    }
    this.#waiting = this.#waiting.filter(({ seq }) => seq > confirmed)
    const last = this.#waiting.at(-1)
    if (written <= confirmed || written <= (last?.seq ?? 0)) return
    const sinceMs = this.#env.monotonic()
    if (last !== undefined && sinceMs - last.sinceMs < limits.rateWindowMs / 10) {
      // Counted as waiting for as long as those just before it.
      this.#waiting[this.#waiting.length - 1] = { seq: written, sinceMs: last.sinceMs }
    } else if (this.#waiting.length < limits.lagSamplesMax) this.#waiting.push({ seq: written, sinceMs })
    else this.#waiting[this.#waiting.length - 1] = { seq: written, sinceMs }
  }

  /** Age of the oldest own write that is not confirmed, to a tenth of the window. */
  lagMs(): number {
    const [oldest] = this.#waiting
    return oldest === undefined ? 0 : this.#env.monotonic() - oldest.sinceMs
  }

  #sample(): void {
    const atMs = this.#env.monotonic()
    const last = this.#samples.at(-1)
    if (last !== undefined && atMs - last.atMs < limits.rateWindowMs / 10) return
    this.#samples = this.#samples.filter((sample) => atMs - sample.atMs <= limits.rateWindowMs)
    this.#samples.push({ atMs, ...this.#total })
  }
}
