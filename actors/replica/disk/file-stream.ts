/**
 * Long files on the real disk, written and read piece by piece.
 * Invariant: a file is written beside its name, synced, renamed, and its directory synced; what does not get that far is removed, where
 * its process was killed by the next file of that name.
 */
import { open, readdir, rename, rm, stat } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { BlazeError, limits } from '../../../runtime/index.ts'
import type { FilePort, FileSink, FileSource } from '../file-port.ts'
import { isMissing, syncDirectory } from './whole-file.ts'

const FILE_MODE = 0o600

/** Numbers the temporary files of this process. */
let files = 0
/** Those that are being written. */
const making = new Set<string>()

export const directFiles: FilePort = {
  async create(path) {
    const target = resolve(path)
    const { file, temporary } = await coded(path, openTemporary(target))
    const sink = new DirectSink(file, target, temporary)
    try {
      await coded(path, removeLeft(target, (await file.stat()).mtimeMs))
      return sink
    } catch (error) {
      await sink.discard()
      throw error
    }
  },
  async open(path) {
    const file = await coded(path, open(path, 'r'))
    try {
      const { size } = await coded(path, file.stat())
      return new DirectSource(file, path, size)
    } catch (error) {
      await file.close()
      throw error
    }
  },
}

class DirectSink implements FileSink {
  readonly #file: FileHandle
  readonly #target: string
  readonly #temporary: string
  #isOver = false

  constructor(file: FileHandle, target: string, temporary: string) {
    this.#file = file
    this.#target = target
    this.#temporary = temporary
    making.add(temporary)
  }

  write(bytes: Uint8Array): Promise<void> {
    return coded(this.#target, this.#file.writeFile(bytes))
  }

  async finish(): Promise<void> {
    await coded(this.#target, this.#finish())
  }

  async #finish(): Promise<void> {
    await this.#file.sync()
    await this.#file.close()
    await rename(this.#temporary, this.#target)
    this.#isOver = true
    making.delete(this.#temporary)
    await syncDirectory(dirname(this.#target))
  }

  async discard(): Promise<void> {
    if (this.#isOver) return
    this.#isOver = true
    // Closed already when finishing failed.
    await this.#file.close().catch(() => undefined)
    making.delete(this.#temporary)
    await coded(this.#target, rm(this.#temporary, { force: true }))
  }
}

class DirectSource implements FileSource {
  readonly sizeBytes: number
  readonly #file: FileHandle
  readonly #path: string
  #closing: Promise<void> | undefined

  constructor(file: FileHandle, path: string, sizeBytes: number) {
    this.#file = file
    this.#path = path
    this.sizeBytes = sizeBytes
  }

  async read(bytesMax: number): Promise<Uint8Array> {
    const buffer = new Uint8Array(bytesMax)
    const { bytesRead } = await coded(this.#path, this.#file.read(buffer, 0, bytesMax))
    return buffer.subarray(0, bytesRead)
  }

  close(): Promise<void> {
    this.#closing ??= this.#file.close()
    return this.#closing
  }
}

/** An earlier process of this id, in a container each the first one, may have left one of the name. */
async function openTemporary(target: string): Promise<{ file: FileHandle; temporary: string }> {
  for (;;) {
    files += 1
    const temporary = `${target}.${process.pid}-${files}.part`
    try {
      return { file: await open(temporary, 'wx', FILE_MODE), temporary }
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
    }
  }
}

/** What processes left behind that were killed while they wrote the target, by the clock of the file system. */
async function removeLeft(target: string, nowMs: number): Promise<void> {
  const directory = dirname(target)
  const start = `${basename(target)}.`
  for (const name of await readdir(directory)) {
    const path = join(directory, name)
    if (!name.startsWith(start) || !LEFT.test(name.slice(start.length)) || making.has(path)) continue
    try {
      if (nowMs - (await stat(path)).mtimeMs > limits.leftFileMs) await rm(path, { force: true })
    } catch (error) {
      if (!isMissing(error)) throw error
    }
  }
}

const LEFT = /^\d+-\d+\.part$/

/** Faults of the file system get a code of ours. */
async function coded<T>(path: string, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (cause) {
    if (!(cause instanceof Error) || !('syscall' in cause) || !('code' in cause)) throw cause
    const { code: reason } = cause
    const isFull = reason === 'ENOSPC' || reason === 'EDQUOT'
    const code = isFull ? 'DISK_FULL' : isMissing(cause) ? 'NOT_FOUND' : 'DIRECTORY_UNUSABLE'
    const details = { at: path, reason }
    throw new BlazeError(code, `cannot use the file ${path}: ${cause.message}`, { cause, details })
  }
}
