/**
 * A volume in a real directory.
 * Invariant: a small file is written beside its name, synced, renamed, and its directory synced, so a power cut leaves the old
 * bytes or the new ones.
 */
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { BlazeError } from '../../../runtime/index.ts'
import { makePrivateDirectory } from '../../../transports/index.ts'
import { openLevelStore } from './level-store.ts'
import { createWhole, readPrivateFile } from './private-file.ts'
import type { OrderedStore } from '../store.ts'
import { checkVolumeName } from './volume-name.ts'
import type { Volume } from '../volume.ts'

/** Names the process that holds a store; LevelDB leaves files alone whose names it does not know. */
const HOLDER = 'HOLDER'
const FILE_MODE = 0o600
const DIRECTORY_MODE = 0o700

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
    openStore: (name) => coded(at, openStore(pathOf(name))),
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

async function readWhole(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

async function replaceFile(path: string, bytes: Uint8Array): Promise<void> {
  const directory = dirname(path)
  await mkdir(directory, { recursive: true, mode: DIRECTORY_MODE })
  const temporary = `${path}.new`
  const file = await open(temporary, 'w', FILE_MODE)
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(temporary, path)
  await syncDirectory(directory)
}

async function createFile(path: string, bytes: Uint8Array): Promise<boolean> {
  const directory = dirname(path)
  await mkdir(directory, { recursive: true, mode: DIRECTORY_MODE })
  const created = await createWhole(path, bytes)
  if (created) await syncDirectory(directory)
  return created
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function openStore(path: string): Promise<OrderedStore> {
  await mkdir(path, { recursive: true, mode: DIRECTORY_MODE })
  const holder = join(path, HOLDER)
  let store: OrderedStore
  try {
    store = await openLevelStore(path)
  } catch (error) {
    if (!(error instanceof BlazeError) || error.code !== 'ALREADY_OPEN') throw error
    const pid = await holderOf(holder)
    throw new BlazeError(
      'ALREADY_OPEN',
      `${path} is already open${pid === undefined ? '' : ` in process ${pid}`}`,
      {
        cause: error,
        details: { at: path, pid },
      },
    )
  }
  await replaceFile(holder, new TextEncoder().encode(`${process.pid}\n`))
  return store
}

async function holderOf(path: string): Promise<number | undefined> {
  const pid = Number.parseInt(new TextDecoder().decode((await readWhole(path)) ?? new Uint8Array()), 10)
  return Number.isSafeInteger(pid) ? pid : undefined
}

async function listNames(path: string): Promise<string[]> {
  try {
    return (await readdir(path)).sort()
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
