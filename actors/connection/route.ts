/**
 * Which endpoint of a supervisor is next. Pure.
 * Invariant: the one that worked last comes first, then the others in order of preference, each once before any comes again.
 */
import type { BlazeError } from '../../runtime/index.ts'
import { formatHost, type Endpoint } from '../../transports/index.ts'

export class Route {
  readonly #endpoints: readonly Endpoint[]
  /** Indexes, in the order in which they are tried. */
  #order: readonly number[]
  #at = 0
  #probe = 0
  /** Host and port of all that lead over a network; a local socket on which another server listens proves nothing about them. */
  readonly #addresses: ReadonlySet<string>
  /** Those at which another server than the pinned one answered when they were last tried. */
  readonly #strange = new Set<string>()

  /** In order of preference; at least one. */
  constructor(endpoints: readonly Endpoint[]) {
    if (endpoints.length === 0) throw new TypeError('endpoints: expected at least one')
    this.#endpoints = endpoints
    this.#addresses = new Set(endpoints.flatMap((endpoint) => addressOf(endpoint) ?? []))
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
    this.#strange.delete(addressOf(endpoint) ?? '')
    this.#order = [good, ...this.#endpoints.keys()].filter((index, at) => at === 0 || index !== good)
    this.#at = 0
    this.#probe = 0
  }

  /** Goes on to the next. True when the error is one of this address alone, and there are others at which it may not be so. */
  failed(error: BlazeError): boolean {
    const address = addressOf(this.current)
    const isStrange = error.code === 'SERVER_KEY_MISMATCH'
    if (address !== undefined && isStrange) this.#strange.add(address)
    else if (address !== undefined) this.#strange.delete(address)
    this.next()
    return isStrange && this.#strange.size < this.#addresses.size
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

/** Undefined for a local socket. */
function addressOf(endpoint: Endpoint): string | undefined {
  return endpoint.transport === 'uds' ? undefined : `${formatHost(endpoint.host)}:${endpoint.port}`
}
