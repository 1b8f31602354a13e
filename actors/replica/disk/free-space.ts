/**
 * The reserve of free space that a store keeps (DESIGN §6.2 rule 4): LevelDB loses what it acknowledges after "disk full", and needs
 * room to give room back. Invariant: measured at most every `limits.spaceCheckMs` or `limits.spaceCheckBytes`; what cannot be
 * measured counts as free.
 */
import { statfsSync } from 'node:fs'
import { BlazeError, limits } from '../../../runtime/index.ts'

export class FreeSpace {
  readonly #at: string
  #measuredAtMs = Number.NEGATIVE_INFINITY
  #writtenBytes = 0
  #freeBytes = Number.POSITIVE_INFINITY
  #reserveBytes = 0

  constructor(at: string) {
    this.#at = at
  }

  wrote(bytes: number): void {
    this.#writtenBytes += bytes
  }

  /**
   * Throws `DISK_FULL` below the reserve; `frees` may use half of it. Nothing is remembered: once there is room, nothing is thrown.
   */
  check(nowMs: number, frees: boolean): void {
    const ageMs = nowMs - this.#measuredAtMs
    if (ageMs >= limits.spaceCheckMs || this.#writtenBytes >= limits.spaceCheckBytes) this.#measure(nowMs)
    const neededBytes = frees ? this.#reserveBytes / 2 : this.#reserveBytes
    if (this.#freeBytes >= neededBytes) return
    throw new BlazeError(
      'DISK_FULL',
      `the disk of ${this.#at} has ${this.#freeBytes} bytes left, ${this.#reserveBytes} are kept in reserve; free some space, writes then go on by themselves`,
      { details: { at: this.#at, freeBytes: this.#freeBytes, reserveBytes: this.#reserveBytes } },
    )
  }

  #measure(nowMs: number): void {
    this.#measuredAtMs = nowMs
    this.#writtenBytes = 0
    try {
      const { bavail, blocks, bsize } = statfsSync(this.#at)
      this.#freeBytes = bavail * bsize
      this.#reserveBytes = Math.min(limits.diskReserveBytes, (blocks * bsize) / limits.diskReserveShare)
    } catch {
      // Not every file system tells. LevelDB's own error poisons the store then.
      this.#freeBytes = Number.POSITIVE_INFINITY
    }
  }
}
