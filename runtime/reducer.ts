/** The fast behaviour: a plain state and a function from message to next state. */
import { refusePromise } from './cell/async-handler.ts'
import type { Behaviour, Context, Instance } from './behaviour.ts'
import { checkKeys } from './supervision/child-spec.ts'

export interface ReducerSpec<S, M> {
  readonly kind: string
  init(ctx: Context<M>): S
  /** Returns the next state, which may be the same object. Synchronous; a throw is a crash, and so is a promise. */
  receive(state: S, message: M, ctx: Context<M>): S
  /** Orderly stop, after the children are down. Awaited within the stop budget. */
  stop?(state: S, ctx: Context<M>): void | Promise<void>
  /** Plain data for the tree; no payloads. */
  inspect?(state: S): object
}

/** Throws `TypeError` for a spec with a typo. */
export function reducer<S, M>(spec: ReducerSpec<S, M>): Behaviour<M> {
  checkKeys('reducer', spec, keys)
  for (const name of ['init', 'receive'] as const)
    if (typeof spec[name] !== 'function')
      throw new TypeError(`reducer: ${name} of ${spec.kind}: expected a function, got ${typeof spec[name]}`)
  return new ReducerBehaviour(spec)
}

const keys = { kind: true, init: true, receive: true, stop: true, inspect: true } as const

class ReducerBehaviour<S, M> implements Behaviour<M> {
  readonly kind: string
  readonly #spec: ReducerSpec<S, M>

  constructor(spec: ReducerSpec<S, M>) {
    this.kind = spec.kind
    this.#spec = spec
  }

  start(ctx: Context<M>): Instance<M> {
    return new ReducerInstance(this.#spec, ctx)
  }
}

class ReducerInstance<S, M> implements Instance<M> {
  readonly #spec: ReducerSpec<S, M>
  readonly #ctx: Context<M>
  #state: S

  constructor(spec: ReducerSpec<S, M>, ctx: Context<M>) {
    this.#spec = spec
    this.#ctx = ctx
    this.#state = spec.init(ctx)
    refusePromise(this.#state, `init of ${spec.kind}`)
  }

  receive(message: M): void {
    const next = this.#spec.receive(this.#state, message, this.#ctx)
    if (next === this.#state) return
    if (typeof next === 'object') refusePromise(next, `receive of ${this.#spec.kind}`)
    this.#state = next
  }

  stop(): void | Promise<void> {
    return this.#spec.stop?.(this.#state, this.#ctx)
  }

  inspect(): object {
    return this.#spec.inspect?.(this.#state) ?? {}
  }
}
