/**
 * What an open replica knows of forks, and does while it is a misfit: it makes abandoned writes again, and waits for one whole round
 * (REPLICATION rules 21 to 23).
 * Invariant: an abandoned envelope leaves in the batch that brings its copy, and in no other.
 */
import { assert, BlazeError } from '../../../runtime/index.ts'
import { offer } from '../live-set.ts'
import type { ReplicaState } from '../replica-state.ts'
import type { CopyOf, Misfit, OwnDraft } from '../replica.ts'
import { rebaseKey } from '../row.ts'
import type { Held } from '../row.ts'
import type { Stage } from '../stage.ts'
import type { TagTable } from '../tag-table.ts'
import type { VectorEntry } from '../vector.ts'
import { ContestedHeads } from './contested-heads.ts'
import { contextOfCopy, encodeRebase, forkPointOf, isAbandoned } from './rebase.ts'
import type { LeftReplica, Rebase } from './rebase.ts'

export interface MisfitHost {
  readonly state: ReplicaState
  readonly tags: TagTable
  /** Throws when nothing may be staged. */
  check(): void
  stage(): Stage
  /** Gives the draft the next own dot. */
  seal(draft: OwnDraft): Held
  /** Resolves when what was staged is synced. */
  request(): Promise<void>
}

export class LocalMisfit implements Misfit {
  readonly #host: MisfitHost
  readonly #listeners = new Set<() => void>()
  readonly #contested = new ContestedHeads()

  constructor(host: MisfitHost) {
    this.#host = host
  }

  get rebase(): Rebase | undefined {
    return this.#host.state.rebase
  }

  /** Throws `REBASING` while writing is forbidden. */
  check(): void {
    if (this.rebase === undefined) return
    throw new BlazeError(
      'REBASING',
      'this database takes one whole round from its supervisor before it writes again',
      {
        details: { reason: this.rebase.reason },
      },
    )
  }

  async reissue(tags: readonly Uint8Array[], copy: CopyOf): Promise<number> {
    const { host, left } = this.#begun()
    if (left === undefined) return 0
    const made: Held[] = []
    for (const tag of tags) {
      const before = host.tags.newest(tag)
      let live: readonly Held[] = before
      for (const old of before) {
        if (!isAbandoned(left, old.envelope)) continue
        const sealed = copy(old.envelope)
        if (sealed === undefined) continue
        const { life, deleted, context } = old.envelope
        const held = host.seal({ tag, life, deleted, context: contextOfCopy(context, left), ...sealed })
        live = offer(
          live.filter((other) => other !== old),
          held,
        )
        made.push(held)
      }
      if (live !== before) host.tags.stage(tag, live, true)
    }
    if (made.length === 0) return 0
    host.stage().addOwn(made, false)
    await host.request()
    return made.length
  }

  async reissued({ alone }: { readonly alone: boolean }): Promise<void> {
    const { host, order } = this.#begun()
    const next: Rebase | undefined = alone ? undefined : { ...order, step: 'round' }
    host
      .stage()
      .extra.push(
        next === undefined
          ? { type: 'del', key: rebaseKey }
          : { type: 'put', key: rebaseKey, value: encodeRebase(next) },
      )
    await host.request()
    host.state.rebase = next
    if (next === undefined) this.#tell()
  }

  onRebased(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  forkPoint({ seq, contested }: { readonly seq: number; readonly contested: boolean }): number {
    return forkPointOf({ confirmed: this.#host.state.heads.confirmedSeq, shown: seq, contested })
  }

  contested(): readonly VectorEntry[] {
    return this.#contested.entries()
  }

  onContested(listener: (entry: VectorEntry) => void): () => void {
    return this.#contested.onAdded(listener)
  }

  /** A signed head of an id of another does not follow what is held of that id. */
  contest(entry: VectorEntry): void {
    this.#contested.add(entry)
  }

  /** The batch that ended a whole round was synced. */
  landed(): void {
    this.#host.state.rebase = undefined
    this.#tell()
  }

  #tell(): void {
    for (const listener of this.#listeners) listener()
    this.#listeners.clear()
  }

  #begun(): { host: MisfitHost; order: Rebase; left: LeftReplica | undefined } {
    const host = this.#host
    host.check()
    const order = host.state.rebase
    assert(order?.step === 'reissue', 'writes are made again while a rebase is at that step')
    return { host, order, left: order.left }
  }
}
