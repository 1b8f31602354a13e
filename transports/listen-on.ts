/** Begins to listen on a host and port. Invariant: a fault of one connection never ends the listener. */
import type { Server } from 'node:net'

import { BlazeError } from '../runtime/index.ts'
import type { Env } from '../runtime/index.ts'
import { formatEndpoint } from './endpoint.ts'
import type { NetworkEndpoint } from './endpoint.ts'
import type { Listener } from './transport.ts'

/** Resolves with the port that was taken. `PORT_IN_USE`, `BAD_CONFIG`. */
export function listenOn(
  env: Env,
  server: Server,
  { endpoint, close }: { readonly endpoint: NetworkEndpoint; readonly close: () => Promise<void> },
): Promise<Listener> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const taken = cause.code === 'EADDRINUSE'
      const message = `cannot listen on ${formatEndpoint(endpoint)}: ${taken ? 'the port is taken' : cause.message}`
      reject(new BlazeError(taken ? 'PORT_IN_USE' : 'BAD_CONFIG', message, { cause }))
    })
    server.listen({ host: endpoint.host, port: endpoint.port }, () => {
      server.on('error', (error) => {
        // Out of file handles and the like: this connection is lost, the listener is not.
        env.log.warn('listener.accept.failed', { error: error.message })
      })
      const address = server.address()
      const port = typeof address === 'object' && address !== null ? address.port : endpoint.port
      resolve({ endpoint: { ...endpoint, port }, close })
    })
  })
}
