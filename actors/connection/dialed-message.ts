/** What the dialling side of a connection is told, what it needs, and what it reports. No code, only shapes. */
import type { BlazeError, CryptoProvider, Signer } from '../../runtime/index.ts'
import type { Endpoint, Link, Transport } from '../../transports/index.ts'
import type { RelayReport } from '../relay/index.ts'
import type { Space } from '../team/index.ts'
import type { MarkTable } from './mark-table.ts'
import type { Secured } from './secure-link.ts'

export interface DialedOptions {
  readonly transport: Transport
  /** In order of preference; at least one. */
  readonly endpoints: readonly Endpoint[]
  /** The supervisor's pinned P-256 static key, 65 bytes. */
  readonly serverKey: Uint8Array
  /** How a planned change of that key is taken: only from the supervisor's Ed25519 key, and stored before it is used. Absent: never. */
  readonly successor?: {
    readonly serverDevice: Uint8Array
    store(serverKey: Uint8Array): Promise<void>
  }
  /** This device's P-256 scalar and Ed25519 key. */
  readonly staticKey: Uint8Array
  readonly device: Signer
  readonly crypto: CryptoProvider
  readonly space: Space
  readonly ownReplica: Uint8Array
  /** Name to register the space under, until the supervisor confirmed it once. Absent for a device that joined. */
  readonly register?: string
  /** Who waits for marks; tell `dialed.mark` after adding to it. */
  readonly marks: MarkTable
  /** Called in a turn of the cell, after every change. */
  report(report: ConnectionReport): void
}

/** Where a connection stands. Plain data. */
export interface ConnectionReport {
  readonly state: string
  readonly endpoint: string
  /** Failed attempts since the last success. */
  readonly attempts: number
  /** Why the last attempt or stream failed. */
  readonly error: BlazeError | undefined
  readonly registered: boolean
  readonly relay: RelayReport | undefined
  readonly roundTripMs: number | undefined
  /** Bytes of all streams that have not left. */
  readonly queuedBytes: number
}

/** `attempt`: the number of the dial it belongs to; what is late is ignored. `relay`: likewise of the relay. */
export type DialedMessage =
  | { type: 'dialed.linked'; attempt: number; link: Link }
  | { type: 'dialed.secured'; attempt: number; secured: Secured }
  | { type: 'dialed.tick' }
  | { type: 'dialed.awake'; attempt: number; atMs: number }
  | { type: 'dialed.renewed'; attempt: number; endpoint: Endpoint; secured: Secured }
  | { type: 'dialed.renewFailed'; attempt: number; endpoint: Endpoint; error: BlazeError }
  | { type: 'dialed.registered'; attempt: number }
  | { type: 'dialed.failed'; attempt: number; error: BlazeError }
  | { type: 'dialed.relay' }
  | { type: 'dialed.relayEnded'; relay: number; error: BlazeError }
  | { type: 'dialed.reopen' }
  | { type: 'dialed.retry' }
  | { type: 'dialed.mark' }
  | {
      type: 'dialed.request'
      operation: number
      body: Uint8Array
      timeoutMs: number
      settle: (result: { body: Uint8Array } | { error: BlazeError }) => void
    }
