/**
 * Spaces of one team on simulated disks, and exchanges between them over streams that a spec can hold, cut and forge.
 * Invariant: nothing here waits for real time; what an exchange sends is kept as it left.
 */
import type { PartItem } from '../../../actors/replica/index.ts'
import { createSimulatedVolume } from '../../../actors/replica/index.ts'
import type { OrderedStore, SimulatedVolume } from '../../../actors/replica/index.ts'
import { Exchange } from '../../../actors/relay/exchange.ts'
import {
  encodeData,
  encodeHello,
  parseData,
  RELAY_DATA,
  RELAY_HELLO,
  RELAY_READY,
} from '../../../actors/relay/message.ts'
import type { RelayHello } from '../../../actors/relay/message.ts'
import { encodeItems, parseItems } from '../../../actors/replica/index.ts'
import { parseEnvelope } from '../../../actors/replica/envelope.ts'
import { openSpace } from '../../../actors/team/index.ts'
import type { Space } from '../../../actors/team/index.ts'
import { BlazeError, createSimulation, nodeCrypto } from '../../../runtime/index.ts'
import type { Env, Simulation } from '../../../runtime/index.ts'
import { draft, settle, tag, textOf } from '../replica/replica-world.ts'
import { addBody, announcement, create, device, entry, hashOf, replicaId, spaceId } from '../team/roster.ts'

const addPi = entry('owner', addBody('pi', 'relay'), [hashOf(create)])
const addA = entry('owner', addBody('a', 'writer'), [hashOf(addPi)])
const addB = entry('owner', addBody('b', 'writer'), [hashOf(addA)])
export const addReader: Uint8Array = entry('owner', addBody('reader', 'reader'), [hashOf(addB)])

/** Owner, supervisor `pi`, writers `a` and `b`, reader `reader`; all but `pi` are announced. */
export const log: readonly Uint8Array[] = [create, addPi, addA, addB, addReader]
const announcements: readonly Uint8Array[] = ['owner', 'a', 'b', 'reader'].map((name) => announcement(name))

export interface Message {
  readonly type: number
  readonly body: Uint8Array
}

export class ExchangeWorld {
  readonly simulation: Simulation
  constructor(seed = 1) {
    this.simulation = createSimulation(seed)
  }

  settle<T>(promise: Promise<T>): Promise<T> {
    return settle(this.simulation, promise)
  }

  /** Lets everything happen that is under way. */
  async rest(): Promise<void> {
    await this.simulation.pass(1_000)
  }

  /** The space at a device; `pi` is blind. `volume` opens one that exists. */
  async member(name: string, volume?: SimulatedVolume, team: readonly Uint8Array[] = log): Promise<Member> {
    const at = volume ?? createSimulatedVolume(this.simulation.env(`disk ${name}`))
    const env = this.simulation.env(name)
    const own = name === 'pi' ? {} : { own: { replicaId: replicaId(name), signer: device(name).signer } }
    const store = await at.openStore('store')
    const space = await this.settle(openSpace({ store, spaceId, env, crypto: nodeCrypto, ...own }))
    if (volume === undefined) await this.settle(space.learn({ entries: team, announcements }))
    return { name, space, store, volume: at, env }
  }

  async write(member: Member, number: number, text: string): Promise<void> {
    await this.settle(member.space.replica.write([draft(tag(number), text, [])]))
  }
}

export interface Member {
  readonly name: string
  readonly space: Space
  readonly store: OrderedStore
  readonly volume: SimulatedVolume
  readonly env: Env
}

export function shown(member: Member, number: number): string[] {
  return member.space.replica.committed(tag(number)).map(textOf).sort()
}

/** One end of a stream. */
export class Side {
  readonly exchange: Exchange
  readonly sent: Message[] = []
  /** Not yet delivered to the other end. */
  outbox: Message[] = []
  /** What `send` answers. */
  open = true
  creditBack = 0
  /** What becomes of a message on its way to the other end. */
  onTheWay: (message: Message) => Message = (message) => message
  ended: BlazeError | undefined
  /** Whether it was caught up when it last told that something moved. */
  caughtUpTold = false
  /** What a frame or a result threw. */
  broken: unknown
  readonly #env: Env
  #other: Side | undefined

  constructor(member: Member, peer: string) {
    this.#env = member.env
    this.exchange = new Exchange({
      space: member.space,
      peer: device(peer).keys.signKey,
      env: member.env,
      crypto: nodeCrypto,
      ...(member.name === 'pi' ? {} : { ownReplica: replicaId(member.name) }),
      port: {
        send: (type, body) => {
          const message = { type, body: body.slice() }
          this.sent.push(message)
          this.outbox.push(message)
          this.#carry()
          return this.open
        },
        consumed: (bytes) => {
          this.creditBack += bytes
        },
        run: (work, done, failed) => {
          work().then(
            (value) => this.turn(() => done(value)),
            (error: unknown) => this.turn(() => failed(error)),
          )
        },
        rank: () => {},
        after: (ms, work) => this.#env.after(ms, () => this.turn(work)),
        negotiated: () => {},
        progressed: () => {
          this.caughtUpTold = this.exchange.caughtUp
        },
        ended: (error) => {
          this.ended = error
        },
      },
    })
  }

  /** Messages reach the other end from now on, those that waited first. */
  join(other: Side): void {
    this.#other = other
    this.#carry()
  }

  /** Messages wait from now on. */
  part(): void {
    this.#other = undefined
  }

  turn(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.broken ??= error
      this.exchange.end()
    }
  }

  frame(type: number, body: Uint8Array = new Uint8Array(0)): void {
    this.turn(() => this.exchange.frame(type, body))
  }

  /** `PROTOCOL_VIOLATION` and the like of what the peer sent last. */
  get violation(): string | undefined {
    return this.broken instanceof BlazeError ? this.broken.code : undefined
  }

  count(type: number): number {
    return this.sent.filter((message) => message.type === type).length
  }

  /** Texts of the envelopes that were sent. */
  get envelopes(): number {
    return this.sent
      .filter(({ type }) => type === RELAY_DATA)
      .flatMap(({ body }) => parseItems(parseData(body).items))
      .filter(({ kind }) => kind === 'envelope').length
  }

  #carry(): void {
    this.#env.defer(() => {
      const other = this.#other
      if (other === undefined) return
      for (const message of this.outbox.splice(0)) {
        const { type, body } = this.onTheWay(message)
        if (other.broken === undefined) other.frame(type, body)
      }
    })
  }
}

/** Two members talk until nothing is left to say. */
export function connect(first: Member, second: Member): [Side, Side] {
  const sides: [Side, Side] = [new Side(first, second.name), new Side(second, first.name)]
  sides[0].join(sides[1])
  sides[1].join(sides[0])
  for (const side of sides) side.exchange.start()
  return sides
}

/** A link that loses envelopes of some tags, which no link can: a fault of the software that sends or takes parts. */
export function losing(isLost: (tag: Uint8Array) => boolean): (message: Message) => Message {
  return (message) => {
    if (message.type !== RELAY_DATA) return message
    const { items, ...head } = parseData(message.body)
    const kept = parseItems(items).filter(
      (item) => item.kind !== 'envelope' || !isLost(parseEnvelope(item.bytes, nodeCrypto).tag),
    )
    return { type: RELAY_DATA, body: encodeData({ ...head, items: encodeItems(kept) }) }
  }
}

/** The hello of a peer that nobody knows yet. */
export function strangeHello(): RelayHello {
  return {
    incarnation: new Uint8Array(16).fill(9),
    lastArrival: 0,
    cursor: undefined,
    vectorDigest: new Uint8Array(32),
    teamDigest: new Uint8Array(32),
    clockMs: 0,
  }
}

/** A side whose peer is the spec itself, past hello and ready. */
export async function forged(world: ExchangeWorld, member: Member, peer: string): Promise<Side> {
  const side = new Side(member, peer)
  side.exchange.start()
  side.frame(RELAY_HELLO, encodeHello(strangeHello()))
  side.frame(RELAY_READY)
  await world.rest()
  return side
}

/** A data message: the whole of a round of one part unless `over` says otherwise. */
export function data(
  items: readonly PartItem[],
  over: Partial<Parameters<typeof encodeData>[0]> = {},
): Uint8Array {
  const head = { round: 1, part: 1, partEnd: true, roundEnd: true, upTo: 1 }
  return encodeData({ ...head, items: encodeItems(items), ...over })
}
