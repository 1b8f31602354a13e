/**
 * Operations over HTTP: health for machines, one page for people, the same as JSON. On loopback only in this version.
 *
 * Invariant: it changes nothing and shows no secret; a page of another site cannot read it, since requests that name another host are refused.
 */
import fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import type { Env } from '../../runtime/index.ts'
import { BlazeError, limits } from '../../runtime/index.ts'
import { formatHost } from '../../transports/index.ts'
import type { Health, Status } from '../status.ts'
import { renderPage } from './page.ts'

export { formatDuration, formatMebibytes } from './page.ts'

export interface OperationsAddress {
  readonly host: string
  /** 0: any free port. */
  readonly port: number
}

export interface OperationsServer {
  readonly address: OperationsAddress
  close(): Promise<void>
}

export interface OperationsOptions {
  readonly env: Env
  readonly address: OperationsAddress
  health(): Health
  status(): Status
}

/** `PORT_IN_USE`, `BAD_CONFIG` for an address that is not ours. */
export async function listenOperations(options: OperationsOptions): Promise<OperationsServer> {
  const { address, env } = options
  // Connections that are open but idle must not hold up a stop.
  const app = fastify({
    logger: false,
    forceCloseConnections: true,
    bodyLimit: limits.controlRequestBytesMax,
  })
  addRoutes(app, options)
  try {
    await app.listen({ host: address.host, port: address.port })
  } catch (cause) {
    await app.close()
    throw listenError(address, cause)
  }
  const bound = app.server.address()
  const port = typeof bound === 'object' && bound !== null ? bound.port : address.port
  env.log.debug('operations.listening', { port })
  return { address: { host: address.host, port }, close: () => app.close() }
}

export function formatOperations(address: OperationsAddress): string {
  return `http://${formatHost(address.host)}:${address.port}`
}

/** Loopback names and addresses. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host)
}

function addRoutes(app: FastifyInstance, options: OperationsOptions): void {
  app.addHook('onRequest', async (request, reply) => {
    // A foreign page may point its own host name at 127.0.0.1; the browser then still sends that name.
    if (!isLoopback(request.hostname.replace(/^\[|\]$/g, '')))
      await reply
        .code(403)
        .send({ error: 'this address is served on loopback only: ask for 127.0.0.1 or localhost' })
  })
  app.addHook('onSend', async (_request, reply) => {
    reply.header('cache-control', 'no-store')
    reply.header('x-content-type-options', 'nosniff')
    reply.header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'")
  })
  app.get('/healthz', async (_request, reply) => {
    const found = options.health()
    return reply.code(found.ok ? 200 : 503).send(found)
  })
  app.get('/status', async () => options.status())
  app.get('/', async (_request, reply) =>
    reply.type('text/html; charset=utf-8').send(renderPage(options.status(), options.env.now())),
  )
  app.setNotFoundHandler(async (_request, reply) =>
    reply.code(404).send({ error: 'try /, /status or /healthz' }),
  )
}

function listenError(address: OperationsAddress, cause: unknown): unknown {
  if (!(cause instanceof Error) || !('code' in cause)) return cause
  const where = formatOperations(address)
  if (cause.code === 'EADDRINUSE')
    return new BlazeError('PORT_IN_USE', `cannot listen on ${where}: the port is taken`, { cause })
  return new BlazeError('BAD_CONFIG', `cannot listen on ${where}: ${cause.message}`, { cause })
}
