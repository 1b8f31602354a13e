/**
 * A volume in a real directory.
 * Invariant: a small file is written beside its name, synced, renamed, and its directory synced, so a power cut leaves the old
 * bytes or the new ones.
 */
import { readdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { BlazeError } from '../../../runtime/index.ts'
import { makePrivateDirectory } from '../../../transports/index.ts'
import { openLevelDirectory } from './level-directory.ts'
import { createWhole, readPrivateFile } from './private-file.ts'
import { checkVolumeName } from './volume-name.ts'
import type { Volume } from '../volume.ts'
import { isMissing, makeDirectory, readWhole, replaceFile, syncDirectory } from './whole-file.ts'

/** Nothing is touched before the first call; the directory is made by the first write. */
export function createDirectoryVolume(at: string): Volume {
  const pathOf = (name: string): string => join(at, checkVolumeName(name))
  return {
    at,
    readFile: (name) => coded(at, readWhole(pathOf(name))),
    writeFile: (name, bytes) => coded(at, replaceFile(pathOf(name), bytes)),
    private: () => coded(at, makePrivateDirectory(at)),
    createFile: (name, bytes) => coded(at, createFile(pathOf(name), bytes)),
    readPrivate: (name) => coded(at, readPrivateFile(pathOf(name))),
    openStore: (name) => coded(at, openLevelDirectory(pathOf(name))),
    list: (name) => coded(at, listNames(join(at, checkVolumeName(name, 'root')))),
    remove: (name) => coded(at, rm(pathOf(name), { recursive: true, force: true })),
  }
}

/** Faults of the file system get a code of ours. */
async function coded<T>(at: string, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (cause) {
    if (!(cause instanceof Error) || !('syscall' in cause) || !('code' in cause)) throw cause
    const code = cause.code === 'ENOSPC' || cause.code === 'EDQUOT' ? 'DISK_FULL' : 'DIRECTORY_UNUSABLE'
    throw new BlazeError(code, `cannot use the directory ${at}: ${cause.message}`, {
      cause,
      details: { at, reason: cause.code },
    })
  }
}

async function createFile(path: string, bytes: Uint8Array): Promise<boolean> {
  const directory = dirname(path)
  await makeDirectory(directory)
  const created = await createWhole(path, bytes)
  if (created) await syncDirectory(directory)
  return created
}

async function listNames(path: string): Promise<string[]> {
  try {
    return (await readdir(path)).sort()
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}
