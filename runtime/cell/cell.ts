/** A cell: one life of a behaviour at a time, with children below it. Its handlers never nest and never run outside its turn. */
import { Annex, settled } from './annex.ts'
import { AskMail, contentOf } from './ask.ts'
import { refusePromise } from './async-handler.ts'
import type { ChildSpec, Instance, Ref, Supervision } from '../behaviour.ts'
import { messageType } from './dead-letter.ts'
import { assert, BlazeError } from '../errors.ts'
import { Lifespan } from './lifespan.ts'
import type { Next } from './lifespan.ts'
import { stackOf, toError } from './fault.ts'
import { Life } from './life.ts'
import type { LifeHost, Watchable } from './life.ts'
import { limits } from '../limits.ts'
import type { IdleHost } from './idle-watch.ts'
import { IdleWatch } from './idle-watch.ts'
import type { Runnable } from './scheduler.ts'
import { checkChildSpec } from '../supervision/child-spec.ts'
import { Family } from '../supervision/family.ts'
import type { FamilyHost } from '../supervision/family.ts'
import type { Member } from '../supervision/member.ts'
import { defaultSupervision } from '../supervision/supervisor.ts'
import { describeCell } from './cell-info.ts'
import type { CellInfo } from '../tap.ts'
import { describeError } from '../tap.ts'

/** How the present life is to end at the end of this turn; an error is a crash. */
type Ending = 'passivate' | 'stop-self' | 'suspend' | 'stop' | 'kill' | Error

type Hosts<M> = Runnable & LifeHost<M> & FamilyHost & Watchable & IdleHost

export class Cell<M> extends Lifespan<M> implements Hosts<M> {
  #pending: Ending | undefined

  get supervision(): Supervision {
    return this.spec.behaviour.supervision ?? defaultSupervision
  }

  get presentLife(): Life<never> | 'passive' | undefined {
    // Also while it goes to sleep.
    if (this.status === 'passive' || (this.status === 'stopping' && this.open)) return 'passive'
    return this.status === 'running' ? this.life : undefined
  }

  get hasWork(): boolean {
    if (this.status === 'passive') return this.mailDepth > 0 && this.#mayWake
    return this.status === 'running' && (this.#hasMail || this.#pending !== undefined)
  }

  stop(): Promise<void> {
    return this.#stopOrKill('stop')
  }

  kill(): Promise<void> {
    return this.#stopOrKill('kill')
  }

  suspend(): Promise<void> {
    if (this.status === 'stopped') return Promise.resolve()
    if (!this.open) return this.stop()
    if (this.status === 'passive' || this.status === 'restarting') return Promise.resolve()
    const annex = (this.annex ??= new Annex())
    annex.down ??= settled()
    this.#request('suspend')
    return annex.down.promise
  }

  rouse(): void {
    if (this.hasWork) this.kernel.scheduler.enqueue(this)
  }

  wake(): void {
    if (this.status === 'running') this.kernel.scheduler.enqueue(this)
  }

  requestCrash(error: unknown): void {
    this.#request(toError(error))
  }

  requestStopSelf(): void {
    this.#request('stop-self')
  }

  requestPassivation(): void {
    this.#idleWatch().asked = true
    this.wake()
  }

  requestRest(): void {
    this.#request('passivate')
  }

  get isIdle(): boolean {
    const owed = this.annex?.owed?.size ?? 0
    return !this.#hasMail && this.life?.runs === 0 && owed === 0 && this.stashDepth === 0
  }

  spawnChild<N>(spec: ChildSpec<N>): Ref<N> {
    const child = this.#makeChild(spec)
    this.#withFamily().add(child)
    return child
  }

  spawnChildren(specs: readonly ChildSpec<never>[]): void {
    this.#withFamily().addAll(specs.map((spec) => this.#makeChild(spec)))
  }

  createChild(spec: ChildSpec<never>): Member {
    return new Cell<never>(this.kernel, this, spec)
  }

  begin(): boolean {
    if (!this.open || this.isOrphan) return true
    if (this.status !== 'restarting' && this.status !== 'passive') return true
    const woken = this.status === 'passive'
    const restarted = !woken && this.annex?.lived === true
    if (restarted) (this.annex ??= new Annex()).restarts++
    const life = new Life<M>(this)
    this.life = life
    this.enter('running')
    if (this.kernel.tap.active) {
      const { behaviour } = this.spec
      const definition = behaviour.definition?.()
      if (definition !== undefined) this.kernel.tap.show(definition)
      this.emit(restarted ? 'cell.restarted' : 'cell.started', {
        kind: behaviour.kind,
        parent: this.parentId,
        ...(definition === undefined ? {} : { definition: definition.hash }),
        ...(woken ? { woken } : {}),
      })
    }
    const { turn } = this.kernel
    const outer = turn.running
    turn.running = this
    try {
      const instance: Instance<M> = this.spec.behaviour.start(life)
      refusePromise(instance, `start of ${this.spec.behaviour.kind}`)
      if (typeof instance?.receive !== 'function')
        throw new TypeError(`start of ${this.spec.behaviour.kind}: expected an instance with receive`)
      life.instance = instance
    } catch (error) {
      turn.running = outer
      return this.#crash(toError(error)) === 'final'
    }
    turn.running = outer
    if (this.spec.passivateAfterMs !== undefined) this.#idleWatch().turned(true)
    if (this.hasWork) this.wake()
    return true
  }

  turn(messagesMax: number): number {
    const life = this.life
    if (this.status !== 'running' || life === undefined) {
      if (this.hasWork) this.begin()
      return 0
    }
    const { mailbox, kernel } = this
    const { turn } = kernel
    turn.cell = this
    turn.running = this
    let handled = 0
    let label: unknown
    let told = false
    try {
      while (handled < messagesMax && this.#pending === undefined) {
        turn.aside = false
        const mail = life.takeMail()
        if (mail !== undefined) {
          label = mail.label
          told = false
          turn.mail = undefined
          mail.work()
        } else {
          const taken = mailbox?.take()
          if (taken === undefined) break
          label = taken
          told = true
          turn.mail = taken
          this.#handle(life, taken)
        }
        handled++
      }
    } catch (error) {
      turn.running = undefined
      this.#crash(toError(error), { label, told })
      return handled + 1
    } finally {
      turn.running = undefined
      turn.cell = undefined
      turn.mail = undefined
    }
    this.annex?.idle?.turned(handled > 0)
    if (this.#pending !== undefined) this.#end(this.#pending)
    return handled
  }

  deliver(message: M): void {
    this.kernel.turn.mail = message
    if (this.kernel.tap.messages) this.#show(message, 'system')
    const result: unknown = this.life?.instance?.receive(message)
    if (result !== undefined) refusePromise(result, `receive of ${this.spec.behaviour.kind}`)
  }

  info(): CellInfo {
    const { annex, mailbox, spec, id, path } = this
    const status = this.status === 'closing' ? 'restarting' : this.status
    const since = this.kernel.startedAt + this.since
    return describeCell(
      { id, path, spec, status, since, parent: this.parentId, annex, mailbox },
      this.status === 'running' ? this.life?.instance : undefined,
    )
  }

  #handle(life: Life<M>, mail: M | AskMail): void {
    if (this.kernel.tap.messages) this.#show(contentOf(mail), 'user')
    if (AskMail.is(mail)) {
      // It was told as an M; the envelope is ours.
      const result: unknown = life.instance?.receive(mail.message as M)
      this.noteOwed(mail)
      if (result !== undefined) refusePromise(result, `receive of ${this.spec.behaviour.kind}`)
      return
    }
    const result: unknown = life.instance?.receive(mail)
    if (result !== undefined) refusePromise(result, `receive of ${this.spec.behaviour.kind}`)
  }

  get #hasMail(): boolean {
    return this.mailDepth > 0 || (this.life !== undefined && this.life.mailDepth > 0)
  }

  #show(message: unknown, lane: 'user' | 'system'): void {
    this.emit('message', { message: messageType(message), lane })
  }

  get #depth(): number {
    let depth = 0
    for (let cell = this.parent; cell !== undefined; cell = cell.parent) depth++
    return depth
  }

  /** Not below a supervisor that goes down, nor while siblings that it depends on restart. */
  get #mayWake(): boolean {
    return !this.isOrphan && this.parent?.family?.isRestarting(this) !== true
  }

  #withFamily(): Family {
    this.family ??= new Family(this)
    return this.family
  }

  #makeChild<N>(spec: ChildSpec<N>): Cell<N> {
    if (this.status !== 'running' || !this.open)
      throw new BlazeError('CELL_DOWN', `${this.path} is down and starts no children`)
    checkChildSpec(spec)
    assert(this.#depth < limits.treeDepthMax, 'the tree of cells is too deep')
    return new Cell(this.kernel, this, spec)
  }

  /** The more final ending wins. */
  #request(ending: Ending): void {
    if (this.status !== 'running' || rank(ending) <= rank(this.#pending)) return
    this.#pending = ending
    this.wake()
  }

  #stopOrKill(how: 'stop' | 'kill'): Promise<void> {
    this.open = false
    if (this.status === 'stopped') {
      this.parent?.family?.forget(this)
      return Promise.resolve()
    }
    this.stopped ??= settled()
    const { promise } = this.stopped
    if (this.status === 'running') this.#request(how)
    else if (this.status === 'restarting' || this.status === 'passive') {
      this.annex?.restartTimer?.cancel()
      this.finish(how === 'kill' ? 'killed' : 'stopped', false, false)
    } else if (how === 'kill') this.hurry()
    return promise
  }

  #end(ending: Ending): void {
    this.#pending = undefined
    if (ending instanceof Error) this.#crash(ending)
    else if (ending === 'stop-self') this.leave(this.verdict(ending), 'stopped')
    else if (ending === 'suspend') this.leave('group', 'stopped')
    else if (ending === 'passivate' && this.isIdle) this.leave('passive', 'stopped')
    else if (ending === 'passivate') this.wake()
    else this.leave('final', ending === 'kill' ? 'killed' : 'stopped')
  }

  #crash(error: Error, failing?: { readonly label: unknown; readonly told: boolean }): Next {
    this.#pending = undefined
    if (failing !== undefined) this.loseCurrent(failing.label)
    const text = describeError(error)
    ;(this.annex ??= new Annex()).lastError = text
    this.kernel.log.error('cell.crashed', { path: this.path, error: text, stack: stackOf(error) })
    if (this.kernel.tap.active)
      this.emit('cell.crashed', {
        error: text,
        message: failing === undefined ? null : messageType(contentOf(failing.label)),
      })
    if (failing?.told === true) this.quarantine(failing.label, text)
    const next = this.verdict('crash')
    this.leave(next, 'crashed', error)
    return next
  }

  #idleWatch(): IdleWatch {
    const annex = (this.annex ??= new Annex())
    annex.idle ??= new IdleWatch(this, this.spec.passivateAfterMs)
    return annex.idle
  }
}

function rank(ending: Ending | undefined): number {
  if (ending === undefined) return 0
  return ending instanceof Error ? ranks.crash : ranks[ending]
}

const ranks = { passivate: 1, 'stop-self': 2, suspend: 3, crash: 4, stop: 5, kill: 6 } as const

/** Starts a child under the cell behind `ref`, supervised by it. Throws `CELL_DOWN`, `NAME_TAKEN`, `OVERLOADED`, `TypeError`. */
export function spawnUnder<N>(ref: Ref<never>, spec: ChildSpec<N>): Ref<N> {
  if (!(ref instanceof Cell)) throw new TypeError('spawnUnder: ref: expected the ref of a cell')
  return ref.spawnChild(spec)
}
