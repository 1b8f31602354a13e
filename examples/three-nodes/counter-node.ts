/**
 * A counter that several nodes keep together: each counts its own additions, stores them, and tells the others what it has stored.
 *
 * Invariant: an addition is acknowledged once it is on the disk of its node, and every node counts it exactly once in the end.
 */
// In your own project: from 'blazedb', 'blazedb/runtime' and 'blazedb/transports'.
import type { OrderedStore, Volume } from '../../actors/index.ts'
import { reducer, spawnUnder, supervisor } from '../../runtime/index.ts'
import type { Behaviour, Ref, System } from '../../runtime/index.ts'
import type { Endpoint, Link, Transport } from '../../transports/index.ts'

/** What a node needs of the world, real or simulated. */
export interface CounterPorts {
  readonly name: string
  readonly system: System
  readonly transport: Transport
  readonly volume: Volume
  readonly endpointOf: (node: string) => Endpoint
  /** The disk failed: nothing can be promised any more, so the program has to end. */
  readonly fail: (error: unknown) => void
}

export interface CounterNode {
  /** Resolves once the addition is on the disk. */
  add(): Promise<void>
  /** Additions that this node knows of, by the node that made them. */
  counts(): ReadonlyMap<string, number>
}

export interface CounterOptions {
  /** For the simulation: acknowledges before the disk does. */
  readonly plantBug?: boolean
}

const gossipMs = 200
const answerMs = 10_000
const dialMs = 1_000
/** So many lost links a minute are no reason to give a peer up. */
const lostLinksMax = 1_000
const key = new TextEncoder().encode('own')

type Message =
  | { readonly kind: 'add'; readonly reply: () => void }
  | { readonly kind: 'stored'; readonly own: number; readonly replies: readonly (() => void)[] }
  | { readonly kind: 'failed'; readonly error: unknown }
  | { readonly kind: 'heard'; readonly counts: readonly (readonly [string, number])[] }

/** Additions by node. Its own are those on its disk: what a power cut may take back was never told to anybody. */
type Counts = Map<string, number>

export async function startCounterNode(
  ports: CounterPorts,
  peers: readonly string[],
  options: CounterOptions = {},
): Promise<CounterNode> {
  const { name, system, transport, volume, endpointOf } = ports
  const store = await volume.openStore('counter')
  const known: Counts = new Map([[name, readCount(store.get(key))]])
  const counter = system.spawn({ name: 'counter', behaviour: counting(ports, store, known, options) })
  await transport.listen(endpointOf(name), (link) => listenTo(link, counter))
  const links = system.spawn({
    name: 'links',
    behaviour: supervisor({ kind: 'links', strategy: 'dynamic', intensity: lostLinksMax }),
  })
  for (const peer of peers)
    spawnUnder(links, { name: peer, behaviour: gossip(transport, endpointOf(peer), known) })
  return {
    add: () => counter.ask<void>((reply) => ({ kind: 'add', reply }), answerMs),
    counts: () => known,
  }
}

interface Additions {
  /** Of those that are not on the disk and not on their way. */
  readonly waiting: (() => void)[]
  storing: boolean
}

function counting(
  { name, fail }: CounterPorts,
  store: OrderedStore,
  known: Counts,
  { plantBug = false }: CounterOptions,
): Behaviour<Message> {
  return reducer<Additions, Message>({
    kind: 'counter',
    init: () => ({ waiting: [], storing: false }),
    receive(state, message, ctx) {
      switch (message.kind) {
        case 'add':
          state.waiting.push(message.reply)
          if (plantBug) message.reply()
          break
        case 'stored':
          known.set(name, message.own)
          for (const reply of message.replies) reply()
          state.storing = false
          break
        case 'heard':
          for (const [node, count] of message.counts)
            if (node !== name) known.set(node, Math.max(known.get(node) ?? 0, count))
          break
        case 'failed':
          fail(message.error)
          return state
      }
      if (state.storing || state.waiting.length === 0) return state
      // One batch at a time: of two in flight either may take effect first.
      state.storing = true
      const replies = state.waiting.splice(0)
      const own = (known.get(name) ?? 0) + replies.length
      ctx.run(
        () => store.batch([{ type: 'put', key, value: new TextEncoder().encode(String(own)) }]),
        (result) => (result.ok ? { kind: 'stored', own, replies } : { kind: 'failed', error: result.error }),
      )
      return state
    },
  })
}

/** Tells one peer again and again what is known here. A link that breaks crashes the cell; its next life dials again. */
function gossip(
  transport: Transport,
  peer: Endpoint,
  known: Counts,
): Behaviour<{ readonly link: Link } | 'tick'> {
  return reducer<{ link: Link | undefined }, { readonly link: Link } | 'tick'>({
    kind: 'gossip',
    init(ctx) {
      ctx.run(
        (signal) => transport.dial(peer, { signal, timeoutMs: dialMs }),
        (dialled) => {
          if (dialled.ok) return { link: ctx.own(dialled.value) }
          ctx.crash(dialled.error)
          return undefined
        },
      )
      ctx.every(gossipMs, 'tick')
      return { link: undefined }
    },
    receive(state, message, ctx) {
      if (message === 'tick') {
        // All of it, every time: records may be lost, come twice or in another order.
        state.link?.send(new TextEncoder().encode(JSON.stringify([...known])))
        return state
      }
      message.link.attach({ record() {}, drain() {}, closed: (error) => ctx.crash(error ?? 'closed') })
      return message
    },
  })
}

function listenTo(link: Link, counter: Ref<Message>): void {
  link.attach({
    // Full is no harm: the next record says the same and more.
    record: (bytes) => void counter.tell({ kind: 'heard', counts: parseCounts(bytes) }),
    drain() {},
    closed() {},
  })
}

function readCount(value: Uint8Array | undefined): number {
  return value === undefined ? 0 : Number(new TextDecoder().decode(value))
}

function parseCounts(bytes: Uint8Array): [string, number][] {
  return JSON.parse(new TextDecoder().decode(bytes)) as [string, number][]
}
