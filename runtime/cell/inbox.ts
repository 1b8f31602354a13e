/** The side of a cell that others see: its address, its mail, its asks and who watches it. What is accepted is handled, or buried with a reason. */
import { Annex } from './annex.ts'
import { AskMail, cellDown, checkTimeout, contentOf, overloaded } from './ask.ts'
import type { AskHost } from './ask.ts'
import type { ChildSpec, DownReason, Ref, TellResult } from '../behaviour.ts'
import type { DeadLetterReason } from './dead-letter.ts'
import { messageType } from './dead-letter.ts'
import type { Deadlines } from './deadline.ts'
import type { Env } from '../env.ts'
import type { Kernel } from './kernel.ts'
import { WatcherList } from './watcher-list.ts'
import { limits } from '../limits.ts'
import { Mailbox } from './mailbox.ts'

/** `closing`: being torn down, to be restarted; `restarting`: torn down, or not started yet. `stopping` ends for good, or in `passive`. */
export type Status = 'running' | 'closing' | 'restarting' | 'passive' | 'stopping' | 'stopped'

export abstract class Inbox<M> implements Ref<M>, AskHost {
  readonly id: number
  readonly spec: ChildSpec<M>
  /** Owned by the scheduler. */
  queued = false
  readonly kernel: Kernel
  readonly parent: Inbox<unknown> | undefined
  protected status: Status = 'restarting'
  /** False once the end for good has begun: nothing is accepted any more. */
  protected open = true
  protected mailbox: Mailbox<M | AskMail> | undefined
  protected annex: Annex | undefined

  constructor(kernel: Kernel, parent: Inbox<unknown> | undefined, spec: ChildSpec<M>) {
    this.kernel = kernel
    this.parent = parent
    this.spec = spec
    this.id = kernel.nextId()
  }

  abstract stop(): Promise<void>
  abstract kill(): Promise<void>
  abstract wake(): void

  get path(): string {
    return this.parent === undefined ? '' : `${this.parent.path}/${this.spec.name}`
  }

  get self(): Ref<M> {
    return this
  }

  get env(): Env {
    return this.kernel.env
  }

  get deadlines(): Deadlines {
    return this.kernel.deadlines
  }

  get alive(): boolean {
    return this.open
  }

  tell(message: M): TellResult {
    if (message === undefined) throw new TypeError('tell: message: expected anything but undefined')
    return this.#offer(message)
  }

  ask<R>(make: (reply: (value: R) => void) => M, timeoutMs: number): Promise<R> {
    return new Promise<R>((resolve, reject) => {
      checkTimeout(timeoutMs)
      if ((this.annex?.owed?.size ?? 0) >= limits.asksMax) throw overloaded(this.path)
      const mail = new AskMail(this, timeoutMs, reject)
      mail.message = make((value) => {
        if (mail.end()) resolve(value)
      })
      if (mail.message === undefined) throw new TypeError('ask: message: expected anything but undefined')
      const told = this.#offer(mail)
      if (told === 'full') throw overloaded(this.path)
      if (told === 'dead') throw cellDown(this.path, 'is stopped')
      mail.wait()
    })
  }

  settled(mail: AskMail): void {
    this.annex?.owed?.delete(mail)
    if (this.annex?.idle?.asked === true) this.wake()
  }

  addWatcher(notify: (reason: DownReason) => void): () => void {
    if (this.status === 'stopped') {
      notify({ kind: 'stopped', final: true })
      return () => {}
    }
    const annex = (this.annex ??= new Annex())
    annex.watchers ??= new WatcherList()
    return annex.watchers.add(notify)
  }

  pressureChanged(high: boolean): void {
    const { tap } = this.kernel
    if (!tap.active || this.mailbox === undefined) return
    const { depth, max } = this.mailbox
    tap.emit(high ? 'mailbox.high' : 'mailbox.low', this.path, this.id, { depth, max })
  }

  stash(): 'ok' | 'full' {
    const { turn } = this.kernel
    if (turn.cell !== this || turn.mail === undefined)
      throw new TypeError('stash: expected a message that is being handled; there is none')
    if (turn.aside) return 'ok'
    const annex = (this.annex ??= new Annex())
    annex.stashed ??= []
    if (annex.stashed.length >= limits.stashMax) return 'full'
    annex.stashed.push(turn.mail)
    turn.aside = true
    return 'ok'
  }

  unstash(): void {
    const { turn } = this.kernel
    // The message that is being handled stays aside: taken back, it would be in the queue while it is handled.
    const current = turn.cell === this && turn.aside ? this.annex?.stashed?.pop() : undefined
    const stashed = this.takeStash()
    if (current !== undefined && this.annex !== undefined) this.annex.stashed = [current]
    if (stashed.length === 0) return
    this.#box().giveBack(stashed)
    this.wake()
  }

  protected get mailDepth(): number {
    return this.mailbox === undefined ? 0 : this.mailbox.depth
  }

  protected get stashDepth(): number {
    return this.annex?.stashed?.length ?? 0
  }

  /** After its message was handled: the reply is owed, unless it was given, or the message put aside. */
  protected noteOwed(mail: AskMail): void {
    if (mail.ended || this.kernel.turn.aside) return
    const annex = (this.annex ??= new Annex())
    annex.owed ??= new Set()
    annex.owed.add(mail)
    mail.owed = true
  }

  /** The state that owed these replies is gone. */
  protected failOwed(why: 'crashed' | 'is stopped'): void {
    for (const mail of [...(this.annex?.owed ?? [])]) mail.fail(cellDown(this.path, why))
  }

  /** The cell crashed on what it was handling: whatever became of it, it is out of the queue. */
  protected loseCurrent(label: unknown): void {
    const { turn } = this.kernel
    if (turn.aside) this.annex?.stashed?.pop()
    turn.aside = false
    if (AskMail.is(turn.mail)) turn.mail.fail(cellDown(this.path, 'crashed'))
    this.bury(label, 'crashed')
  }

  /** Kept whole, beside its dead letter. */
  protected quarantine(mail: unknown, error: string): void {
    const content = contentOf(mail)
    const shown = { at: this.env.now(), path: this.path, cell: this.id, message: messageType(content), error }
    const entry = this.kernel.quarantine.add(shown, this, content)
    ;(this.annex ??= new Annex()).quarantined++
    const { tap } = this.kernel
    if (tap.active)
      tap.emit('message.quarantined', this.path, this.id, { message: shown.message, error, entry })
  }

  /** Nothing is accepted or answered any more. */
  protected close(): void {
    this.open = false
    const lost = this.takeStash()
    for (let mail = this.mailbox?.take(); mail !== undefined; mail = this.mailbox?.take()) lost.push(mail)
    for (const mail of lost) {
      if (AskMail.is(mail)) mail.fail(cellDown(this.path, 'is stopped'))
      this.bury(mail, 'stopped')
    }
    this.failOwed('is stopped')
  }

  protected bury(mail: unknown, reason: DeadLetterReason): void {
    this.kernel.deadLetters.add({
      at: this.env.now(),
      path: this.path,
      id: this.id,
      reason,
      message: messageType(contentOf(mail)),
    })
  }

  protected takeStash(): (M | AskMail)[] {
    const annex = this.annex
    if (annex?.stashed === undefined) return []
    // Only `stash` fills it, with mail of this cell.
    const stashed = annex.stashed as (M | AskMail)[]
    annex.stashed = undefined
    return stashed
  }

  #box(): Mailbox<M | AskMail> {
    this.mailbox ??= new Mailbox(this.spec.mailboxMax ?? limits.mailboxMessagesMax, this)
    return this.mailbox
  }

  #offer(mail: M | AskMail): TellResult {
    if (!this.open) {
      this.bury(mail, 'dead')
      return 'dead'
    }
    if (!this.#box().offer(mail)) return 'full'
    if (!this.queued && (this.status === 'running' || this.status === 'passive'))
      this.kernel.scheduler.enqueue(this)
    return 'ok'
  }

  /** For the scheduler. */
  abstract readonly hasWork: boolean
  abstract turn(messagesMax: number): number
}
