/**
 * The marks by which a database knows which of its collections are read-only copies, and of what.
 * Invariant: a marked collection holds no record that is at home here; marks outlive the process until they are forgotten.
 */
import { BlazeError, equalBytes } from '../../runtime/index.ts'
import type { Database } from '../database/index.ts'

export class MirrorMarks {
  readonly #target: Database
  readonly #source: Uint8Array
  /** Checked since this edge began. */
  readonly #admitted = new Set<string>()

  /** `source` is the space id that the copies come from. */
  constructor(target: Database, source: Uint8Array) {
    this.#target = target
    this.#source = source
  }

  /** Marks the collection. `COLLECTION_EXISTS` when it has records of its own, or copies another database. */
  async admit(collection: string): Promise<void> {
    if (this.#admitted.has(collection)) return
    const known = this.#target.identity.mirrors.find((mark) => mark.collection === collection)
    if (known === undefined) await this.#mark(collection)
    else if (!equalBytes(known.source, this.#source)) throw exists(collection)
    this.#admitted.add(collection)
  }

  /** Lets the collections that this edge marked be written again. Their records stay. */
  async forget(): Promise<void> {
    const { mirrors } = this.#target.identity
    const kept = mirrors.filter(({ collection }) => !this.#admitted.has(collection))
    if (kept.length < mirrors.length) await this.#target.updateIdentity({ mirrors: kept })
    this.#admitted.clear()
  }

  async #mark(collection: string): Promise<void> {
    const target = this.#target
    // First the mark, then the look: a write that slips in between is refused or seen.
    await target.updateIdentity({
      mirrors: [...target.identity.mirrors, { collection, source: this.#source }],
    })
    const taken = await target.request<boolean>((reply) => ({ type: 'mirror.local', collection, reply }))
    if (!taken) return
    await target.updateIdentity({
      mirrors: target.identity.mirrors.filter((mark) => mark.collection !== collection),
    })
    throw exists(collection)
  }
}

function exists(collection: string): BlazeError {
  return new BlazeError('COLLECTION_EXISTS', 'the collection has records that do not come from this source', {
    details: { collection },
  })
}
