/**
 * The file of a listening Unix socket: how it gets its name, keeps it, and loses it.
 *
 * Invariant: a name leads to at most one living socket. It changes in three ways only: `link` gives it while nobody has it (the system
 * lets one succeed), its living owner removes it, or the heir of a dead owner renames its own socket over it. A socket that refuses
 * connections is dead for ever, since a name is given only after `listen`; whatever else it does counts as living.
 * A dead socket has one heir: the process that links its own socket to a name made from the dead one's identity (`link` again), and
 * after that still finds the dead one under the name. An heir that died has an heir in the same way. So two processes that listen at
 * once, one that acts on a test that is out of date, and one that dies half-way can neither displace a living server nor both win,
 * and while one takes over there is no moment without a socket under the name.
 * What is no socket of this user alone is neither used nor removed. Not covered is what breaks these rules: this user's own `rm`
 * takes the name from a living server, and a kernel that refuses connections because a queue is full (BSD) shows it as dead.
 */
import type { BigIntStats } from 'node:fs'
import { chmod, link, lstat, rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'

import { BlazeError, limits, toHex } from '../runtime/index.ts'
import type { CryptoProvider, Env } from '../runtime/index.ts'
import { connectSocket } from './connect-socket.ts'
import { formatMode, isOpenToOthers, isOurs, lstatIfThere, systemCode } from './private-directory.ts'
import type { SocketDirectory } from './socket-directory.ts'

/** Bytes of the longest name below. */
export const SOCKET_NAME_BYTES_MAX = 38

const HASH_BYTES = 16
/** Of a name that lives for the time of a start only. */
const SHORT_HEX = 16
const TEMPORARY = '.new'
const HEIR = '.heir'

/** What a socket is called in its directory: text of any length and alphabet becomes 32 hexadecimal digits. */
export function socketFileName(name: string, crypto: CryptoProvider): string {
  return `${hash(name, crypto)}.sock`
}

/** Undefined when nothing is there. `UNSAFE_DIRECTORY` unless it is a socket of this user alone. */
export async function findSocket(directory: SocketDirectory, file: string): Promise<BigIntStats | undefined> {
  const found = await lstatIfThere(directory.at(file))
  if (found === undefined) return undefined
  const refuse = (what: string): BlazeError =>
    new BlazeError(
      'UNSAFE_DIRECTORY',
      `${join(directory.path, file)} ${what}; find out who made it, then remove it`,
    )
  if (found.isSymbolicLink()) throw refuse('is a symbolic link, expected a socket')
  if (!found.isSocket()) throw refuse('is no socket')
  if (!isOurs(found)) throw refuse(`belongs to user ${found.uid}, not to this one`)
  if (isOpenToOthers(found)) throw refuse(`is open to other users (mode ${formatMode(found)})`)
  return found
}

export interface PublishOptions {
  readonly env: Env
  readonly crypto: CryptoProvider
  readonly directory: SocketDirectory
  readonly name: string
  /** As `temporaryName` makes it; a server listens there. */
  readonly temporary: string
}

/** A name nobody else has, for the time between `listen` and `publishSocket`. */
export function temporaryName(name: string, env: Env, crypto: CryptoProvider): string {
  return `${hash(name, crypto).slice(0, SHORT_HEX)}.${toHex(env.entropy(SHORT_HEX / 2))}${TEMPORARY}`
}

/**
 * Gives the socket its name for good and uses the temporary one up; resolves with the socket, for `withdrawSocket`. `PORT_IN_USE` when
 * a living server has the name, or another one took it at the same time; `UNSAFE_DIRECTORY`; errors of the system as they are.
 */
export function publishSocket(options: PublishOptions): Promise<BigIntStats> {
  return new Publishing(options).run()
}

/** Takes the name away from this socket, whose server must still listen; leaves alone what is there instead. */
export async function withdrawSocket(path: string, socket: BigIntStats): Promise<void> {
  const found = await lstatIfThere(path)
  if (found !== undefined && identify(found) === identify(socket)) await unlinkIfThere(path)
}

class Publishing {
  readonly #env: Env
  readonly #crypto: CryptoProvider
  readonly #directory: SocketDirectory
  readonly #file: string
  readonly #temporary: string

  constructor({ env, crypto, directory, name, temporary }: PublishOptions) {
    this.#env = env
    this.#crypto = crypto
    this.#directory = directory
    this.#file = socketFileName(name, crypto)
    this.#temporary = temporary
  }

  async run(): Promise<BigIntStats> {
    const temporary = this.#directory.at(this.#temporary)
    let ours: BigIntStats | undefined
    try {
      // Before anybody can know its name.
      await chmod(temporary, 0o600)
      ours = await lstat(temporary, { bigint: true })
      await this.#take()
      await this.#sweep()
      return ours
    } catch (error) {
      if (ours !== undefined) await withdrawSocket(this.#directory.at(this.#file), ours)
      // Swept away by the one that has the name now.
      throw systemCode(error) === 'ENOENT' ? this.#taken('another process took it at the same time') : error
    } finally {
      await unlinkIfThere(temporary)
    }
  }

  async #take(): Promise<void> {
    for (let attempt = 0; attempt < limits.publishAttemptsMax; attempt++) {
      if (await this.#linkTo(this.#file)) return
      const dead = await this.#findDead(this.#file)
      if (dead !== undefined && (await this.#inherit(dead))) return
    }
    throw this.#taken('others take it and leave it all the time')
  }

  /** False: what was found is not true any more, look again. */
  async #inherit(root: BigIntStats): Promise<boolean> {
    let dead = root
    for (let heirs = 0; heirs < limits.socketHeirsMax; heirs++) {
      const claim = this.#heirName(dead)
      if (await this.#linkTo(claim)) return this.#replace(root, claim)
      const heir = await this.#findDead(claim)
      if (heir === undefined) return false
      dead = heir
    }
    throw this.#taken(`${limits.socketHeirsMax} processes died while they took it over; remove its file`)
  }

  /** Where the claim holds, this process alone may replace the dead socket. */
  async #replace(root: BigIntStats, claim: string): Promise<boolean> {
    try {
      const found = await findSocket(this.#directory, this.#file)
      if (found === undefined || identify(found) !== identify(root)) return false
      await rename(this.#directory.at(this.#temporary), this.#directory.at(this.#file))
      return true
    } finally {
      await unlinkIfThere(this.#directory.at(claim))
    }
  }

  /** Undefined when nothing is there. `PORT_IN_USE` when it is not dead. */
  async #findDead(file: string): Promise<BigIntStats | undefined> {
    const found = await findSocket(this.#directory, file)
    if (found === undefined) return undefined
    const state = await testSocket(this.#directory.at(file), this.#env)
    if (state === 'living') throw this.#taken('another process listens there')
    return state === 'dead' ? found : undefined
  }

  /** False when something has that name already. */
  async #linkTo(file: string): Promise<boolean> {
    try {
      await link(this.#directory.at(this.#temporary), this.#directory.at(file))
      return true
    } catch (error) {
      if (systemCode(error) === 'EEXIST') return false
      throw error
    }
  }

  /**
   * Removes what processes left that died while they started. All of it is void once the name is ours: whoever still wants the name
   * finds a living server there.
   */
  async #sweep(): Promise<void> {
    const mark = `${this.#file.slice(0, SHORT_HEX)}.`
    for (const name of await this.#directory.names()) {
      if (!name.startsWith(mark) || !(name.endsWith(TEMPORARY) || name.endsWith(HEIR))) continue
      const path = this.#directory.at(name)
      const found = await lstatIfThere(path)
      if (found !== undefined && found.isSocket() && isOurs(found)) await unlinkIfThere(path)
    }
  }

  #heirName(dead: BigIntStats): string {
    const id = hash(identify(dead), this.#crypto).slice(0, SHORT_HEX)
    return `${this.#file.slice(0, SHORT_HEX)}.${id}${HEIR}`
  }

  #taken(why: string): BlazeError {
    const path = join(this.#directory.path, this.#file)
    return new BlazeError('PORT_IN_USE', `cannot listen on ${path}: ${why}`, { details: { path } })
  }
}

/** A server that is too busy to answer lives. */
async function testSocket(path: string, env: Env): Promise<'living' | 'dead' | 'gone'> {
  const stop = new AbortController()
  const timer = env.after(limits.connectTestMs, () => stop.abort())
  try {
    const socket = await connectSocket(path, stop.signal)
    socket.on('error', () => undefined)
    socket.destroy()
    return 'living'
  } catch (error) {
    const code = systemCode(error)
    if (code === 'ECONNREFUSED') return 'dead'
    // It closed before it took the connection: the next test knows more.
    if (code === 'ENOENT' || code === 'ECONNRESET') return 'gone'
    if (code === 'EAGAIN' || stop.signal.aborted) return 'living'
    throw error
  } finally {
    timer.cancel()
  }
}

/** The same for every look at one socket and every name of it; an inode number alone is used again. */
function identify(socket: BigIntStats): string {
  return `${socket.dev} ${socket.ino} ${socket.mtimeNs}`
}

function hash(text: string, crypto: CryptoProvider): string {
  return toHex(crypto.sha256(new TextEncoder().encode(text)).subarray(0, HASH_BYTES))
}

async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path)
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error
  }
}
