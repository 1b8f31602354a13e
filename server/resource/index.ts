/**
 * A cell that keeps one resource open: a store, a listener, a socket. When it fails it is closed, stays visible as `failed` with its
 * error, and is opened again after a growing wait; nothing else in the tree is touched.
 *
 * Invariant: at most one value is open at a time, and it is closed on every kind of death.
 */
import type { Behaviour, ChildSpec, MachineContext } from '../../runtime/index.ts'
import { BlazeError, describeError, limits, machine } from '../../runtime/index.ts'
import type { ResourceEvent } from './machine.ts'
import { resourceMachine } from './machine.ts'

export interface ResourceOptions<T> {
  readonly name: string
  readonly kind: string
  /** Opens it anew. A value that arrives after the cell died is closed at once. */
  open(): Promise<T>
  close(value: T): Promise<void> | void
  /** Called once a value: the resource reports there that it broke. */
  watch?(value: T, failed: (error: unknown) => void): void
  /** Plain data for the tree; `value` is undefined unless it is open. */
  inspect?(value: T | undefined): object
  readonly retry?: { readonly firstMs: number; readonly maxMs: number }
}

export type ResourceMessage = ResourceEvent

export interface Resource<T> {
  readonly spec: ChildSpec<ResourceMessage>
  /** The value while it is open. */
  current(): T | undefined
  /** The error of the last failure, until it is open again. */
  error(): unknown
  /** Resolves when open. Rejects with the error while it is failed, with `BUSY` when too many wait, with `CLOSED` once it is stopped. */
  ready(): Promise<T>
}

export function createResource<T>(options: ResourceOptions<T>): Resource<T> {
  const keeper = new Keeper(options)
  return {
    spec: { name: options.name, behaviour: keeper.behaviour(), stopBudgetMs: limits.supervisorStopMs },
    current: () => keeper.value,
    error: () => keeper.error,
    ready: () => keeper.ready(),
  }
}

interface Waiter<T> {
  resolve(value: T): void
  reject(error: unknown): void
}

class Keeper<T> {
  value: T | undefined
  error: unknown
  readonly #options: ResourceOptions<T>
  #waiters: Waiter<T>[] = []
  #failures = 0
  #stopped = false
  /** The closing of the last value; the next one is opened after it, since locks are exclusive. */
  #closing: Promise<void> = Promise.resolve()
  /** The opening under way: a stop waits for it, so that nothing is held once the stop is done. */
  #opening: Promise<unknown> = Promise.resolve()

  constructor(options: ResourceOptions<T>) {
    this.#options = options
  }

  behaviour(): Behaviour<ResourceMessage> {
    return machine<ResourceMessage, ResourceEvent>({
      kind: this.#options.kind,
      definition: resourceMachine,
      init: (ctx) => {
        this.#stopped = false
        ctx.own(() => this.#end())
      },
      actions: {
        open: (ctx) => this.#open(ctx),
        quarantine: (ctx, event) => this.#quarantine(ctx, event),
      },
      inspect: () => this.#inspect(),
    })
  }

  ready(): Promise<T> {
    if (this.value !== undefined) return Promise.resolve(this.value)
    const { name } = this.#options
    if (this.#stopped) return Promise.reject(new BlazeError('CLOSED', `${name} is stopped`))
    if (this.error !== undefined) return Promise.reject(this.error)
    if (this.#waiters.length >= limits.resourceWaitersMax)
      return Promise.reject(new BlazeError('BUSY', `too many callers wait for ${name} to open`))
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }))
  }

  #open(ctx: MachineContext<ResourceMessage, ResourceEvent>): void {
    const open = async (): Promise<T> => {
      await this.#closing
      const value = await this.#options.open()
      // The cell may have died meanwhile: then nobody else would close what was opened.
      if (ctx.signal.aborted) await this.#options.close(value)
      else this.value = value
      return value
    }
    const opening = open()
    this.#opening = opening.catch(() => undefined)
    ctx.run(
      () => opening,
      (result) => {
        if (!result.ok) return { type: 'failed', error: result.error }
        const { value } = result
        this.#failures = 0
        this.error = undefined
        this.#options.watch?.(value, (error) => {
          // A late report about a value that is gone already concerns nobody.
          if (this.value === value) ctx.send({ type: 'failed', error })
        })
        for (const waiter of this.#waiters.splice(0)) waiter.resolve(value)
        return { type: 'opened' }
      },
    )
  }

  #quarantine(ctx: MachineContext<ResourceMessage, ResourceEvent>, event: ResourceEvent): void {
    this.error = event.type === 'failed' ? event.error : new BlazeError('CLOSED', 'failed without a reason')
    ctx.emit('resource.failed', { error: describeError(this.error) })
    ctx.env.log.error('resource.failed', { path: ctx.path, error: describeError(this.error) })
    for (const waiter of this.#waiters.splice(0)) waiter.reject(this.error)
    this.#close()
    const { firstMs, maxMs } = this.#options.retry ?? {
      firstMs: limits.resourceRetryFirstMs,
      maxMs: limits.resourceRetryMaxMs,
    }
    const fullMs = Math.min(maxMs, firstMs * 2 ** Math.min(this.#failures, 30))
    this.#failures++
    ctx.after(fullMs * (0.5 + ctx.env.random() / 2), { type: 'retry' })
  }

  #close(): void {
    const { value } = this
    if (value === undefined) return
    this.value = undefined
    const close = async (): Promise<void> => this.#options.close(value)
    this.#closing = close().catch((error: unknown) => {
      // It was broken already, which is why it is closed; a second fault adds nothing but its text.
      this.error ??= error
    })
  }

  async #end(): Promise<void> {
    this.#stopped = true
    const closed = new BlazeError('CLOSED', `${this.#options.name} is stopped`)
    for (const waiter of this.#waiters.splice(0)) waiter.reject(closed)
    await this.#opening
    this.#close()
    await this.#closing
  }

  #inspect(): object {
    return {
      ...this.#options.inspect?.(this.value),
      ...(this.error === undefined ? {} : { error: describeError(this.error) }),
    }
  }
}
