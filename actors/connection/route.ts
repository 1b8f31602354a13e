/**
 * Which endpoint of a supervisor is next. Pure.
 * Invariant: the one that worked last comes first, then the others in order of preference, each once before any comes again.
 */
import type { BlazeError } from '../../runtime/index.ts'
import type { Endpoint } from '../../transports/index.ts'

export class Route {
  readonly #endpoints: readonly Endpoint[]
  /** Indexes, in the order in which they are tried. */
  #order: readonly number[]
  #at = 0
  #probe = 0
  /** Endpoints at which another server than the pinned one answered when it was last tried. */
  readonly #strange = new Set<number>()

  /** In order of preference; at least one. */
  constructor(endpoints: readonly Endpoint[]) {
    if (endpoints.length === 0) throw new TypeError('endpoints: expected at least one')
    this.#endpoints = endpoints
    this.#order = endpoints.map((_, index) => index)
  }

  get current(): Endpoint {
    return this.#endpoint(this.#index)
  }

  get count(): number {
    return this.#endpoints.length
  }

  /** The supervisor answered there. */
  succeeded(endpoint: Endpoint): void {
    const good = this.#endpoints.indexOf(endpoint)
    this.#strange.delete(good)
    this.#order = [good, ...this.#endpoints.keys()].filter((index, at) => at === 0 || index !== good)
    this.#at = 0
    this.#probe = 0
  }

  /** Goes on to the next. True when the error is one of this address alone, and there are others at which it may not be so. */
  failed(error: BlazeError): boolean {
    const index = this.#index
    if (error.code === 'SERVER_KEY_MISMATCH') this.#strange.add(index)
    else this.#strange.delete(index)
    this.next()
    return this.#strange.has(index) && this.#strange.size < this.count
  }

  next(): void {
    this.#at = (this.#at + 1) % this.count
  }

  /** One that is preferred to the present one, each in its turn. */
  better(): Endpoint | undefined {
    const current = this.#index
    return current === 0 ? undefined : this.#endpoint(this.#probe++ % current)
  }

  /** Any other than the present one, each in its turn. */
  other(): Endpoint | undefined {
    if (this.count === 1) return undefined
    return this.#endpoint((this.#index + 1 + (this.#probe++ % (this.count - 1))) % this.count)
  }

  get #index(): number {
    return this.#order[this.#at] ?? 0
  }

  #endpoint(index: number): Endpoint {
    const endpoint = this.#endpoints[index]
    if (endpoint === undefined) throw new TypeError(`endpoint ${index} of ${this.count}`)
    return endpoint
  }
}
