/**
 * Lets calls wait for writes of large values that were called before them: such a write takes its turns, others are staged at once.
 * Invariant: what concerns a record happens in the order of the calls; what concerns other records does not wait.
 */
import { BlazeError, limits } from '../../../runtime/index.ts'
import type { DatabaseRequest } from '../message.ts'
import { hasLarge } from './large-store.ts'
import type { RecordName } from '../record/record-change.ts'

/** Which records a call is about; without ids all of the collection. */
type Concern = 'everything' | 'nothing' | { readonly collection: string; readonly ids?: readonly string[] }

export class LargeGate {
  /** The end of the last of them, by collection and then id. None rejects. */
  readonly #busy = new Map<string, Map<string, Promise<void>>>()

  /** Calls that wait. */
  #waiting = 0

  /**
   * Resolves when the large writes under way that concern the call have ended; undefined when there are none. Throws `OVERLOADED` when too
   * many calls wait.
   */
  wait(request: DatabaseRequest): Promise<void> | undefined {
    const ended = this.#busy.size === 0 ? undefined : this.#after(concernOf(request))
    if (ended === undefined) return undefined
    if (this.#waiting >= limits.databaseMailMax) {
      throw new BlazeError('OVERLOADED', 'too many calls wait for writes of large values')
    }
    this.#waiting += 1
    return ended.then(() => {
      this.#waiting -= 1
    })
  }

  /** Runs a write of large values; later calls for the records wait for it. */
  async run<R>(collection: string, ids: readonly string[], work: () => Promise<R>): Promise<R> {
    const before = this.#after({ collection, ids })
    const done = before === undefined ? work() : before.then(work)
    const end = done.then(ignore, ignore)
    for (const id of ids) this.#mark({ collection, id }, end)
    try {
      return await done
    } finally {
      for (const id of ids) this.#unmark({ collection, id }, end)
    }
  }

  #after(concern: Concern): Promise<void> | undefined {
    const ends = [...this.#ends(concern)]
    return ends.length === 0 ? undefined : Promise.all(ends).then(ignore)
  }

  *#ends(concern: Concern): Generator<Promise<void>> {
    if (concern === 'nothing') return
    if (concern === 'everything') {
      for (const ends of this.#busy.values()) yield* ends.values()
      return
    }
    const ends = this.#busy.get(concern.collection)
    if (ends === undefined) return
    if (concern.ids === undefined) {
      yield* ends.values()
      return
    }
    for (const id of concern.ids) {
      const end = ends.get(id)
      if (end !== undefined) yield end
    }
  }

  #mark({ collection, id }: RecordName, end: Promise<void>): void {
    let ends = this.#busy.get(collection)
    if (ends === undefined) {
      ends = new Map()
      this.#busy.set(collection, ends)
    }
    ends.set(id, end)
  }

  #unmark({ collection, id }: RecordName, end: Promise<void>): void {
    const ends = this.#busy.get(collection)
    if (ends?.get(id) !== end) return
    ends.delete(id)
    if (ends.size === 0) this.#busy.delete(collection)
  }
}

function ignore(): void {
  // Whoever called it is told.
}

/** Guests and mirrors see what is synced, and wait for nothing. */
function concernOf(request: DatabaseRequest): Concern {
  if ('query' in request) return { collection: request.query.collection }
  switch (request.type) {
    case 'record.get':
    case 'record.delete':
      return { collection: request.collection, ids: [request.id] }
    case 'record.write':
      // A large one takes its place at once, by `run`.
      return hasLarge(request.inputs)
        ? 'nothing'
        : { collection: request.collection, ids: request.inputs.map(({ id }) => id) }
    case 'transaction.step':
      return concernOf(request.call)
    case 'database.settle':
    case 'database.flush':
      return 'everything'
    default:
      return 'nothing'
  }
}
