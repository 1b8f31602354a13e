/** The contract of a transport: it makes links, by listening or by dialling, and knows nothing of what they carry. */
import type { Endpoint } from './endpoint.ts'
import type { Link } from './link.ts'

export interface Listener {
  /** With the port that was taken when 0 was asked for. */
  readonly endpoint: Endpoint
  /** Takes no more links and frees the port. Links handed out live on. */
  close(): Promise<void>
}

export interface DialOptions {
  readonly signal?: AbortSignal
  readonly timeoutMs: number
}

export interface Transport {
  readonly name: string
  /** `PORT_IN_USE`; `BAD_CONFIG` for an address that is not ours. `onLink` gets links that are ready for use. */
  listen(endpoint: Endpoint, onLink: (link: Link) => void): Promise<Listener>
  /** `UNREACHABLE`, `TIMEOUT`, `ABORTED`. */
  dial(endpoint: Endpoint, options: DialOptions): Promise<Link>
}
