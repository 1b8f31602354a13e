/**
 * A directory that belongs to this user alone: where sockets and keys may lie.
 *
 * Invariant: nothing is changed about what was there before. A symbolic link is refused, whatever it leads to.
 */
import type { BigIntStats } from 'node:fs'
import { lstat, mkdir } from 'node:fs/promises'

import { BlazeError } from '../runtime/index.ts'

const RIGHTS_OF_OTHERS = 0o077n

/**
 * Makes the directory, and those above it that are missing, with mode 0700. `UNSAFE_DIRECTORY` unless it then is a real directory,
 * owned by this user, with no rights for anybody else; `DIRECTORY_UNUSABLE` when it cannot be made.
 */
export async function makePrivateDirectory(path: string): Promise<void> {
  const failure = await mkdir(path, { recursive: true, mode: 0o700 }).then(
    () => undefined,
    (cause: unknown) => ({ cause }),
  )
  // What is in its place says more than the failure does.
  if ((await findPrivateDirectory(path)) === undefined)
    throw new BlazeError('DIRECTORY_UNUSABLE', `cannot make the directory ${path}`, failure)
}

/** Undefined when nothing is there. `UNSAFE_DIRECTORY` as above. */
export async function findPrivateDirectory(path: string): Promise<BigIntStats | undefined> {
  const found = await lstatIfThere(path)
  if (found === undefined) return undefined
  const refuse = (what: string, advice: string): BlazeError =>
    new BlazeError('UNSAFE_DIRECTORY', `${path} ${what}; ${advice}`)
  if (found.isSymbolicLink())
    throw refuse('is a symbolic link', 'name the directory it leads to, if that one is yours')
  if (!found.isDirectory()) throw refuse('is no directory', 'remove it or name another path')
  if (!isOurs(found))
    throw refuse(`belongs to user ${found.uid}, not to this one`, 'name a directory of your own')
  if (isOpenToOthers(found))
    throw refuse(
      `is open to other users (mode ${formatMode(found)})`,
      'look what they put there, then chmod 700',
    )
  return found
}

export function isOurs(found: BigIntStats): boolean {
  const userId = process.geteuid?.()
  return userId === undefined || found.uid === BigInt(userId)
}

export function isOpenToOthers(found: BigIntStats): boolean {
  return (found.mode & RIGHTS_OF_OTHERS) !== 0n
}

/** The permission bits, as `chmod` takes them. */
export function formatMode(found: BigIntStats): string {
  return (found.mode & 0o7777n).toString(8).padStart(4, '0')
}

/** Undefined when nothing is there; `DIRECTORY_UNUSABLE` when that cannot be told. */
export async function lstatIfThere(path: string): Promise<BigIntStats | undefined> {
  try {
    return await lstat(path, { bigint: true })
  } catch (cause) {
    const code = systemCode(cause)
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw new BlazeError('DIRECTORY_UNUSABLE', `cannot look at ${path} (${code})`, { cause })
  }
}

/** For two looks at what exists all the while; a number that was freed is used again. */
export function isSameFile(first: BigIntStats, second: BigIntStats): boolean {
  return first.dev === second.dev && first.ino === second.ino
}

/** `ENOENT` and the like, or undefined. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
