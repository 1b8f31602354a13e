/**
 * A directory of Unix sockets, opened: paths in it that the system takes however long its own path is, since a socket's address
 * has room for little more than a hundred bytes.
 *
 * Invariant: it was this user's alone when it was opened. Where the system shows open files as paths, every path leads through the
 * handle, so that whoever may rename a directory above it cannot put another one in its place.
 */
import { constants } from 'node:fs'
import { open, readdir, stat } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'

import { BlazeError, limits } from '../runtime/index.ts'
import { findPrivateDirectory, isSameFile, systemCode } from './private-directory.ts'

/** Where Linux shows the open files of this process. */
const OPEN_FILES = '/proc/self/fd'

export interface SocketDirectory {
  /** As it was named; for messages. */
  readonly path: string
  /** Path of a file in it, for any call to the system, until `close`. */
  at(file: string): string
  names(): Promise<string[]>
  close(): Promise<void>
}

/**
 * Undefined when nothing is there. `UNSAFE_DIRECTORY`; `BAD_CONFIG` where only its own path leads into it and, with `nameBytesMax`
 * more, is too long. `openFiles` is for specs.
 */
export async function openSocketDirectory(
  path: string,
  nameBytesMax: number,
  openFiles: string = OPEN_FILES,
): Promise<SocketDirectory | undefined> {
  const found = await findPrivateDirectory(path)
  if (found === undefined) return undefined
  const handle = await openDirectory(path)
  if (handle === undefined) return undefined
  let through: string | undefined
  try {
    const opened = await handle.stat({ bigint: true })
    if (!isSameFile(found, opened))
      throw new BlazeError('UNSAFE_DIRECTORY', `${path} was replaced while it was opened; look who did that`)
    const shown = `${openFiles}/${handle.fd}`
    const seen = await stat(shown, { bigint: true }).catch(() => undefined)
    if (seen !== undefined && isSameFile(seen, opened)) through = shown
  } finally {
    if (through === undefined) await handle.close()
  }
  if (through === undefined && Buffer.byteLength(path) + 1 + nameBytesMax > limits.socketPathBytesMax)
    throw new BlazeError(
      'BAD_CONFIG',
      `the path of a socket in ${path} is too long for this system: name a directory of at most ${limits.socketPathBytesMax - 1 - nameBytesMax} bytes`,
    )
  const base = through ?? path
  return {
    path,
    at: (file) => join(base, file),
    names: () => readdir(base),
    close: async () => {
      if (through !== undefined) await handle.close()
    },
  }
}

async function openDirectory(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
  } catch (cause) {
    const code = systemCode(cause)
    if (code === 'ENOENT') return undefined
    // It was a directory a moment ago.
    if (code === 'ELOOP' || code === 'ENOTDIR')
      throw new BlazeError('UNSAFE_DIRECTORY', `${path} was replaced while it was opened; look who did that`)
    throw new BlazeError('DIRECTORY_UNUSABLE', `cannot open the directory ${path} (${code})`, { cause })
  }
}
