/** What a guest needs, what it is told, and what it reports. No code, only shapes. */
import type { BlazeError, CryptoProvider, Env, System } from '../../../runtime/index.ts'
import type { Transport } from '../../../transports/index.ts'
import type { RecordRequest, Reply } from '../../database/index.ts'
import type { Volume } from '../../replica/index.ts'
import type { AppGroup, AppIdentity } from '../group/index.ts'
import type { GuestLink } from './guest-link.ts'
import type { GuestSession } from './guest-session.ts'

export interface GuestOptions {
  readonly world: {
    readonly system: System
    readonly env: Env
    readonly crypto: CryptoProvider
    /** How apps of this device are dialled. */
    readonly local: Transport
    volume(at: string): Volume
  }
  readonly group: AppGroup
  readonly app: AppIdentity
  /** As the host opened it. */
  readonly database: string
  readonly mode: 'readOnly' | 'readWrite'
  /** Of this process, for people. */
  readonly pid: number
}

/** Where a guest stands. Plain data. */
export interface GuestReport {
  readonly state:
    'connecting' | 'handshake' | 'attaching' | 'passing' | 'live' | 'failover' | 'refused' | 'closing'
  /** Why the last attempt, link or stream ended. */
  readonly error: BlazeError | undefined
  /** Failed attempts since it was live last. */
  readonly attempts: number
  /** Of the policy that the copy was made under, in hexadecimal. */
  readonly policyVersion: string | undefined
  /** Space id of the host, in hexadecimal. */
  readonly space: string | undefined
  /** By the wish of this guest, or as the host said last. */
  readonly readOnly: boolean
  /** Arrival of the host that the copy reaches. */
  readonly position: number
  /** That the host said last it exports. */
  readonly collections: readonly string[]
  /** Passes that were completed since the guest was opened. */
  readonly passes: number
}

/** What the handle asks; the reply is called exactly once. */
export type GuestRequest =
  | RecordRequest
  | { readonly type: 'guest.mark'; readonly timeoutMs: number; readonly reply: Reply<void> }
  /** Ends all calls, writes what is shown, closes the copy. Answered when the directory is free. */
  | { readonly type: 'guest.close'; readonly reply: Reply<void> }

export type GuestMessage =
  | GuestRequest
  | { readonly type: 'guest.opened'; readonly session: GuestSession }
  | { readonly type: 'guest.copyFailed'; readonly error: BlazeError }
  | { readonly type: 'guest.ended'; readonly link: GuestLink; readonly error: BlazeError }
  | { readonly type: 'guest.reset'; readonly link: GuestLink; readonly error: BlazeError }
  | { readonly type: 'guest.reattach'; readonly link: GuestLink }
  | { readonly type: 'guest.sweep' }
  | { readonly type: 'guest.dial' }
