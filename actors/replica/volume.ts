/**
 * The port to a directory of stores and small files, so that everything above it runs on a simulated disk too.
 * Invariant: a small file is replaced whole or not at all.
 */
import type { OrderedStore } from './store.ts'

/** Names are relative, with forward slashes and without `..`; anything else is a `TypeError`. */
export interface Volume {
  /** Where it is, for people. */
  readonly at: string
  /** The whole file, or undefined when there is none. */
  readFile(name: string): Promise<Uint8Array | undefined>
  /** Replaces the file and resolves after file and directory were synced. Files are 0600, directories 0700. */
  writeFile(name: string, bytes: Uint8Array): Promise<void>
  /** Makes the volume, unless it is there, this user's alone: `UNSAFE_DIRECTORY` when it then is not. */
  private(): Promise<void>
  /** Makes the file, whole and synced; false, and nothing done, when there is one. Of several processes one succeeds. */
  createFile(name: string, bytes: Uint8Array): Promise<boolean>
  /** As `readFile`; `UNSAFE_DIRECTORY` unless it is a file of this user with no rights for others, `DAMAGED` when it is far too long. */
  readPrivate(name: string): Promise<Uint8Array | undefined>
  /** `ALREADY_OPEN` with `details.pid` (undefined when unknown) while another handle or process holds it. */
  openStore(name: string): Promise<OrderedStore>
  /** Names in a directory, sorted; empty when there is none. `''` is the volume itself. */
  list(name: string): Promise<string[]>
  /** Removes a file or a directory with all it holds. Harmless when there is none. */
  remove(name: string): Promise<void>
}
