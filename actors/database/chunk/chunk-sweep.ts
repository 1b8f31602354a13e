/**
 * Deletes chunks of this device that no record refers to: of values that were replaced, or whose write never came (REPLICATION rule 30).
 * Invariant: a chunk goes only a day after it was written and a day after the record last changed, so that nobody who reads is cut short.
 */
import { BlazeError, Breath, limits, toHex } from '../../../runtime/index.ts'
import type { Env } from '../../../runtime/index.ts'
import { isAlive } from '../record/record-change.ts'
import type { RecordState, Stamp } from '../record/record.ts'
import type { RecordWriter } from '../record-writer.ts'
import type { KeyedView } from '../view/keyed-view.ts'
import { CHUNK_COLLECTION, chunkPrefix, parseChunkId } from './chunk-name.ts'
import { chunkFields } from './large-store.ts'
import type { BlobOwner } from './large-store.ts'

export interface ChunkSweepOptions {
  readonly env: Env
  readonly view: KeyedView
  readonly writer: RecordWriter
  /** Whether a replica id belongs to this device. */
  isOwn(replicaId: Uint8Array): boolean
}

/**
 * Sweeps from time to time, when something is written: a timer would keep a process alive. Invariant: one sweep at a time; what stops
 * one is tried again with the next.
 */
export class ChunkSweeper {
  readonly #options: ChunkSweepOptions
  readonly #closing = new AbortController()
  #dueMs: number
  #sweeping = false

  constructor(options: ChunkSweepOptions) {
    this.#options = options
    this.#dueMs = options.env.monotonic() + limits.chunkSweepFirstMs
  }

  /** After a batch that was synced. */
  note(): void {
    const { env } = this.#options
    if (this.#sweeping || env.monotonic() < this.#dueMs) return
    this.#sweeping = true
    const ended = (): void => {
      this.#sweeping = false
      this.#dueMs = env.monotonic() + limits.chunkSweepMs
    }
    sweepChunks(this.#options, this.#closing.signal).then(ended, (error: unknown) => {
      ended()
      // A full disk, a rebase, a role that was taken away: later may be better.
      if (!(error instanceof BlazeError)) throw error
    })
  }

  close(): void {
    this.#closing.abort()
  }
}

/** How many chunks it deleted. Ends early when its session does; rejects with what a write says. */
async function sweepChunks(options: ChunkSweepOptions, signal: AbortSignal): Promise<number> {
  const { env, view } = options
  const ready = view.ready()
  if (ready !== undefined) await ready
  const breath = new Breath(env)
  let deleted = 0
  for (const id of view.index.livingIds(CHUNK_COLLECTION, '')) {
    // The first chunk of a blob says whose it is.
    const name = parseChunkId(id)
    if (name?.place === 0 && isWaste(options, id, name.blobHex))
      deleted += await deleteBlob(options, name.blobHex, signal)
    const pause = breath.pause()
    if (pause !== undefined) await pause
    if (signal.aborted) break
  }
  return deleted
}

/** Of a blob whose first chunk is here, made by this device. */
function isWaste(options: ChunkSweepOptions, id: string, blobHex: string): boolean {
  const { env, view } = options
  const first = view.peek(CHUNK_COLLECTION, id)
  const stamp = first?.fields.get(chunkFields.data)?.stamp
  if (first === undefined || !isAlive(first) || stamp === undefined || !options.isOwn(stamp.writer))
    return false
  const before = env.now() - limits.chunkKeptMs
  const owner = ownerOf(first)
  if (stamp.ms > before || owner === undefined) return false
  const record = view.peek(owner.collection, owner.id)
  return record === undefined || (!refersTo(record, blobHex) && newestMs(record) <= before)
}

/** The first chunk goes last: what is left of a sweep that was cut off is found by the next. */
async function deleteBlob(
  { view, writer }: ChunkSweepOptions,
  blobHex: string,
  signal: AbortSignal,
): Promise<number> {
  const ids = [...view.index.livingIds(CHUNK_COLLECTION, chunkPrefix(blobHex))].reverse()
  for (let at = 0; at < ids.length && !signal.aborted; at += limits.bulkChunkRecords) {
    await writer.delete(CHUNK_COLLECTION, ids.slice(at, at + limits.bulkChunkRecords))
  }
  return ids.length
}

function ownerOf({ fields }: RecordState): BlobOwner | undefined {
  const owner = fields.get(chunkFields.owner)?.value
  if (!Array.isArray(owner)) return undefined
  const [collection, id, field] = owner
  if (typeof collection !== 'string' || typeof id !== 'string' || typeof field !== 'string') return undefined
  return { collection, id, field }
}

function refersTo({ fields }: RecordState, blobHex: string): boolean {
  for (const { merge } of fields.values()) {
    if (merge?.kind === 'large' && toHex(merge.blob) === blobHex) return true
  }
  return false
}

function newestMs({ deleted, fields }: RecordState): number {
  let newest = 0
  const see = ({ ms }: Stamp): void => {
    newest = Math.max(newest, ms)
  }
  if (deleted !== undefined) see(deleted)
  for (const { stamp } of fields.values()) see(stamp)
  return newest
}
