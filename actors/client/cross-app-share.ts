/**
 * The handle on a database that other apps of this device can connect to: watches the share actor, and answers what an app asks.
 * Invariant: it is of one app group for good; once stopped it stays stopped, and another call makes another handle.
 */
import { BlazeError, isPlainObject, type Env } from '../../runtime/index.ts'
import type { Grants, GuestStatus, Share, ShareStatus } from '../topology/host/index.ts'
import type { ExportPolicy } from '../topology/policy/index.ts'
import { checkGrants, checkPolicy, expectNames } from './cross-app-option.ts'
import { bounded, type WaitOptions } from './deadline.ts'
import { ReportWait } from './report-wait.ts'

export interface ShareTerms {
  readonly env: Env
  readonly appGroup: string
  /** The name that guests connect to. */
  readonly database: string
  /** Of this app in the group. */
  readonly app: string
  readonly policy: ExportPolicy
  readonly grants: Grants | undefined
}

export class CrossAppShare {
  readonly appGroup: string
  /** The name that guests connect to. */
  readonly database: string
  /** Id of this app in the group. */
  readonly app: string
  readonly #env: Env
  readonly #share: Share
  readonly #wait: ReportWait
  #policy: ExportPolicy
  #grants: Grants | undefined
  #begun = false
  #failure: Error | undefined
  #stopping: Promise<void> | undefined

  /** Only for the client. `start` is given what the actor calls whenever something changed. */
  constructor(terms: ShareTerms, start: (report: () => void) => Share) {
    this.appGroup = terms.appGroup
    this.database = terms.database
    this.app = terms.app
    this.#env = terms.env
    this.#policy = terms.policy
    this.#grants = terms.grants
    this.#wait = new ReportWait(terms.env, () => this.why())
    this.#share = start(() => this.#wait.wake())
    this.#share.started.then(
      () => {
        this.#begun = true
        this.#wait.wake()
      },
      (error: unknown) => {
        this.#failure = error instanceof Error ? error : new Error('the share failed', { cause: error })
        this.#wait.wake()
      },
    )
  }

  get policy(): ExportPolicy {
    return this.#policy
  }

  /**
   * Takes effect for all guests at once: what is on its way under the old policy is dropped. Without `grants` those of before stay.
   * Throws `TypeError`, and `CLOSED` after `stop`.
   */
  setPolicy(policy: ExportPolicy, options: { readonly grants?: Grants } = {}): void {
    checkPolicy(policy, 'policy')
    if (!isPlainObject(options)) throw new TypeError('options: expected a plain object')
    expectNames(options, 'options', ['grants'])
    const { grants } = options
    this.replace(policy, grants === undefined ? this.#grants : checkGrants(grants))
  }

  /** Both anew; without grants every app of the group may come in. For the client. */
  replace(policy: ExportPolicy, grants: Grants | undefined): void {
    if (this.ended) throw new BlazeError('CLOSED', 'sharing was stopped')
    this.#policy = policy
    this.#grants = grants
    this.#share.setPolicy(policy, grants)
  }

  /** Plain data. */
  status(): ShareStatus {
    return this.#share.status()
  }

  /** One sentence: where sharing stands, and what to do. */
  why(): string {
    const { state, error, guests } = this.status()
    const what = `"${this.database}" in the app group ${this.appGroup}`
    const reason = error === undefined ? '' : ` (${error.code}: ${error.message})`
    switch (state) {
      case 'opening':
        return `opening the socket for ${what}${reason}`
      case 'listening':
        return `sharing ${what}, ${guests.filter(isConnected).length} connected; other apps of the group connect with connectToShared`
      case 'failed':
        return `${what} is not shared now${reason}; it is tried again by itself`
      case 'stopped':
        return `sharing ${what} was stopped; call enableCrossAppSync to share it again`
    }
  }

  /** Lets every guest go. Idempotent; the database stays open. */
  stop(options: WaitOptions = {}): Promise<void> {
    return bounded(this.#env, 'stop', options, () => {
      this.#stopping ??= this.#share.stop()
      this.#wait.wake()
      return this.#stopping
    })
  }

  /** It will not start again, or its actor has given up. For the client. */
  get ended(): boolean {
    return this.#stopping !== undefined || this.status().state === 'stopped'
  }

  /** Resolves when guests can connect. Rejects with why they never could, `CLOSED`, `TIMEOUT`, `ABORTED`. For the client. */
  listening(options: WaitOptions): Promise<void> {
    return this.#wait.until('enableCrossAppSync', options, () => {
      if (this.#failure !== undefined && this.#stopping === undefined) throw this.#failure
      // An actor that never listened tells why a moment after it gave up.
      if (this.#stopping !== undefined || (this.#begun && this.ended)) {
        throw new BlazeError('CLOSED', 'sharing was stopped')
      }
      return this.#begun && this.status().state === 'listening'
    })
  }
}

function isConnected({ state }: GuestStatus): boolean {
  return state === 'passing' || state === 'live'
}
