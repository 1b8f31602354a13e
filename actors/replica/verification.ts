/**
 * Passes over a whole store beside those who use it (REPLICATION rule 26): one that is due by itself, at a small share of the time,
 * and one for whoever asks, at full speed. Both read one moment of the store.
 * Invariant: at most one pass runs at a time; what it finds is stored before it is told, so that no reopening forgets it.
 */
import { BlazeError, limits } from '../../runtime/index.ts'
import type { CryptoProvider, Env } from '../../runtime/index.ts'
import { Findings } from './finding.ts'
import type { Authority, ReplicaOptions, VerifyOptions, VerifyProgress, VerifyReport } from './replica.ts'
import { encodeSoundness, soundnessKey } from './row.ts'
import type { SoundnessRow } from './row.ts'
import { auditStore } from './store-audit.ts'
import type { AuditCounts } from './store-audit.ts'
import type { OrderedStore, StoreSnapshot } from './store.ts'

export interface VerificationHost {
  readonly env: Env
  readonly crypto: CryptoProvider
  readonly store: OrderedStore
  readonly own?: ReplicaOptions['own']
  readonly spaceId: Uint8Array
  readonly authority: Authority
  /** As the opening stored it. */
  readonly soundness: SoundnessRow
  /** A snapshot of just what is synced, and how many tags it has. */
  snapshot(): Promise<{ readonly snapshot: StoreSnapshot; readonly tags: number }>
  /** A pass found that. */
  poison(error: BlazeError): void
}

type Pause = (worked: AuditCounts) => Promise<void>

export class Verification {
  readonly #host: VerificationHost
  readonly #ended = new AbortController()
  /** Ends the pass that runs by itself. */
  #background = new AbortController()
  #last: Promise<unknown> = Promise.resolve()
  #progress: VerifyProgress | undefined
  #soundness: SoundnessRow

  constructor(host: VerificationHost) {
    this.#host = host
    this.#soundness = host.soundness
    const ageMs = host.env.now() - host.soundness.verifiedAtMs
    // In the future: a clock was set back, and nobody knows how old the last pass is.
    if (ageMs < 0 || ageMs > limits.verifyEveryMs) this.#schedule()
  }

  /** Of the pass that runs, or undefined. */
  get progress(): VerifyProgress | undefined {
    return this.#progress
  }

  /** Begins when the opening is over and done with, and takes its time. */
  #schedule(): void {
    const { signal } = this.#background
    const pass = async (): Promise<void> => {
      await this.#sleep(limits.verifyDelayMs, signal)
      await inTurn(this.#host.env, () => this.#next(() => this.#pass({ signal }, this.#paced(signal))))
    }
    pass().catch((error: unknown) => {
      // Ended, or the store failed: then its replica has told everybody.
      if (!(error instanceof BlazeError)) throw error
    })
  }

  /** Runs a pass now; the one that was due is done with it. */
  run(options: VerifyOptions): Promise<VerifyReport> {
    this.#background.abort()
    return this.#next(() => this.#pass(options, async () => {}))
  }

  /** Ends what runs. Idempotent. */
  async close(): Promise<void> {
    this.#ended.abort()
    this.#background.abort()
    await this.#last
  }

  /** Something in use was found damaged: the next opening looks at everything. */
  async noteDamaged(): Promise<void> {
    try {
      await this.#note({ isDamaged: true })
    } catch (error) {
      // A disk that fails too is found out by the opening.
      if (!(error instanceof BlazeError)) throw error
    }
  }

  /** The session ended in order: all that it did was synced. */
  noteClosed(): Promise<void> {
    return this.#note({ isOpen: false })
  }

  #next<T>(pass: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(pass)
    this.#last = turn.catch(() => undefined)
    return turn
  }

  async #pass(options: VerifyOptions, pace: Pause): Promise<VerifyReport> {
    const { env, crypto, store, own } = this.#host
    const startedMs = env.monotonic()
    this.#check(options.signal)
    const files = new Findings()
    for (const problem of (await store.verifyFiles?.(() => pace(NO_COUNTS))) ?? []) files.add(problem)
    this.#check(options.signal)
    // Rows are not read through files that disagree: that may end the process.
    if (files.count > 0) return this.#report(NO_COUNTS, files, startedMs)
    const { snapshot, tags } = await this.#host.snapshot()
    try {
      const after = async (counts: AuditCounts): Promise<void> => {
        // Every tag has one arrival.
        this.#progress = { rows: counts.rows, rowsExpected: Math.max(counts.rows, counts.commits + 2 * tags) }
        options.onProgress?.(this.#progress)
        await pace(counts)
        this.#check(options.signal)
      }
      const { spaceId, authority } = this.#host
      const isSigned = options.signatures === true
      const pause = { rows: isSigned ? limits.verifySignedPageRows : limits.verifyPageRows, after }
      const { counts, findings } = await auditStore({
        store: snapshot,
        crypto,
        ownReplicaId: own?.replicaId,
        visit: options.visit,
        signed: isSigned ? { spaceId, authority } : undefined,
        pause,
      })
      return await this.#report(counts, findings, startedMs)
    } catch (error) {
      // A disk that cannot be read is found here first while nobody writes.
      if (error instanceof BlazeError && error.code === 'POISONED') this.#host.poison(error)
      throw error
    } finally {
      this.#progress = undefined
      await snapshot.close()
    }
  }

  async #report(counts: AuditCounts, findings: Findings, startedMs: number): Promise<VerifyReport> {
    const { env } = this.#host
    const error = findings.error()
    if (error === undefined) await this.#note({ verifiedAtMs: env.now() })
    else {
      try {
        await this.#note({ isDamaged: true })
      } finally {
        this.#host.poison(error)
      }
    }
    const { problems, count } = findings
    return { ...counts, problems, count, tookMs: env.monotonic() - startedMs }
  }

  /** Not a change of the replica, so no batch record tells of it. */
  async #note(change: Partial<SoundnessRow>): Promise<void> {
    this.#soundness = { ...this.#soundness, ...change }
    const value = encodeSoundness(this.#soundness)
    await this.#host.store.batch([{ type: 'put', key: soundnessKey, value }])
  }

  /** After each page the pass rests for so long that others have most of the time. */
  #paced(signal: AbortSignal): Pause {
    const { env } = this.#host
    let since = env.monotonic()
    return async () => {
      const workedMs = Math.min(env.monotonic() - since, limits.verifyPageMsMax)
      await this.#sleep(workedMs * limits.verifyRestFactor, signal)
      since = env.monotonic()
    }
  }

  #sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = this.#host.env.after(ms, () => {
        signal.removeEventListener('abort', stop)
        resolve()
      })
      const stop = (): void => {
        timer.cancel()
        reject(new BlazeError('ABORTED', 'the pass was ended'))
      }
      if (signal.aborted) stop()
      else signal.addEventListener('abort', stop, { once: true })
    })
  }

  #check(signal: AbortSignal | undefined): void {
    if (this.#ended.signal.aborted) throw new BlazeError('CLOSED', 'the replica is closed')
    if (signal?.aborted === true) throw new BlazeError('ABORTED', 'the pass was ended by its caller')
  }
}

/** The newest pass of a process that runs by itself. */
const turns = new WeakMap<Env, Promise<unknown>>()

/** After a power cut a supervisor has many passes due: one after the other they stay a small share of the time. */
function inTurn<T>(env: Env, pass: () => Promise<T>): Promise<T> {
  const turn = (turns.get(env) ?? Promise.resolve()).then(pass)
  turns.set(
    env,
    turn.catch(() => undefined),
  )
  return turn
}

const NO_COUNTS: AuditCounts = { rows: 0, bytes: 0, commits: 0, tags: 0, envelopes: 0 }
