/**
 * Files that hold secrets: made once, whole, and read only while they are this user's alone.
 * Invariant: a file appears under its name with all of its bytes, synced; of several makers one wins.
 */
import { constants } from 'node:fs'
import { link, mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { BlazeError, limits } from '../../../runtime/index.ts'

const FILE_MODE = 0o600
const RIGHTS_OF_OTHERS = 0o077

/** False when there is something under this name. The directory exists. */
export async function createWhole(path: string, bytes: Uint8Array): Promise<boolean> {
  // A directory of its own, so that no two makers write to one file.
  const scratch = await mkdtemp(`${path}.new-`)
  try {
    const file = join(scratch, 'file')
    await writeFile(file, bytes, { mode: FILE_MODE, flag: 'wx', flush: true })
    await link(file, path)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

/** Undefined when there is none. `UNSAFE_DIRECTORY` unless it is a regular file, ours, with no rights for others; `DAMAGED` when too long. */
export async function readPrivateFile(path: string): Promise<Uint8Array | undefined> {
  const file = await openPrivate(path)
  if (file === undefined) return undefined
  try {
    const found = await file.stat()
    const userId = process.geteuid?.()
    if (!found.isFile()) throw unsafe(path, 'is no file')
    if (userId !== undefined && found.uid !== userId)
      throw unsafe(path, `belongs to user ${found.uid}, not to this one`)
    if ((found.mode & RIGHTS_OF_OTHERS) !== 0) {
      throw unsafe(path, `is open to other users (mode ${(found.mode & 0o777).toString(8)})`)
    }
    if (found.size > limits.privateFileBytesMax) {
      throw new BlazeError(
        'DAMAGED',
        `${path} has ${found.size} bytes, at most ${limits.privateFileBytesMax} make sense`,
      )
    }
    return new Uint8Array(await file.readFile())
  } finally {
    await file.close()
  }
}

async function openPrivate(path: string): Promise<FileHandle | undefined> {
  try {
    // Without waiting: a pipe that somebody put there would never open.
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    const code = codeOf(error)
    if (code === 'ENOENT') return undefined
    if (code === 'ELOOP') throw unsafe(path, 'is a symbolic link')
    if (code === 'ENXIO') throw unsafe(path, 'is no file')
    if (code === 'EACCES') throw unsafe(path, 'may not be read by this user')
    throw error
  }
}

function unsafe(path: string, problem: string): BlazeError {
  return new BlazeError('UNSAFE_DIRECTORY', `${path} ${problem}; look who put it there`, {
    details: { at: path },
  })
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
