/** The second half of a cell: how a life ends, and what follows it. A restart, a rest, or the end for good. */
import { Annex } from './annex.ts'
import type { Settled } from './annex.ts'
import { tearDown } from './farewell.ts'
import type { FarewellHost } from './farewell.ts'
import { Inbox } from './inbox.ts'
import type { Status } from './inbox.ts'
import type { Life } from './life.ts'
import { limits } from '../limits.ts'
import type { Family } from '../supervision/family.ts'
import type { Member } from '../supervision/member.ts'
import { RestartHistory } from '../supervision/restart-history.ts'
import type { CellInfo, TapEventType } from '../tap.ts'
import { describeError } from '../tap.ts'

/** What follows a life. A number: a restart after so many ms. `group`: a restart together with siblings. */
export type Next = number | 'group' | 'passive' | 'final' | 'exceeded'

/** How a life ended: with a farewell or without one. */
export type Manner = 'stopped' | 'crashed' | 'killed'

export abstract class Lifespan<M> extends Inbox<M> implements FarewellHost, Member {
  declare readonly parent: Lifespan<unknown> | undefined
  /** Undefined while it has never had children in this life. */
  family: Family | undefined
  protected life: Life<M> | undefined
  /** Ms since the system began, of the entry into the present status. */
  protected since = 0
  protected stopped: Settled | undefined

  abstract begin(): boolean
  abstract suspend(): Promise<void>
  abstract rouse(): void
  abstract info(): CellInfo

  get state(): Status {
    return this.status
  }

  get isRoot(): boolean {
    return this.parent === undefined
  }

  get children(): Iterable<Member> {
    return this.family?.children ?? []
  }

  get stopBudgetMs(): number {
    return this.spec.stopBudgetMs ?? limits.stopBudgetMs
  }

  get history(): RestartHistory {
    const annex = (this.annex ??= new Annex())
    annex.history ??= new RestartHistory()
    return annex.history
  }

  lost(label: unknown): void {
    this.bury(label, 'stopped')
  }

  failed(error: unknown): void {
    const text = describeError(error)
    ;(this.annex ??= new Annex()).lastError = text
    this.kernel.log.error('cell.stop.failed', { path: this.path, error: text })
  }

  /** Its supervisor is going down: nothing below that starts any more. */
  protected get isOrphan(): boolean {
    return this.parent !== undefined && this.parent.status !== 'running'
  }

  get killAsked(): boolean {
    return this.annex?.killAsked === true
  }

  waitsForFarewell(cutShort: (() => void) | undefined): void {
    ;(this.annex ??= new Annex()).cutShort = cutShort
  }

  /** A kill of a cell that is ending already. */
  protected hurry(): void {
    const annex = (this.annex ??= new Annex())
    annex.killAsked = true
    for (const child of this.family?.children ?? []) void child.kill()
    annex.cutShort?.()
  }

  protected get parentId(): number | null {
    return this.parent?.isRoot === false ? this.parent.id : null
  }

  protected leave(next: Next, manner: Manner, error?: Error): void {
    const byItself = this.open
    const final = next === 'final' || next === 'exceeded'
    this.status = final || next === 'passive' ? 'stopping' : 'closing'
    this.annex?.idle?.end()
    if (manner !== 'stopped') {
      // The state that owed answers and had asked for this mail is gone; the next life starts clean.
      this.failOwed('crashed')
      for (const label of this.life?.end(error ?? 'killed') ?? [])
        this.bury(label, manner === 'crashed' ? 'crashed' : 'stopped')
    }
    if (final) this.close()
    else this.unstash()
    if (manner === 'crashed') this.annex?.watchers?.notify({ kind: manner, final, error })
    const kept = next === 'exceeded' && this.#gaveUp(error)
    const grouped = typeof next === 'number' && this.parent?.family?.restartsGroup(this, next) === true
    const after = grouped ? 'group' : next
    const children = this.family?.endAll(manner === 'killed' ? 'kill' : 'stop')
    const torn = this.life === undefined ? false : tearDown(this.life, children, this, manner === 'stopped')
    if (typeof torn === 'boolean') {
      this.#left(after, manner, torn, byItself, kept)
      return
    }
    this.enter(this.status)
    void torn.then((overran) => this.#left(after, manner, overran, byItself, kept))
  }

  /** The life is over and all of it disposed of. */
  #left(next: Next, manner: Manner, overran: boolean, byItself: boolean, kept: boolean): void {
    this.family = undefined
    const final = next === 'final' || next === 'exceeded'
    if (final || !this.open) {
      this.finish(manner === 'killed' || overran ? 'killed' : 'stopped', final && byItself, kept)
      return
    }
    this.failOwed('crashed')
    this.unstash()
    // What is over is let go of: a ref must not keep the state of a cell that is down.
    this.life = undefined
    if (next === 'passive') this.#sleep()
    else {
      ;(this.annex ??= new Annex()).lived = true
      this.enter('restarting')
    }
    if (manner === 'stopped' && next !== 'passive')
      this.annex?.watchers?.notify({ kind: manner, final: false })
    if (typeof next === 'number') this.#restartIn(next)
    this.annex?.down?.resolve()
    if (this.annex !== undefined) this.annex.down = undefined
  }

  #restartIn(waitMs: number): void {
    if (waitMs > 0) (this.annex ??= new Annex()).restartTimer = this.env.after(waitMs, () => this.begin())
    else this.env.defer(() => this.begin())
  }

  protected finish(kind: 'stopped' | 'killed', byItself: boolean, kept: boolean): void {
    if (kept) this.enter('stopped')
    else this.status = 'stopped'
    this.close()
    this.kernel.registry.forget(this)
    this.kernel.groups.forget(this)
    this.annex?.watchers?.notify({ kind, final: true })
    this.parent?.family?.ended(this, byItself, kept)
    if (this.kernel.tap.active) this.emit('cell.stopped', { kind })
    this.stopped?.resolve()
    this.annex?.down?.resolve()
    this.life = undefined
    this.mailbox = undefined
    if (!kept) this.annex = undefined
  }

  #gaveUp(error: Error | undefined): boolean {
    return this.parent?.family?.gaveUp(this, error ?? new Error(`${this.path} stopped itself`)) === true
  }

  #sleep(): void {
    this.enter('passive')
    if (this.kernel.tap.active) this.emit('cell.passive', {})
    this.rouse()
  }

  /** What follows when the cell has ended by itself. */
  protected verdict(how: 'crash' | 'stop-self'): Next {
    const { restart = 'permanent' } = this.spec
    if (
      !this.open ||
      this.isOrphan ||
      restart === 'temporary' ||
      (how === 'stop-self' && restart === 'transient')
    )
      return 'final'
    return this.parent?.family?.judge(this) ?? 'final'
  }

  protected enter(status: Status): void {
    this.status = status
    this.since = this.env.now() - this.kernel.startedAt
  }

  protected emit(type: TapEventType, details: object): void {
    this.kernel.tap.emit(type, this.path, this.id, details)
  }
}
