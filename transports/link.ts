/**
 * The contract of a link: records in order between two endpoints, with back-pressure and an honest close.
 * Invariant: nothing is delivered before `attach`, while paused, or after `closed`; `closed` comes exactly once.
 */
import { limits } from '../runtime/index.ts'
import type { BlazeError } from '../runtime/index.ts'

export interface LinkHandlers {
  /** One record of 1 to 65,535 bytes, valid until the handler returns. */
  record(bytes: Uint8Array): void
  /** After a `send` that said false: there is room again. */
  drain(): void
  /** The end. Undefined: either side closed in order. `LINK_CLOSED`, `PROTOCOL_VIOLATION` or `OVERLOADED`: it did not. */
  closed(error: BlazeError | undefined): void
}

export interface Link {
  readonly transport: 'memory' | 'tls' | 'uds' | 'wss' | 'ws'
  /** Address of the peer, for logs. */
  readonly remote: string
  /** What names this link at both ends and nowhere else (RFC 9266): 32 bytes, or empty where the transport has no such name. */
  readonly binding: Uint8Array
  /** Starts delivery; what came earlier comes now. Later calls replace the handlers. */
  attach(handlers: LinkHandlers): void
  /**
   * Takes a record, which must not change afterwards; does nothing after the end. False: above high water, wait for `drain`.
   * `TypeError` unless it has 1 to 65,535 bytes.
   */
  send(record: Uint8Array): boolean
  /** No record is delivered from now on, not even one that has arrived. */
  pause(): void
  resume(): void
  /** Sends what was taken, then ends. Delivers nothing but `closed` from now on. */
  close(): void
  /** Ends now; what was not sent is lost. `error` is what `closed` reports here; the peer sees `LINK_CLOSED`. */
  destroy(error?: BlazeError): void
}

/** What every link checks of what it is given to send. */
export function expectRecord(record: Uint8Array): void {
  if (record.length < 1 || record.length > limits.recordBytesMax)
    throw new TypeError(`record: expected 1 to ${limits.recordBytesMax} bytes, got ${record.length}`)
}
