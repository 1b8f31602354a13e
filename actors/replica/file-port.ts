/**
 * The port to files anywhere on the machine that are read or written from one end to the other: backups, exports, imports.
 * Invariant: a file that is being made is under its name only when all of it is on the disk.
 */

export interface FileSink {
  /** In order, one at a time. */
  write(bytes: Uint8Array): Promise<void>
  /** Syncs, and gives the file its name; what had the name before is replaced. */
  finish(): Promise<void>
  /** Leaves nothing behind, unless it is finished. Idempotent. */
  discard(): Promise<void>
}

export interface FileSource {
  readonly sizeBytes: number
  /** The next bytes, at most so many; none at the end. */
  read(bytesMax: number): Promise<Uint8Array>
  /** Idempotent. */
  close(): Promise<void>
}

/** Rejects with `DISK_FULL`, or `DIRECTORY_UNUSABLE` where the path cannot be written or read. */
export interface FilePort {
  /** For its owner alone (0600), in a directory that is there. */
  create(path: string): Promise<FileSink>
  /** `NOT_FOUND` when there is none. */
  open(path: string): Promise<FileSource>
}
