/**
 * One direction of an edge: copies committed records of some collections from one database into another, field states unchanged.
 * Invariant: what is not across yet is a set of names, so a slow target costs no more than that, and a lost pass is only repeated.
 */
import { limits } from '../../runtime/index.ts'
import type { Database, ImportedRecord, RecordChange, RecordName } from '../database/index.ts'

export interface MirrorFlowOptions {
  readonly source: Database
  readonly target: Database
  /** Of the source; undefined means all that applications can name. */
  readonly collections: readonly string[] | undefined
  /** Name in the target of a collection of the source. */
  readonly rename: (collection: string) => string
  /** Called before the first record of a collection of the target; a rejection ends the pass. */
  readonly admit: (collection: string) => Promise<void>
}

export class MirrorFlow {
  readonly #o: MirrorFlowOptions
  /** Names that are not across, by collection of the source. */
  readonly #dirty = new Map<string, Set<string>>()
  #passDue = true
  #copied = 0

  constructor(options: MirrorFlowOptions) {
    this.#o = options
  }

  /** Records that changed the target. */
  get copied(): number {
    return this.#copied
  }

  get pending(): boolean {
    return this.#passDue || this.#dirty.size > 0
  }

  /** A full pass is due: what was missed is not known. */
  restart(): void {
    this.#passDue = true
  }

  /** Returns whether any of the changes concern this flow. */
  note(changes: readonly RecordChange[]): boolean {
    let concerned = false
    for (const { collection, id } of changes) {
      if (!this.#concerns(collection)) continue
      this.#add({ collection, id })
      concerned = true
    }
    return concerned
  }

  /** Resolves when nothing is pending. After a rejection nothing is lost: call it again. */
  async drain(signal: AbortSignal): Promise<void> {
    const { collections, source } = this.#o
    while (this.pending && !signal.aborted) {
      if (this.#passDue) {
        this.#passDue = false
        try {
          const names = await source.request<RecordName[]>((reply) => ({
            type: 'mirror.list',
            collections,
            reply,
          }))
          for (const name of names) if (this.#concerns(name.collection)) this.#add(name)
        } catch (error) {
          this.#passDue = true
          throw error
        }
      }
      const chunk = this.#take()
      try {
        await this.#copy(chunk)
      } catch (error) {
        for (const name of chunk) this.#add(name)
        throw error
      }
    }
  }

  async #copy(names: readonly RecordName[]): Promise<void> {
    const { source, target, rename, admit } = this.#o
    if (names.length === 0) return
    const records = await source.request<ImportedRecord[]>((reply) => ({ type: 'mirror.read', names, reply }))
    const renamed = records.map((record) => ({ ...record, collection: rename(record.collection) }))
    for (const collection of new Set(renamed.map((record) => record.collection))) await admit(collection)
    for (const record of renamed) await this.#copyLarge(record)
    this.#copied += await target.request<number>((reply) => ({
      type: 'mirror.import',
      records: renamed,
      reply,
    }))
  }

  /** The chunks first: what the target lacks of them is read from the source, as far as it is there. */
  async #copyLarge({ collection, id, fields }: ImportedRecord): Promise<void> {
    const { source, target } = this.#o
    for (const [field, { merge }] of fields) {
      if (merge?.kind !== 'large') continue
      const large = merge
      if (await target.request<boolean>((reply) => ({ type: 'large.has', large, reply }))) continue
      const bytes = await source.request<Uint8Array | undefined>((reply) => ({
        type: 'large.read',
        large,
        reply,
      }))
      if (bytes === undefined) continue
      const owner = { collection, id, field }
      await target.request<void>((reply) => ({ type: 'large.copy', owner, large, bytes, reply }))
    }
  }

  #concerns(collection: string): boolean {
    return this.#o.collections?.includes(collection) ?? !collection.startsWith('~')
  }

  #add({ collection, id }: RecordName): void {
    const ids = this.#dirty.get(collection)
    if (ids === undefined) this.#dirty.set(collection, new Set([id]))
    else ids.add(id)
  }

  /** At most one chunk, oldest first. */
  #take(): RecordName[] {
    const chunk: RecordName[] = []
    for (const [collection, ids] of this.#dirty) {
      for (const id of ids) {
        if (chunk.length === limits.bulkChunkRecords) return chunk
        chunk.push({ collection, id })
        ids.delete(id)
      }
      this.#dirty.delete(collection)
    }
    return chunk
  }
}
