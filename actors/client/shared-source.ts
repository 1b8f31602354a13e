/**
 * What a guest knows of the database it is a guest of: watches the guest actor, and answers what an application asks.
 * Invariant: every waiting call ends, by what it waits for, its deadline, its signal, or `close` of the client.
 */
import { BlazeError, limits, type Env } from '../../runtime/index.ts'
import type { GuestDatabase, GuestReport } from '../topology/guest/index.ts'
import type { SharedMode } from './cross-app-option.ts'
import { bounded, stepwise, type WaitOptions } from './deadline.ts'
import { ReportWait } from './report-wait.ts'

export interface SharedTerms {
  readonly env: Env
  readonly appGroup: string
  readonly database: string
  /** Of this app in the group. */
  readonly app: string
  readonly mode: SharedMode
}

export class SharedSource {
  readonly appGroup: string
  /** The host's name of the database. */
  readonly database: string
  readonly mode: SharedMode
  readonly #app: string
  readonly #env: Env
  readonly #guest: GuestDatabase
  readonly #wait: ReportWait
  /** Wall clock when the host was last in reach, or since when it was not, ms. */
  #sinceMs: number
  #inReach = false
  #closed = false

  /** Only for the client. */
  constructor(terms: SharedTerms, guest: GuestDatabase) {
    this.appGroup = terms.appGroup
    this.database = terms.database
    this.mode = terms.mode
    this.#app = terms.app
    this.#env = terms.env
    this.#guest = guest
    this.#sinceMs = terms.env.now()
    this.#wait = new ReportWait(terms.env, () => this.why())
    guest.onReport(() => this.#moved())
  }

  /** Where the guest stands now. Plain data. */
  status(): GuestReport {
    return this.#guest.report()
  }

  /** One sentence: what the guest waits for, and what to do. */
  why(): string {
    return explain(this.status(), {
      what: this.#what,
      app: this.#app,
      since: new Date(this.#sinceMs).toISOString(),
      mode: this.mode,
    })
  }

  /**
   * Resolves when everything the host had committed when it was asked, and lets this guest see, is visible here. Waits while the
   * host is absent. Rejects with `TIMEOUT` (default 30 s; the message says why), `ABORTED`, `CLOSED`, or the code of a state that
   * retrying does not heal.
   */
  async caughtUp(options: WaitOptions = {}): Promise<void> {
    const left = stepwise(this.#env, options, limits.waitMs)
    for (;;) {
      await this.#wait.until('caughtUp', left(), () => this.#connected())
      if (await this.#marked(left())) return
      // The answer was lost with the link. It is asked again on the next one, not in a tight loop.
      await this.#wait.pause('caughtUp', left(), limits.failoverFirstMs)
    }
  }

  /**
   * Resolves when the host's state is visible, or when nobody shares and the copy of an earlier process is whole. Rejects with what
   * retrying does not heal, and at the deadline with why the host was not reached. For the client.
   */
  async ready(options: WaitOptions): Promise<void> {
    try {
      await this.#wait.until('connectToShared', options, () => {
        const { state, error } = this.#live('connectToShared')
        if (state === 'live') return true
        return state === 'failover' && error?.code === 'UNREACHABLE' && this.#guest.complete
      })
    } catch (error) {
      const reason = this.status().error
      if (!(error instanceof BlazeError && error.code === 'TIMEOUT') || reason === undefined) throw error
      const text =
        reason.code === 'UNREACHABLE'
          ? `nobody shares ${this.#what} now: start the app that shares it`
          : `${this.#what} was not reached in time: ${reason.message}`
      throw new BlazeError(reason.code, `connectToShared: ${text}`, { cause: reason })
    }
  }

  /** Whoever waits is told `CLOSED`. For the client. */
  close(): void {
    this.#closed = true
    this.#wait.wake()
  }

  get #what(): string {
    return `"${this.database}" in the app group ${this.appGroup}`
  }

  #connected(): boolean {
    const { state } = this.#live('caughtUp')
    return state === 'live' || state === 'passing'
  }

  /** Where the guest stands, unless nothing will come of it. */
  #live(what: string): GuestReport {
    if (this.#closed) throw new BlazeError('CLOSED', `${what}: the client was closed`)
    const report = this.status()
    if (report.state === 'refused') {
      throw new BlazeError(report.error?.code ?? 'REFUSED', `${what}: ${this.why()}`, { cause: report.error })
    }
    return report
  }

  #moved(): void {
    const { state } = this.status()
    const inReach = state === 'live' || state === 'passing'
    if (inReach !== this.#inReach) {
      this.#inReach = inReach
      this.#sinceMs = this.#env.now()
    }
    this.#wait.wake()
  }

  /** False when it has to be asked again. */
  async #marked(options: WaitOptions): Promise<boolean> {
    const { timeoutMs = limits.waitMs } = options
    try {
      await bounded(this.#env, 'caughtUp', options, this.#guest.mark(timeoutMs))
      return true
    } catch (error) {
      if (error instanceof BlazeError && passing.has(error.code)) return false
      throw error
    }
  }
}

/** After these a mark may succeed on another link. */
const passing: ReadonlySet<string> = new Set(['OFFLINE', 'LINK_CLOSED', 'TIMEOUT', 'BUSY', 'OVERLOADED'])

function explain(
  report: GuestReport,
  words: { what: string; app: string; since: string; mode: SharedMode },
): string {
  const { state, error, attempts, position } = report
  const { what, app, since } = words
  const writing =
    words.mode === 'readWrite' && report.readOnly ? '; its policy or grant allows no writing now' : ''
  const reason = error === undefined ? '' : ` (${error.code}: ${error.message})`
  switch (state) {
    case 'connecting':
    case 'handshake':
    case 'attaching':
      return `connecting to ${what}${reason}; what an earlier process was shown can be read meanwhile`
    case 'passing':
      return `receiving what ${what} holds, up to its change ${position} so far${reason}`
    case 'live':
      return `in step with ${what}: what it commits and shares is visible here at once${writing}`
    case 'failover':
      return error?.code === 'UNREACHABLE'
        ? `nobody has shared ${what} since ${since}: start the app that shares it; it is tried again by itself`
        : `${what} has been out of reach since ${since}, after ${attempts} attempts${reason}; it is tried again by itself`
    case 'refused':
      return `${what} refused this app${reason}: ${refusal(error, app)}`
    case 'closing':
      return `the connection to ${what} was closed; connectToShared makes another one`
  }
}

/** What to do about a refusal. */
function refusal(error: BlazeError | undefined, app: string): string {
  switch (error?.code) {
    case 'FORBIDDEN':
      return `the app that shares it has to grant access, as in enableCrossAppSync({ grants: { '${app}': 'readOnly' } }); then connect again`
    case 'READ_ONLY':
      return `connect with mode 'readOnly', or let the app that shares it allow writes to '${app}'`
    case 'GROUP_KEY_INVALID':
      return 'both apps have to use the same directory of the app group, with its key file untouched'
    case 'UNKNOWN_SPACE':
      return 'another database is shared there under this name; check the name and the app group'
    case 'UNSAFE_DIRECTORY':
      return 'the directory of the app group has to belong to this user alone, mode 0700'
    default:
      return 'retrying does not heal this; update the older of the two apps'
  }
}
