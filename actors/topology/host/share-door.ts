/**
 * Where guests knock: the listener of a share, and the entry by which other apps see it.
 * Invariant: the entry is there only while the name is ours; opened again and closed as often as the share lives.
 */
import { BlazeError, limits, toHex } from '../../../runtime/index.ts'
import type { Env } from '../../../runtime/index.ts'
import type { Link, Listener, Transport } from '../../../transports/index.ts'
import type { Database } from '../../database/index.ts'
import type { AppGroup, AppIdentity } from '../group/index.ts'
import type { ShareTerms } from './share-terms.ts'

export interface ShareDoorOptions {
  readonly database: Database
  readonly world: {
    readonly env: Env
    readonly local: Transport
    readonly pid: number
    isRunning(pid: number): boolean
  }
  readonly group: AppGroup
  readonly app: AppIdentity
}

export class ShareDoor {
  readonly #o: ShareDoorOptions
  #listener: Listener | undefined
  /** What was begun, one after the other, with whatever result. */
  #done: Promise<unknown> = Promise.resolve()

  constructor(options: ShareDoorOptions) {
    this.#o = options
  }

  get open(): boolean {
    return this.#listener !== undefined
  }

  /** Resolves when guests can connect and others see it. `ALREADY_OPEN` (`details.pid`, where known), `UNSAFE_DIRECTORY`. */
  listen(terms: ShareTerms, onLink: (link: Link) => void): Promise<void> {
    const { group, database, world } = this.#o
    return this.#next(async () => {
      const listener = await world.local
        .listen(group.endpoint(database.name), onLink)
        .catch((error: unknown) => this.#taken(error))
      try {
        await this.#write(terms)
      } catch (error) {
        await listener.close()
        throw error
      }
      this.#listener = listener
    })
  }

  /** Writes the entry anew. Does nothing while nobody listens. */
  publish(terms: ShareTerms): Promise<void> {
    return this.#next(async () => {
      if (this.open) await this.#write(terms)
    })
  }

  /** Idempotent. */
  close(): Promise<void> {
    return this.#next(async () => {
      const listener = this.#listener
      this.#listener = undefined
      if (listener === undefined) return
      try {
        // While the name is still ours: the entry of whoever takes it next has to stay.
        await this.#o.group.withdraw(this.#o.database.name)
      } finally {
        await listener.close()
      }
    })
  }

  #next(work: () => Promise<void>): Promise<void> {
    const result = this.#done.then(work)
    this.#done = result.catch(() => undefined)
    return result
  }

  #write({ grants, version }: ShareTerms): Promise<void> {
    const { group, database, app, world } = this.#o
    return group.publish({
      database: database.name,
      app: app.id,
      space: toHex(database.identity.space),
      pid: world.pid,
      policy: version,
      grants,
    })
  }

  async #taken(error: unknown): Promise<never> {
    if (!(error instanceof BlazeError && error.code === 'PORT_IN_USE')) throw error
    const pid = await this.#holder()
    throw new BlazeError(
      'ALREADY_OPEN',
      `${this.#describe(pid)} "${this.#o.database.name}" in this app group already`,
      { cause: error, details: pid === undefined ? {} : { pid } },
    )
  }

  /** Whoever has taken the name only just has not written its entry yet: the one there is that of a process that was killed. */
  async #holder(): Promise<number | undefined> {
    const { group, database, world } = this.#o
    const { env } = world
    const endMs = env.monotonic() + limits.shareEntryWaitMs
    for (;;) {
      const pid = (await group.entry(database.name))?.pid
      if (pid !== undefined && world.isRunning(pid)) return pid
      if (env.monotonic() >= endMs) return undefined
      await new Promise<void>((resolve) => void env.after(limits.shareEntryLookMs, resolve))
    }
  }

  #describe(pid: number | undefined): string {
    if (pid === undefined) return 'another process shares a database named'
    return pid === this.#o.world.pid
      ? `this process (pid ${pid}) shares another database named`
      : `another process (pid ${pid}) shares a database named`
  }
}
