/**
 * Connections that have not proven themselves yet, in all and per address.
 *
 * Invariant: both are bounded; at a bound one that has been silent for long gives its place, so that those who only sit there keep
 * nobody out, while those who all come at once are served in turn.
 */
import type { Env } from '../../runtime/index.ts'
import { limits } from '../../runtime/index.ts'

interface Pending {
  readonly address: string
  readonly sinceMs: number
}

/** `replace`: there is room once that one is gone. */
export type Room =
  { readonly kind: 'free' } | { readonly kind: 'replace'; readonly name: string } | { readonly kind: 'full' }

export class PendingTable {
  readonly #env: Env
  /** By name, oldest first. */
  readonly #pending = new Map<string, Pending>()
  /** Names by address, oldest first. */
  readonly #byAddress = new Map<string, Set<string>>()

  constructor(env: Env) {
    this.#env = env
  }

  get size(): number {
    return this.#pending.size
  }

  room(address: string): Room {
    const own = this.#byAddress.get(address)
    if (own !== undefined && own.size >= limits.handshakesPerAddressMax) return this.#replace(own)
    if (this.#pending.size >= limits.handshakesMax) return this.#replace(this.#pending.keys())
    return { kind: 'free' }
  }

  add(name: string, address: string): void {
    this.#pending.set(name, { address, sinceMs: this.#env.monotonic() })
    const own = this.#byAddress.get(address) ?? new Set()
    this.#byAddress.set(address, own.add(name))
  }

  /** It has proven itself, or is gone. Harmless when it is not here. */
  remove(name: string): void {
    const pending = this.#pending.get(name)
    if (pending === undefined) return
    this.#pending.delete(name)
    const own = this.#byAddress.get(pending.address)
    own?.delete(name)
    if (own?.size === 0) this.#byAddress.delete(pending.address)
  }

  addressOf(name: string): string {
    return this.#pending.get(name)?.address ?? ''
  }

  #replace(names: Iterable<string>): Room {
    const [name] = names
    const sinceMs = name === undefined ? undefined : this.#pending.get(name)?.sinceMs
    if (name === undefined || sinceMs === undefined) return { kind: 'full' }
    const oldMs = this.#env.monotonic() - sinceMs
    return oldMs > limits.handshakePatienceMs ? { kind: 'replace', name } : { kind: 'full' }
  }
}
