/** Small files that are replaced whole. Invariant: a power cut leaves the old bytes or the new ones. */
import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'

const FILE_MODE = 0o600
const DIRECTORY_MODE = 0o700

export async function readWhole(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

export async function replaceFile(path: string, bytes: Uint8Array): Promise<void> {
  const directory = dirname(path)
  await makeDirectory(directory)
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

/** With those above it; of each that was made the name is synced too, or a power cut could take it with all that is in it. */
export async function makeDirectory(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: DIRECTORY_MODE })
  if (first === undefined) return
  for (let made = resolve(path); ; made = dirname(made)) {
    await syncDirectory(dirname(made)).catch(ignoreUnreadable)
    if (made === resolve(first) || made === dirname(made)) return
  }
}

export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** A directory that may be written in and not read cannot be synced. */
function ignoreUnreadable(error: unknown): void {
  if (!(error instanceof Error && 'code' in error && error.code === 'EACCES')) throw error
}

/** ESRCH: a file of a process that ended while it was read. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH')
}
