/** A guest of a campaign, over all its lives. Invariant: what it shows is what its live queries have told, and nothing else. */
import type { BlazeDBClient } from '../../actors/index.ts'
import type { LiveDelta } from '../../actors/database/index.ts'
import { BlazeError } from '../../runtime/index.ts'
import { COLLECTIONS } from './next-door-chance.ts'
import type { Looked } from './next-door-oracle.ts'
import type { Mode, Shown } from './next-door-policy.ts'
import type { AppProcess } from './next-door-world.ts'

export class NextDoorGuest implements Looked {
  readonly name: string
  readonly app: string
  /** What it would like. */
  readonly mode: Mode
  process: AppProcess | undefined
  client: BlazeDBClient | undefined
  deltas = 0
  #shown = new Map<string, Shown>()
  #everShown = new Set<string>()

  constructor(name: string, app: string, mode: Mode) {
    this.name = name
    this.app = app
    this.mode = mode
  }

  get shown(): ReadonlyMap<string, Shown> {
    return this.#shown
  }

  /** In this life. */
  get everShown(): ReadonlySet<string> {
    return this.#everShown
  }

  /** `told` is called with the records that each delta shows. */
  follow(
    client: BlazeDBClient,
    on: { told(shown: readonly (readonly [string, Shown])[]): void; failed(error: unknown): void },
  ): void {
    this.client = client
    for (const collection of COLLECTIONS) {
      const live = client
        .collection(collection)
        .query()
        .live((delta) => {
          if (this.client === client) on.told(this.#take(collection, delta))
        })
      live.closed.catch((error: unknown) => {
        if (!(error instanceof BlazeError && error.code === 'CLOSED')) on.failed(error)
      })
    }
  }

  /** Its process has ended, in whatever way. */
  gone(): void {
    this.process = undefined
    this.client = undefined
    this.#shown = new Map()
    this.#everShown = new Set()
  }

  #take(collection: string, { added, changed, removed }: LiveDelta): readonly (readonly [string, Shown])[] {
    this.deltas += 1
    const shown = [...added, ...changed].map((doc) => [`${collection}/${doc.id}`, doc] as const)
    for (const [key, doc] of shown) {
      this.#shown.set(key, doc)
      this.#everShown.add(key)
    }
    for (const id of removed) this.#shown.delete(`${collection}/${id}`)
    return shown
  }
}
