/**
 * Callers that wait until the supervisor has answered a mark: everything it held then is applied here. Outlives connections.
 * Invariant: ids rise, so the answer to one answers all before it; each caller is settled at most once.
 */
import { BlazeError, limits } from '../../runtime/index.ts'

export class MarkTable {
  readonly #waiting = new Map<number, () => void>()
  #last = 0

  /** `answered` is called once, unless the function that is returned was called before. `OVERLOADED`. */
  add(answered: () => void): () => void {
    if (this.#waiting.size >= limits.relayMarksMax)
      throw new BlazeError('OVERLOADED', `${limits.relayMarksMax} calls of caughtUp() wait already`)
    const id = ++this.#last
    this.#waiting.set(id, answered)
    return () => void this.#waiting.delete(id)
  }

  /** The mark whose answer answers all; 0 when nobody waits. */
  get due(): number {
    return this.#waiting.size === 0 ? 0 : this.#last
  }

  settle(upTo: number): void {
    for (const [id, answered] of this.#waiting) {
      if (id > upTo) return
      this.#waiting.delete(id)
      answered()
    }
  }
}
