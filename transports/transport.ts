/** The contract of a transport: it makes links, by listening or by dialling, and knows nothing of what they carry. */
import type { Endpoint } from './endpoint.ts'
import type { Link } from './link.ts'

export interface Listener {
  /** With the port that was taken when 0 was asked for. */
  readonly endpoint: Endpoint
  /** Takes no more links and frees the port. Links handed out live on. */
  close(): Promise<void>
}

/** A peer that was cut off below the secure channel. */
export interface Refusal {
  /** Its address. */
  readonly remote: string
  readonly code: 'PROTOCOL_VIOLATION' | 'HANDSHAKE_TIMEOUT' | 'BUSY'
  readonly reason: string
}

export interface DialOptions {
  readonly signal?: AbortSignal
  readonly timeoutMs: number
}

export interface Transport {
  readonly name: string
  /**
   * `PORT_IN_USE`; `BAD_CONFIG` for an address that is not ours. `onLink` gets links that are ready for use, `onRefused` is told once of each
   * peer that never became one and did not just go away.
   */
  listen(
    endpoint: Endpoint,
    onLink: (link: Link) => void,
    onRefused?: (refusal: Refusal) => void,
  ): Promise<Listener>
  /** `UNREACHABLE`, `TIMEOUT`, `ABORTED`. */
  dial(endpoint: Endpoint, options: DialOptions): Promise<Link>
}
