/**
 * A local socket for the owner of this machine: one JSON request a line, one JSON answer a line, in order.
 *
 * Invariant: the socket is reachable by its owner only (file 0600, in a directory that is ours); lines, connections and waiting are
 * bounded; a socket file is removed only after nobody answered on it.
 */
import { chmod, rename, unlink } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { createConnection, createServer } from 'node:net'
import { dirname, join } from 'node:path'

import { BlazeError, limits, toHex } from '../runtime/index.ts'
import type { CryptoProvider, Env, Timer } from '../runtime/index.ts'
import { findPrivateDirectory, lstatIfThere, makePrivateDirectory, systemCode } from './private-directory.ts'

const LINE_END = 0x0a
const TEMPORARY_SUFFIX = '.new'

export interface ControlPlace {
  readonly path: string
  /** Its directory is shared by nobody and must be ours; otherwise it is the data directory, for which its owner vouches. */
  readonly ownDirectory: boolean
}

export interface ControlServer {
  /** Ends every connection and removes the socket. Idempotent. */
  close(): Promise<void>
}

/**
 * Where the control socket of a data directory lies: `control.sock` inside it or, when that path is too long for the system, a
 * hashed name in `blazedb-USER` under the directory for temporary files. `directory` and `temporary` are absolute.
 */
export function controlSocketPath(options: {
  directory: string
  temporary: string
  userId: number
  crypto: CryptoProvider
}): ControlPlace {
  const { directory, temporary, userId, crypto } = options
  const direct = join(directory, 'control.sock')
  if (Buffer.byteLength(direct) <= limits.socketPathBytesMax) return { path: direct, ownDirectory: false }
  const name = toHex(crypto.sha256(new TextEncoder().encode(directory)).subarray(0, 16))
  return { path: join(temporary, `blazedb-${userId}`, `${name}.sock`), ownDirectory: true }
}

/**
 * `handle` gets each parsed line and answers with plain JSON; what it throws ends that connection without an answer, so it should
 * not. `ALREADY_OPEN` when another process answers there, `BAD_CONFIG` when the path is too long, `UNSAFE_DIRECTORY` when
 * its directory is not ours alone.
 */
export async function listenControl(options: {
  place: ControlPlace
  env: Env
  handle(request: unknown): Promise<unknown>
}): Promise<ControlServer> {
  const { place, env } = options
  const { path } = place
  if (Buffer.byteLength(path) > limits.socketPathBytesMax)
    throw new BlazeError('BAD_CONFIG', `the path of the control socket is too long for this system: ${path}`)
  if (place.ownDirectory) await makePrivateDirectory(dirname(path))
  await removeStale(path, env)
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    serve(socket, options)
  })
  server.maxConnections = limits.controlConnectionsMax
  const temporary = path + TEMPORARY_SUFFIX
  await unlinkIfThere(temporary)
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => {
      reject(new BlazeError('BAD_CONFIG', `cannot listen on ${path}: ${cause.message}`, { cause }))
    })
    server.listen(temporary, resolve)
  })
  server.on('error', (error) => env.log.warn('control.accept.failed', { error: error.message }))
  // Under its own name only once nobody else can reach it.
  await chmod(temporary, 0o600)
  await rename(temporary, path)
  let closed: Promise<void> | undefined
  const close = async (): Promise<void> => {
    const down = new Promise<void>((resolve) => server.close(() => resolve()))
    for (const socket of sockets) socket.destroy()
    await unlinkIfThere(path)
    await down
  }
  return { close: () => (closed ??= close()) }
}

/** Sends one request and resolves with its answer. `UNREACHABLE` when nobody listens there, `UNSAFE_DIRECTORY`, `TIMEOUT`, `LINK_CLOSED`. */
export async function askControl(options: {
  place: ControlPlace
  request: unknown
  timeoutMs: number
  env: Env
}): Promise<unknown> {
  const { path, ownDirectory } = options.place
  // Whoever owns the directory could answer in the supervisor's name.
  if (ownDirectory) await findPrivateDirectory(dirname(path))
  const socket = await connectTo(path, options.env, options.timeoutMs)
  let timer: Timer | undefined
  try {
    return await new Promise<unknown>((resolve, reject) => {
      timer = options.env.after(options.timeoutMs, () =>
        reject(new BlazeError('TIMEOUT', `no answer on ${path} within ${options.timeoutMs} ms`)),
      )
      socket.once('close', () =>
        reject(new BlazeError('LINK_CLOSED', `${path} was closed without an answer`)),
      )
      readLines(socket, limits.controlAnswerBytesMax, (line) => resolve(parseLine(line)))
      socket.write(`${JSON.stringify(options.request)}\n`)
    })
  } finally {
    timer?.cancel()
    socket.destroy()
  }
}

function serve(socket: Socket, options: { env: Env; handle(request: unknown): Promise<unknown> }): void {
  const { env } = options
  let idle = env.after(limits.controlIdleMs, () => socket.destroy())
  let turn: Promise<void> = Promise.resolve()
  let waiting = 0
  const answer = async (line: Uint8Array): Promise<void> => {
    idle.cancel()
    if (socket.destroyed) return
    const reply = await options.handle(parseLine(line))
    if (socket.destroyed) return
    socket.write(`${JSON.stringify(reply)}\n`)
    idle = env.after(limits.controlIdleMs, () => socket.destroy())
    if (--waiting === 0) socket.resume()
  }
  readLines(socket, limits.controlRequestBytesMax, (line) => {
    // One request at a time: whoever asks without reading gets nothing more into our memory.
    socket.pause()
    waiting++
    turn = turn
      .then(() => answer(line))
      .catch((error: unknown) => {
        env.log.warn('control.request.failed', {
          error: error instanceof Error ? error.message : String(error),
        })
        socket.destroy()
      })
  })
  socket.once('close', () => idle.cancel())
}

/** Calls `onLine` for each whole line; a line above `bytesMax` ends the socket. */
function readLines(socket: Socket, bytesMax: number, onLine: (line: Uint8Array) => void): void {
  let parts: Uint8Array[] = []
  let size = 0
  // Without a listener a broken socket would crash the process; `close` follows and is what counts.
  socket.on('error', () => undefined)
  socket.on('data', (chunk: Buffer) => {
    let from = 0
    for (;;) {
      const end = chunk.indexOf(LINE_END, from)
      size += (end < 0 ? chunk.length : end) - from
      if (size > bytesMax) {
        socket.destroy()
        return
      }
      if (end < 0) break
      parts.push(chunk.subarray(from, end))
      const line = Buffer.concat(parts)
      parts = []
      size = 0
      from = end + 1
      onLine(line)
    }
    if (from < chunk.length) parts.push(chunk.subarray(from))
  })
}

function parseLine(line: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(line))
  } catch (cause) {
    throw new BlazeError('PROTOCOL_VIOLATION', 'expected one line of JSON', { cause })
  }
}

function connectTo(path: string, env: Env, timeoutMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path)
    const fail = (message: string, cause?: unknown): void => {
      timer.cancel()
      socket.on('error', () => undefined)
      socket.destroy()
      reject(new BlazeError('UNREACHABLE', `nobody answers on ${path}: ${message}`, { cause }))
    }
    const onError = (cause: Error): void => fail(cause.message, cause)
    const timer = env.after(timeoutMs, () => fail(`no connection within ${timeoutMs} ms`))
    socket.once('error', onError)
    socket.once('connect', () => {
      timer.cancel()
      socket.off('error', onError)
      resolve(socket)
    })
  })
}

async function removeStale(path: string, env: Env): Promise<void> {
  if ((await lstatIfThere(path)) === undefined) return
  const socket = await connectTo(path, env, limits.connectTestMs).catch(() => undefined)
  if (socket !== undefined) {
    socket.destroy()
    throw new BlazeError('ALREADY_OPEN', `another process answers on ${path}`)
  }
  await unlinkIfThere(path)
}

async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path)
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error
  }
}
