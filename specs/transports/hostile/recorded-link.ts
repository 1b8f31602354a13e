/** A link that writes down what passes in both directions. Invariant: it changes nothing. */
import type { Link } from '../../../transports/index.ts'

export interface RecordedLink {
  readonly link: Link
  readonly sent: Uint8Array[]
  readonly got: Uint8Array[]
}

export function recordedLink(inner: Link): RecordedLink {
  const sent: Uint8Array[] = []
  const got: Uint8Array[] = []
  const link: Link = {
    transport: inner.transport,
    remote: inner.remote,
    binding: inner.binding,
    attach: (handlers) =>
      inner.attach({
        record: (bytes) => {
          got.push(bytes.slice())
          handlers.record(bytes)
        },
        drain: () => handlers.drain(),
        closed: (error) => handlers.closed(error),
      }),
    send: (record) => {
      sent.push(record.slice())
      return inner.send(record)
    },
    pause: () => inner.pause(),
    resume: () => inner.resume(),
    close: () => inner.close(),
    destroy: (error) => inner.destroy(error),
  }
  return { link, sent, got }
}
