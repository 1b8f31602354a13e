/**
 * Messages on which a cell crashed, kept whole for a look, a repair and a second try. A restarted cell goes on with the mail behind
 * them. Bounded: the oldest is let go, and lives on only as the dead letter that it is anyway.
 */
import type { Ref, TellResult } from '../behaviour.ts'
import { limits } from '../limits.ts'

export interface QuarantinedMessage {
  /** For `release` and `discard`. */
  readonly id: number
  /** Wall clock, ms since the epoch. */
  readonly at: number
  readonly path: string
  /** Id of the cell. */
  readonly cell: number
  /** Type of the message. */
  readonly message: string
  /** Name or code and text of the error, cut. */
  readonly error: string
}

/** What the outside may do. */
export interface Quarantine {
  /** All since the start. */
  readonly count: number
  /** The latest ones, oldest first. */
  list(): QuarantinedMessage[]
  /** Tells the message to its cell once more and forgets it, unless the mailbox is full. Undefined: there is no such entry. */
  release(id: number): TellResult | undefined
  /** False: there is no such entry. */
  discard(id: number): boolean
}

interface Entry {
  readonly shown: QuarantinedMessage
  readonly cell: Ref<unknown>
  readonly message: unknown
}

export class QuarantineRing implements Quarantine {
  readonly #entries = new Map<number, Entry>()
  count = 0

  /** Returns the id of the entry. */
  add(shown: Omit<QuarantinedMessage, 'id'>, cell: Ref<unknown>, message: unknown): number {
    const id = ++this.count
    this.#entries.set(id, { shown: { id, ...shown }, cell, message })
    if (this.#entries.size > limits.quarantineMax) {
      const [oldest] = this.#entries.keys()
      if (oldest !== undefined) this.#entries.delete(oldest)
    }
    return id
  }

  list(): QuarantinedMessage[] {
    return [...this.#entries.values()].map((entry) => entry.shown)
  }

  release(id: number): TellResult | undefined {
    const entry = this.#entries.get(id)
    if (entry === undefined) return undefined
    const told = entry.cell.tell(entry.message)
    if (told !== 'full') this.#entries.delete(id)
    return told
  }

  discard(id: number): boolean {
    return this.#entries.delete(id)
  }
}
