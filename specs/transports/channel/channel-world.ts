/** Links and channels to play with: simulated ones under a virtual clock, and what may sit between two ends. */
import { createSimulation, nodeCrypto } from '../../../runtime/index.ts'
import type { BlazeError, Env, Signer, Simulation } from '../../../runtime/index.ts'
import { acceptChannel, createMemoryNetwork, dialChannel, frameType } from '../../../transports/index.ts'
import type {
  AcceptChannelOptions,
  Channel,
  ChannelServer,
  DialChannelOptions,
  Link,
  MemoryNetwork,
} from '../../../transports/index.ts'

const fill = (value: number, bytes: number): Uint8Array => new Uint8Array(bytes).fill(value)

const serverScalar: Uint8Array = fill(1, 32)
export const serverKey: Uint8Array = nodeCrypto.createP256(serverScalar).publicKey
const clientScalar: Uint8Array = fill(2, 32)
export const clientKey: Uint8Array = nodeCrypto.createP256(clientScalar).publicKey
const pairingScalar: Uint8Array = fill(3, 32)
export const serverDevice: Signer = nodeCrypto.createSigner(fill(4, 32))
export const clientDevice: Signer = nodeCrypto.createSigner(fill(5, 32))
export const codeId: Uint8Array = fill(6, 16)
export const psk: Uint8Array = fill(7, 32)

export function xk(env: Env): DialChannelOptions & { pattern: 'XK' } {
  return { env, crypto: nodeCrypto, pattern: 'XK', serverKey, staticKey: clientScalar, device: clientDevice }
}

export function pairing(env: Env): DialChannelOptions & { pattern: 'XXpsk3' } {
  const staticKey = clientScalar
  return { env, crypto: nodeCrypto, pattern: 'XXpsk3', id: codeId, psk, staticKey, device: clientDevice }
}

export function accepting(env: Env): AcceptChannelOptions {
  return {
    env,
    crypto: nodeCrypto,
    staticKey: serverScalar,
    pairingStaticKey: pairingScalar,
    device: serverDevice,
    psk: (id) => (Buffer.from(id).equals(codeId) ? psk : undefined),
    authorize: () => ({ ok: true, mayHost: true, pairing: Uint8Array.of(1, 2, 3) }),
  }
}

/** Something on the way of one direction: returns what goes on instead, or undefined for nothing. */
export type Tamper = (record: Uint8Array, index: number) => Uint8Array | undefined

/** A link whose records pass through `tamper` when sent. */
export function tampered(link: Link, tamper: Tamper): Link {
  let index = 0
  return {
    transport: link.transport,
    remote: link.remote,
    binding: link.binding,
    attach: (handlers) => link.attach(handlers),
    send(record) {
      const changed = tamper(record, index++)
      return changed === undefined ? true : link.send(changed)
    },
    pause: () => link.pause(),
    resume: () => link.resume(),
    close: () => link.close(),
    destroy: (error) => link.destroy(error),
  }
}

export interface World {
  readonly simulation: Simulation
  readonly network: MemoryNetwork
  readonly app: Env
  readonly pi: Env
  /** A fresh link: the end of the app, then the end of the pi. */
  link(): Promise<readonly [Link, Link]>
}

export function createWorld(seed = 1): World {
  const simulation = createSimulation(seed)
  const network = createMemoryNetwork(simulation.env('network'))
  let port = 1
  return {
    simulation,
    network,
    app: simulation.env('app'),
    pi: simulation.env('pi'),
    async link() {
      const endpoint = { transport: 'memory', host: 'pi', port: port++ } as const
      const accepted: Link[] = []
      await network.transport('pi').listen(endpoint, (link) => accepted.push(link))
      const dialled = await settle(simulation, network.transport('app').dial(endpoint, { timeoutMs: 1_000 }))
      const other = accepted[0]
      if (!dialled.ok || other === undefined) throw new Error('no link')
      return [dialled.value, other]
    },
  }
}

export type Settled<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly code: string }

function watchPromise<T>(work: Promise<T>): { result: Settled<T> | undefined } {
  const watched: { result: Settled<T> | undefined } = { result: undefined }
  work.then(
    (value) => (watched.result = { ok: true, value }),
    (error: BlazeError) => (watched.result = { ok: false, code: error.code ?? String(error) }),
  )
  return watched
}

/** Lets virtual time pass until the promise settles. */
export async function settle<T>(simulation: Simulation, work: Promise<T>): Promise<Settled<T>> {
  const watched = watchPromise(work)
  await simulation.run(() => watched.result !== undefined, { virtualMs: 60_000 })
  if (watched.result === undefined) throw new Error('it did not settle within a minute')
  return watched.result
}

export interface Shaken {
  readonly client: Settled<{ channel: Channel; server: ChannelServer }>
  readonly server: Settled<Awaited<ReturnType<typeof acceptChannel>>>
}

/** Both sides of a handshake over these two ends. */
export async function shake(
  { simulation, app, pi }: World,
  [near, far]: readonly [Link, Link],
  dial: Partial<DialChannelOptions> = {},
  accept: Partial<AcceptChannelOptions> = {},
): Promise<Shaken> {
  const base = dial.pattern === 'XXpsk3' ? pairing(app) : xk(app)
  const client = watchPromise(dialChannel(near, { ...base, ...dial } as DialChannelOptions))
  const server = watchPromise(acceptChannel(far, { ...accepting(pi), ...accept }))
  const done = (): boolean => client.result !== undefined && server.result !== undefined
  await simulation.run(done, { virtualMs: 60_000 })
  if (client.result === undefined || server.result === undefined)
    throw new Error('the handshake did not settle')
  return { client: client.result, server: server.result }
}

/** How each side ended: `ok` or its code. */
export function codes({ client, server }: Shaken): string[] {
  return [client, server].map((side) => (side.ok ? 'ok' : side.code))
}

/** What one end of a channel has seen. */
export interface ChannelSeen {
  readonly messages: { stream: number; type: number; body: Uint8Array }[]
  readonly writable: number[]
  readonly closed: (string | undefined)[]
}

export function watchChannel(channel: Channel): ChannelSeen {
  const seen: ChannelSeen = { messages: [], writable: [], closed: [] }
  channel.attach({
    message: (stream, type, body) => seen.messages.push({ stream, type, body }),
    writable: (stream) => seen.writable.push(stream),
    closed: (error) => seen.closed.push(error?.code),
  })
  return seen
}

export interface Channels {
  readonly dialler: Channel
  readonly acceptor: Channel
}

/** Two ends of one open channel. */
export async function channels(world: World, links?: readonly [Link, Link]): Promise<Channels> {
  const { client, server } = await shake(world, links ?? (await world.link()))
  if (!client.ok || !server.ok) throw new Error('no channel')
  return { dialler: client.value.channel, acceptor: server.value.channel }
}

/** Two ends, watched. */
export interface Ends extends Channels {
  readonly world: World
  readonly here: ChannelSeen
  readonly there: ChannelSeen
  /** Lets everything settle. */
  settle(): Promise<void>
}

export async function ends(
  seedOfWorld = 1,
  wrap: (links: readonly [Link, Link]) => readonly [Link, Link] = (l) => l,
): Promise<Ends> {
  const world = createWorld(seedOfWorld)
  const { dialler, acceptor } = await channels(world, wrap(await world.link()))
  const [here, there] = [watchChannel(dialler), watchChannel(acceptor)]
  return { world, dialler, acceptor, here, there, settle: () => world.simulation.pass(100) }
}

/** A stream that both ends know. */
export async function stream(e: Ends): Promise<number> {
  const id = e.dialler.open()
  e.dialler.send(id, frameType.open, new Uint8Array(16))
  await e.settle()
  e.there.messages.length = 0
  return id
}

/** Bytes that are not all alike. */
export function bytes(length: number, mark = 0): Uint8Array {
  return new Uint8Array(length).map((_, i) => (i * 7 + mark) & 255)
}
