/**
 * Long files on the real disk, written and read piece by piece.
 * Invariant: a file is written beside its name, synced, renamed, and its directory synced; what does not get that far is removed.
 */
import { open, rename, rm } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { BlazeError } from '../../../runtime/index.ts'
import type { FilePort, FileSink, FileSource } from '../file-port.ts'
import { isMissing, syncDirectory } from './whole-file.ts'

const FILE_MODE = 0o600

/** Numbers the temporary files of this process. */
let files = 0

export const directFiles: FilePort = {
  async create(path) {
    files += 1
    const target = resolve(path)
    const temporary = `${target}.${process.pid}-${files}.part`
    const file = await coded(path, open(temporary, 'wx', FILE_MODE))
    return new DirectSink(file, target, temporary)
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
    await syncDirectory(dirname(this.#target))
  }

  async discard(): Promise<void> {
    if (this.#isOver) return
    this.#isOver = true
    // Closed already when finishing failed.
    await this.#file.close().catch(() => undefined)
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
