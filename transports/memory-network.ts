/**
 * A network within one process, honest by default and faulty on demand: delay, loss, duplication, reordering, bandwidth, partitions
 * in one or both directions, cuts, half-open links.
 * Invariant: everything it does is decided by its `Env`, so that a run in simulation can be repeated.
 */
import { BlazeError } from '../runtime/index.ts'
import type { Env } from '../runtime/index.ts'
import { formatEndpoint } from './endpoint.ts'
import type { Endpoint, NetworkEndpoint } from './endpoint.ts'
import type { Link } from './link.ts'
import { MemoryLink } from './memory-link.ts'
import type { NetworkFaults, Path } from './memory-link.ts'
import type { DialOptions, Listener, Transport } from './transport.ts'

export interface MemoryNetwork {
  /** The network as this node sees it. */
  transport(nodeName: string): Transport
  /** From now on nothing passes between the two nodes, in either direction; nobody is told. */
  partition(first: string, second: string): void
  /** From now on nothing that one node sends reaches the other; the other direction is as it was. Dialling needs both. */
  block(from: string, to: string): void
  /** Ends what `partition` and `block` did between the two nodes, or without names all. What was on its way is lost. */
  heal(first?: string, second?: string): void
  /**
   * Breaks all links of the node at both ends. `halfOpen`: at its own ends only; a peer learns of it when it sends, so one that only
   * listens never does.
   */
  cut(nodeName: string, options?: { readonly halfOpen?: boolean }): void
  /**
   * A power cut: the node's links break for its peers, its listeners are gone, and its own handlers are never called again.
   * `halfOpen`: its peers are told only when they send after the node listened or dialled again.
   */
  crash(nodeName: string, options?: { readonly halfOpen?: boolean }): void
  /** Replaces the faults, for records sent from now on. */
  setFaults(faults: NetworkFaults): void
}

export interface MemoryNetworkOptions {
  /** Called for each record, just before its handler is. The bytes are valid until it returns. */
  readonly delivered?: (from: string, to: string, record: Uint8Array) => void
}

interface Listening {
  readonly node: string
  readonly onLink: (link: Link) => void
}

const FIRST_FREE_PORT = 49_152
const PORT_MAX = 65_535

export function createMemoryNetwork(
  env: Env,
  faults: NetworkFaults = {},
  options: MemoryNetworkOptions = {},
): MemoryNetwork {
  return new Network(env, faults, options)
}

class Network implements MemoryNetwork {
  readonly #env: Env
  #faults: NetworkFaults
  readonly #path: Path
  readonly #listeners = new Map<string, Listening>()
  /** Directions in which nothing passes. */
  readonly #blocked = new Set<string>()
  /** Nodes that lost their power in silence and have not come back. */
  readonly #dark = new Set<string>()
  /** Ends by node; those that ended are swept when the node gets a new one. */
  readonly #linksByNode = new Map<string, Set<MemoryLink>>()
  /** Crashes by node: what a node began before one has no end after it. */
  readonly #crashes = new Map<string, number>()

  constructor(env: Env, faults: NetworkFaults, { delivered = () => undefined }: MemoryNetworkOptions) {
    this.#env = env
    this.#faults = faults
    this.#path = {
      faults: () => this.#faults,
      random: () => env.random(),
      passes: (from, to) => !this.#blocked.has(direction(from, to)),
      powered: (node) => !this.#dark.has(node),
      delivered,
    }
  }

  transport(nodeName: string): Transport {
    return {
      name: 'memory',
      listen: async (endpoint, onLink) => this.#listen(nodeName, endpoint, onLink),
      dial: (endpoint, options) => this.#dial(nodeName, endpoint, options),
    }
  }

  partition(first: string, second: string): void {
    this.block(first, second)
    this.block(second, first)
  }

  block(from: string, to: string): void {
    this.#blocked.add(direction(from, to))
  }

  heal(first?: string, second?: string): void {
    if (first === undefined || second === undefined) {
      this.#blocked.clear()
      return
    }
    this.#blocked.delete(direction(first, second))
    this.#blocked.delete(direction(second, first))
  }

  cut(nodeName: string, { halfOpen = false }: { readonly halfOpen?: boolean } = {}): void {
    for (const link of this.#links(nodeName)) {
      const error = new BlazeError('LINK_CLOSED', `the link to ${link.remote} broke`)
      if (halfOpen) link.abandon(error)
      else link.destroy(error)
    }
  }

  crash(nodeName: string, { halfOpen = false }: { readonly halfOpen?: boolean } = {}): void {
    for (const [key, listening] of this.#listeners) {
      if (listening.node === nodeName) this.#listeners.delete(key)
    }
    if (halfOpen) this.#dark.add(nodeName)
    for (const link of this.#links(nodeName)) {
      if (!halfOpen) link.destroy()
      link.silence(halfOpen)
    }
    this.#linksByNode.delete(nodeName)
    this.#crashes.set(nodeName, (this.#crashes.get(nodeName) ?? 0) + 1)
  }

  setFaults(faults: NetworkFaults): void {
    this.#faults = faults
  }

  #listen(node: string, endpoint: Endpoint, onLink: (link: Link) => void): Listener {
    this.#dark.delete(node)
    const taken =
      endpoint.transport !== 'uds' && endpoint.port === 0 ? this.#freePort(endpoint) : { ...endpoint }
    const key = formatEndpoint(taken)
    if (this.#listeners.has(key)) {
      throw new BlazeError('PORT_IN_USE', `cannot listen on ${key}: it is taken`)
    }
    const listening = { node, onLink }
    this.#listeners.set(key, listening)
    return {
      endpoint: taken,
      close: async () => {
        if (this.#listeners.get(key) === listening) this.#listeners.delete(key)
      },
    }
  }

  #freePort(endpoint: NetworkEndpoint): NetworkEndpoint {
    let port = FIRST_FREE_PORT
    while (this.#listeners.has(formatEndpoint({ ...endpoint, port })) && port < PORT_MAX) port++
    return { ...endpoint, port }
  }

  #dial(node: string, endpoint: Endpoint, { signal, timeoutMs }: DialOptions): Promise<Link> {
    this.#dark.delete(node)
    return new Promise((resolve, reject) => {
      const where = formatEndpoint(endpoint)
      const abort = (): void => finish(new BlazeError('ABORTED', `dialling ${where} was aborted`))
      const timer = this.#env.after(timeoutMs, () => {
        finish(new BlazeError('TIMEOUT', `${where} did not answer within ${timeoutMs} ms`))
      })
      let over = false
      const finish = (result: BlazeError | Link): void => {
        if (over) return
        over = true
        timer.cancel()
        signal?.removeEventListener('abort', abort)
        if (result instanceof BlazeError) reject(result)
        else resolve(result)
      }
      signal?.addEventListener('abort', abort)
      if (signal?.aborted === true) abort()
      const crashes = this.#crashes.get(node)
      const answer = (): void => {
        if (over || this.#crashes.get(node) !== crashes) return
        const listening = this.#listeners.get(where)
        if (listening === undefined) {
          finish(new BlazeError('UNREACHABLE', `${where} does not answer: nobody listens there`))
        } else if (this.#path.passes(node, listening.node) && this.#path.passes(listening.node, node)) {
          const [ours, theirs] = this.#connect(node, listening.node)
          finish(ours)
          listening.onLink(theirs)
        }
      }
      const { latencyMs = 0, jitterMs = 0 } = this.#faults
      if (latencyMs + jitterMs > 0) this.#env.after(latencyMs + jitterMs * this.#env.random(), answer)
      else this.#env.defer(answer)
    })
  }

  #connect(dialler: string, listener: string): readonly [Link, Link] {
    const ends = MemoryLink.pair(this.#env, [dialler, listener], this.#path)
    this.#links(dialler).add(ends[0])
    this.#links(listener).add(ends[1])
    return ends
  }

  #links(node: string): Set<MemoryLink> {
    const links = this.#linksByNode.get(node) ?? new Set<MemoryLink>()
    this.#linksByNode.set(node, links)
    for (const link of links) if (link.ended) links.delete(link)
    return links
  }
}

function direction(from: string, to: string): string {
  return `${from}>${to}`
}
