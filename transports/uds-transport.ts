/**
 * Links between processes of one user over Unix sockets. Any process of this user may connect, and no other: who it is, the secure
 * channel proves.
 *
 * Invariant: the directory belongs to this user alone, on both sides and at each listen and dial, and so does the socket in it; what
 * else may happen to the socket's name is in socket-file.ts. Bytes on a link do not leave the machine and are not encrypted here.
 */
import type { BigIntStats } from 'node:fs'
import { createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { join } from 'node:path'

import { BlazeError, limits } from '../runtime/index.ts'
import type { CryptoProvider, Env } from '../runtime/index.ts'
import { connectSocket } from './connect-socket.ts'
import { formatEndpoint } from './endpoint.ts'
import type { Endpoint, LocalEndpoint } from './endpoint.ts'
import type { Link } from './link.ts'
import { systemCode } from './private-directory.ts'
import { openSocketDirectory } from './socket-directory.ts'
import {
  findSocket,
  publishSocket,
  SOCKET_NAME_BYTES_MAX,
  socketFileName,
  temporaryName,
  withdrawSocket,
} from './socket-file.ts'
import { SocketLink } from './socket-link.ts'
import type { DialOptions, Listener, Transport } from './transport.ts'

const NO_BINDING = new Uint8Array(0)

/**
 * `listen` rejects with `PORT_IN_USE` when a living server has the name, the one that won a race for it included; with
 * `UNSAFE_DIRECTORY` when directory or socket are not this user's alone, or something else is in the socket's place; with
 * `BAD_CONFIG` for an endpoint that is none, a directory that is missing, or too long for a system other than Linux; with
 * `DIRECTORY_UNUSABLE` when the file system refuses. `dial` rejects with `UNREACHABLE` when nobody listens, `UNSAFE_DIRECTORY`,
 * `TIMEOUT`, `ABORTED`. On Windows both are `NOT_SUPPORTED`.
 */
export function createUdsTransport(env: Env, crypto: CryptoProvider): Transport {
  return {
    name: 'uds',
    listen: async (endpoint, onLink) => listen(env, crypto, expectLocal(endpoint), onLink),
    dial: async (endpoint, options) => dial(env, crypto, expectLocal(endpoint), options),
  }
}

async function listen(
  env: Env,
  crypto: CryptoProvider,
  endpoint: LocalEndpoint,
  onLink: (link: Link) => void,
): Promise<Listener> {
  const where = formatEndpoint(endpoint)
  const directory = await openSocketDirectory(endpoint.directory, SOCKET_NAME_BYTES_MAX)
  if (directory === undefined)
    throw new BlazeError('BAD_CONFIG', `cannot listen on ${where}: make ${endpoint.directory} first`)
  // Who tests whether a socket lives connects too, so nothing is handed out before the name is ours.
  const early: Link[] = []
  let take = (link: Link): void => void early.push(link)
  const server = createServer((socket) => take(createLink(env, endpoint, socket)))
  server.maxConnections = limits.listenerSocketsMax
  const shut = (): void => {
    take = (link) => link.destroy()
    server.close()
    for (const link of early.splice(0)) link.destroy()
  }
  const { name } = endpoint
  const temporary = temporaryName(name, env, crypto)
  let ours: BigIntStats
  try {
    await startServer(env, server, directory.at(temporary))
    ours = await publishSocket({ env, crypto, directory, name, temporary })
  } catch (cause) {
    shut()
    if (cause instanceof BlazeError) throw cause
    throw new BlazeError('DIRECTORY_UNUSABLE', `cannot listen on ${where}: ${messageOf(cause)}`, { cause })
  } finally {
    await directory.close()
  }
  let closed: Promise<void> | undefined
  // Once the caller has its listener.
  env.defer(() => {
    if (closed !== undefined) return
    take = onLink
    for (const link of early.splice(0)) onLink(link)
  })
  const close = async (): Promise<void> => {
    take = (link) => link.destroy()
    try {
      // While it still listens: nobody takes a dead socket for ours.
      await withdrawSocket(join(endpoint.directory, socketFileName(name, crypto)), ours)
    } finally {
      shut()
    }
    await new Promise<void>((resolve) => env.defer(resolve))
  }
  return { endpoint, close: () => (closed ??= close()) }
}

/** Later errors, like no more file handles, lose a connection and not the listener. */
function startServer(env: Env, server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ path }, () => {
      server.off('error', reject)
      server.on('error', (error) => env.log.warn('uds.accept.failed', { error: error.message }))
      resolve()
    })
  })
}

function dial(
  env: Env,
  crypto: CryptoProvider,
  endpoint: LocalEndpoint,
  { signal, timeoutMs }: DialOptions,
): Promise<Link> {
  return new Promise((resolve, reject) => {
    const where = formatEndpoint(endpoint)
    const stop = new AbortController()
    const end = (error: BlazeError): void => {
      stop.abort(error)
      reject(error)
    }
    const onAbort = (): void => end(new BlazeError('ABORTED', `dialling ${where} was aborted`))
    const timer = env.after(timeoutMs, () => {
      end(new BlazeError('TIMEOUT', `${where} did not answer within ${timeoutMs} ms`))
    })
    signal?.addEventListener('abort', onAbort)
    if (signal?.aborted === true) onAbort()
    const settle = (): void => {
      timer.cancel()
      signal?.removeEventListener('abort', onAbort)
    }
    connect(env, crypto, endpoint, stop.signal).then(
      (link) => {
        settle()
        if (stop.signal.aborted) link.destroy()
        else resolve(link)
      },
      (error: unknown) => {
        settle()
        reject(error)
      },
    )
  })
}

async function connect(
  env: Env,
  crypto: CryptoProvider,
  endpoint: LocalEndpoint,
  signal: AbortSignal,
): Promise<Link> {
  const unreachable = (why: string, cause?: unknown): BlazeError =>
    new BlazeError('UNREACHABLE', `${formatEndpoint(endpoint)} does not answer: ${why}`, { cause })
  const directory = await openSocketDirectory(endpoint.directory, SOCKET_NAME_BYTES_MAX)
  if (directory === undefined) throw unreachable(`there is no directory ${endpoint.directory}`)
  try {
    const file = socketFileName(endpoint.name, crypto)
    if ((await findSocket(directory, file)) === undefined) throw unreachable('nobody listens there')
    return createLink(env, endpoint, await connectPatiently(env, directory.at(file), signal))
  } catch (cause) {
    if (cause instanceof BlazeError) throw cause
    const gone = ['ECONNREFUSED', 'ECONNRESET', 'ENOENT'].includes(systemCode(cause) ?? '')
    throw unreachable(gone ? 'the process that listened there is gone' : messageOf(cause), cause)
  } finally {
    await directory.close()
  }
}

/** Waits while the queue of a busy server is full, until the signal ends it. */
async function connectPatiently(env: Env, path: string, signal: AbortSignal): Promise<Socket> {
  for (;;) {
    try {
      return await connectSocket(path, signal)
    } catch (error) {
      if (systemCode(error) !== 'EAGAIN') throw error
    }
    await new Promise<void>((resolve) => void env.after(limits.busySocketRetryMs, resolve))
  }
}

function createLink(env: Env, endpoint: LocalEndpoint, socket: Socket): Link {
  return new SocketLink(env, socket, {
    transport: 'uds',
    remote: `uds:${endpoint.name}`,
    binding: NO_BINDING,
  })
}

function expectLocal(endpoint: Endpoint): LocalEndpoint {
  if (process.platform === 'win32')
    throw new BlazeError('NOT_SUPPORTED', 'Unix sockets with owners are not there on Windows')
  if (endpoint.transport === 'uds') return endpoint
  throw new BlazeError('BAD_CONFIG', `expected a directory and a name, got ${formatEndpoint(endpoint)}`)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
