/**
 * A guest on a simulated device, and a host that is nothing but a listener: what it says is decided by the spec, word by word.
 * Invariant: group, keys and disk outlive every boot of the guest; a power cut loses what the guest's disk had not synced.
 */
import { createSimulatedVolume } from '../../../../actors/replica/index.ts'
import type { SimulatedVolume, Volume } from '../../../../actors/replica/index.ts'
import { queryOf } from '../../../../actors/database/index.ts'
import type { Doc, LiveDelta, OpenLiveQuery, Reply } from '../../../../actors/database/index.ts'
import type { RecordRequest } from '../../../../actors/database/index.ts'
import { openAppGroup } from '../../../../actors/topology/group/index.ts'
import type { AppGroup } from '../../../../actors/topology/group/index.ts'
import { openGuest } from '../../../../actors/topology/guest/index.ts'
import type { GuestDatabase, GuestOptions } from '../../../../actors/topology/guest/index.ts'
import { BlazeError, createSimulation, createSystem, nodeCrypto } from '../../../../runtime/index.ts'
import type { Env, Log, Simulation, Value } from '../../../../runtime/index.ts'
import { createMemoryNetwork } from '../../../../transports/index.ts'
import type { MemoryNetwork } from '../../../../transports/index.ts'
import { settle } from '../../../fixtures/settle.ts'
import { BareHost } from './bare-host.ts'
import { DATABASE } from './mirror-record.ts'

const GROUP = { id: 'tracker', directory: '/groups/tracker' } as const

export class GuestWorld {
  readonly simulation: Simulation
  readonly network: MemoryNetwork
  readonly host: BareHost
  /** Names of the warnings that guests logged. */
  readonly warnings: string[] = []
  /** Of disks that are used for the first time from now on. */
  diskMsMax = 2
  readonly #disk: Env
  readonly #volumes = new Map<string, SimulatedVolume>()
  #env: Env

  private constructor(seed: number) {
    this.simulation = createSimulation(seed)
    this.network = createMemoryNetwork(this.simulation.env('network'), { latencyMs: 1 })
    this.#disk = this.simulation.env('disk')
    this.#env = this.#boot()
    const env = this.simulation.env('host')
    this.host = new BareHost({
      env,
      transport: this.network.transport('host'),
      group: () => this.settle(this.group(env)),
      app: (group) => this.settle(group.app('tracker')),
    })
  }

  static async create(seed = 1): Promise<GuestWorld> {
    const world = new GuestWorld(seed)
    await world.host.listen()
    return world
  }

  volume(at: string): SimulatedVolume {
    const known = this.#volumes.get(at) ?? createSimulatedVolume(this.#disk, { latencyMsMax: this.diskMsMax })
    this.#volumes.set(at, known)
    return known
  }

  /** Directories of copies that were ever looked at. */
  get copies(): readonly string[] {
    return [...this.#volumes.keys()].filter((at) => at.includes('/guests/'))
  }

  /** The disk of a guest's copy. */
  copy(slot = 0): SimulatedVolume {
    const at = this.copies.find((path) => path.endsWith(`/${slot}`))
    if (at === undefined) throw new Error('no guest was ever opened')
    return this.volume(at)
  }

  group(env: Env): Promise<AppGroup> {
    return openAppGroup({ env, crypto: nodeCrypto, volume: (at) => this.volume(at) }, GROUP)
  }

  /** In the present boot of the app. */
  async guest(
    over: Partial<GuestOptions> = {},
    disk: (volume: SimulatedVolume) => Volume = (volume) => volume,
  ): Promise<GuestDatabase> {
    const env = this.#env
    const group = over.group ?? (await this.settle(this.group(env)))
    const app = over.app ?? (await this.settle(group.app('dashboard')))
    return this.settle(
      openGuest({
        world: {
          system: createSystem({ env }),
          env,
          crypto: nodeCrypto,
          local: this.network.transport('app'),
          volume: (at) => disk(this.volume(at)),
        },
        group,
        app,
        database: DATABASE,
        mode: 'readWrite',
        pid: 7,
        ...over,
      }),
    )
  }

  /** The app and the disk of its copies lose their power; the next guest runs in another boot. */
  powerCut(): void {
    for (const [at, volume] of this.#volumes) if (at.includes('/guests/')) volume.crash()
    this.simulation.cut('app')
    this.network.crash('app')
    this.#env = this.#boot()
  }

  /** Lets virtual time pass until `work` settles. */
  settle<T>(work: Promise<T>): Promise<T> {
    return settle(this.simulation, work)
  }

  async until(holds: () => boolean): Promise<void> {
    if (!(await this.simulation.run(holds, { virtualMs: 120_000 }))) {
      throw new Error(`it did not come about, seed ${this.simulation.seed}`)
    }
  }

  /** Lets everything on its way arrive. */
  quiet(): Promise<void> {
    return this.simulation.pass(50)
  }

  /** The code of the `BlazeError` that `work` rejects with, or `ok`. */
  async code(work: Promise<unknown>): Promise<string> {
    try {
      await this.settle(work)
      return 'ok'
    } catch (error) {
      if (error instanceof BlazeError) return error.code
      throw error
    }
  }

  async state(guest: GuestDatabase, state: string): Promise<void> {
    await this.until(() => guest.report().state === state)
  }

  #boot(): Env {
    const warn = (event: string): void => void this.warnings.push(event)
    const log: Log = { debug() {}, info() {}, warn, error: warn }
    return { ...this.simulation.env('app'), log }
  }
}

export function ask<R>(guest: GuestDatabase, make: (reply: Reply<R>) => RecordRequest): Promise<R> {
  return guest.request(make)
}

export function all(guest: GuestDatabase, collection = 'bugs'): Promise<Doc[]> {
  const query = queryOf(collection)
  return ask<Doc[]>(guest, (reply) => ({ type: 'query.all', query, reply }))
}

export function get(guest: GuestDatabase, id: string, collection = 'bugs'): Promise<Doc | undefined> {
  return ask(guest, (reply) => ({ type: 'record.get', collection, id, reply }))
}

export function insert(
  guest: GuestDatabase,
  id: string,
  fields: { readonly [name: string]: Value } = {},
  collection = 'bugs',
): Promise<void> {
  const inputs = [{ id, values: new Map(Object.entries(fields)) }]
  return ask(guest, (reply) => ({ type: 'record.write', step: 'insert', collection, inputs, reply }))
}

/** Ids in order. */
export async function ids(world: GuestWorld, guest: GuestDatabase, collection = 'bugs'): Promise<string[]> {
  const docs = await world.settle(all(guest, collection))
  return docs.map(({ id }) => id).sort()
}

/** Follows a collection; what it was told, delta by delta, and how it ended. */
export async function follow(
  world: GuestWorld,
  guest: GuestDatabase,
  collection = 'bugs',
): Promise<{ readonly deltas: LiveDelta[]; readonly ends: unknown[] }> {
  const deltas: LiveDelta[] = []
  const ends: unknown[] = []
  const query = queryOf(collection)
  let open: OpenLiveQuery | undefined
  const take = (): void => {
    for (let delta = open?.take(); delta !== undefined; delta = open?.take()) deltas.push(delta)
  }
  const sink = { ready: take, ended: (error: unknown): void => void ends.push(error) }
  open = await world.settle(
    ask<OpenLiveQuery>(guest, (reply) => ({ type: 'query.live', query, sink, reply })),
  )
  take()
  return { deltas, ends }
}
