/** A database of a simulated device that is shared with guests who speak the wire themselves, and may say what no honest one says. */
import { openDatabase, parseDoc } from '../../../../actors/database/index.ts'
import type { Database, Doc, DocInput, RecordState, WriteStep } from '../../../../actors/database/index.ts'
import { createSimulatedVolume } from '../../../../actors/replica/index.ts'
import type { SimulatedVolume } from '../../../../actors/replica/index.ts'
import { openAppGroup } from '../../../../actors/topology/group/index.ts'
import type { AppGroup } from '../../../../actors/topology/group/index.ts'
import { startShare } from '../../../../actors/topology/host/index.ts'
import type { Grants, GuestStatus, Share, ShareOptions } from '../../../../actors/topology/host/index.ts'
import { ExportPolicy } from '../../../../actors/topology/policy/index.ts'
import { BlazeError, createSimulation, createSystem, nodeCrypto } from '../../../../runtime/index.ts'
import type { CryptoProvider, Simulation, System } from '../../../../runtime/index.ts'
import { createMemoryNetwork } from '../../../../transports/index.ts'
import type { MemoryNetwork, Transport } from '../../../../transports/index.ts'
import { settle } from '../../../fixtures/settle.ts'
import { BareGuest } from './bare-guest.ts'
import type { BareGuestOptions } from './bare-guest.ts'

/** Pid of a process that was killed. */
export const GONE: number = 666
export const everything: ExportPolicy = new ExportPolicy({ collections: ['bugs', 'notes'] })
/** Hides fields and rows. */
export const limited: ExportPolicy = new ExportPolicy({
  collections: ['bugs'],
  fields: { exclude: ['secret'] },
  filter: { bugs: { field: 'open', op: '=', value: true } },
})

export interface HostWorldOptions {
  readonly seed?: number
  readonly policy?: ExportPolicy
  readonly grants?: Grants
  /** Instead of a database of its own. */
  readonly database?: Database
  readonly simulation?: Simulation
  readonly volume?: SimulatedVolume
  /** What the share listens with. */
  readonly wrapLocal?: (local: Transport) => Transport
}

export class HostWorld {
  readonly simulation: Simulation
  readonly network: MemoryNetwork
  readonly system: System
  readonly database: Database
  readonly volume: SimulatedVolume
  readonly group: AppGroup
  readonly share: Share
  readonly options: ShareOptions
  #guests = 0

  constructor(
    parts: Pick<HostWorld, 'simulation' | 'network' | 'database' | 'volume' | 'group' | 'options'>,
  ) {
    this.simulation = parts.simulation
    this.network = parts.network
    this.database = parts.database
    this.volume = parts.volume
    this.group = parts.group
    this.options = parts.options
    this.system = parts.options.world.system
    this.share = startShare(parts.options)
  }

  settle<T>(work: Promise<T>): Promise<T> {
    return settle(this.simulation, work)
  }

  /** The code that it rejects with, or `ok`. */
  async code(work: Promise<unknown>): Promise<string> {
    try {
      await this.settle(work)
      return 'ok'
    } catch (error) {
      if (error instanceof BlazeError) return error.code
      throw error
    }
  }

  /** Lets so much time pass. */
  pass(ms = 200): Promise<void> {
    return this.simulation.pass(ms)
  }

  /** Lets time pass until it holds. */
  async until(holds: () => boolean, what: string): Promise<void> {
    const held = await this.simulation.run(holds, { virtualMs: 120_000 })
    if (!held) throw new Error(`never came: ${what}; seed ${this.simulation.seed}`)
  }

  /** By the host itself. */
  write(step: WriteStep, collection: string, docs: Readonly<Record<string, DocInput>>): Promise<string> {
    const inputs = Object.entries(docs).map(([id, doc]) => ({ id, values: parseDoc(doc).values }))
    return this.code(
      this.database.request<void>((reply) => ({ type: 'record.write', step, collection, inputs, reply })),
    )
  }

  delete(collection: string, id: string): Promise<string> {
    return this.code(
      this.database.request<boolean>((reply) => ({ type: 'record.delete', collection, id, reply })),
    )
  }

  get(collection: string, id: string): Promise<Doc | undefined> {
    return this.settle(
      this.database.request<Doc | undefined>((reply) => ({ type: 'record.get', collection, id, reply })),
    )
  }

  /** The disk fails under a write, and the database opens its store again: another incarnation. */
  async reopen(): Promise<void> {
    const { space } = this.database
    this.volume.failNextBatch()
    const code = await this.write('put', 'lost', { lost: {} })
    if (code !== 'POISONED') throw new Error(`the write ended with ${code}`)
    const open = (): boolean => this.database.space !== undefined && this.database.space !== space
    await this.until(open, 'the database again')
  }

  /** As `connect`, but lets no time pass by itself. */
  async dial(options: Partial<BareGuestOptions> = {}): Promise<BareGuest> {
    this.#guests += 1
    const node = `guest ${this.#guests}`
    const guest = new BareGuest({
      env: this.simulation.env(node),
      transport: this.network.transport(node),
      group: this.group,
      database: this.database.name,
      app: options.app ?? (await this.group.app('dash')),
      ...options,
    })
    await guest.connect()
    return guest
  }

  /** A guest with a secure channel, and no mirror yet. */
  connect(options: Partial<BareGuestOptions> = {}): Promise<BareGuest> {
    return this.settle(this.dial(options))
  }

  /** A guest that has everything. */
  async attach(options: Partial<BareGuestOptions> = {}): Promise<BareGuest> {
    const guest = await this.connect(options)
    guest.attach()
    await this.until(() => guest.caughtUp, 'a guest that has everything')
    return guest
  }

  guests(): readonly GuestStatus[] {
    return this.share.status().guests
  }
}

/** Shares; the share is not waited for. */
export async function createHostWorld(o: HostWorldOptions = {}): Promise<HostWorld> {
  const simulation = o.simulation ?? createSimulation(o.seed ?? 1)
  const crypto: CryptoProvider = nodeCrypto
  const disk = simulation.env('disk')
  const volume = o.volume ?? createSimulatedVolume(disk)
  const groups = createSimulatedVolume(disk)
  const env = o.database?.env ?? simulation.env('host')
  const system = createSystem({ env })
  const database =
    o.database ??
    (await settle(
      simulation,
      openDatabase(
        { system, env, crypto },
        { name: 'tracker', volume, secret: { key: new Uint8Array(32).fill(9) } },
      ),
    ))
  const network = createMemoryNetwork(simulation.env('network'))
  const group = await settle(
    simulation,
    openAppGroup({ volume: () => groups, env, crypto }, { id: 'suite', directory: '/groups/suite' }),
  )
  const app = await settle(simulation, group.app('tracker'))
  const wrap = o.wrapLocal ?? ((transport: Transport): Transport => transport)
  const local = wrap(network.transport('host'))
  const world = { system, env, crypto, local, pid: 7, isRunning: (pid: number) => pid !== GONE }
  const options = { database, world, group, app, policy: o.policy ?? everything, grants: o.grants }
  return new HostWorld({ simulation, network, database, volume, group, options })
}

/** Shares, and listens. */
export async function sharing(o: HostWorldOptions = {}): Promise<HostWorld> {
  const world = await createHostWorld(o)
  await world.settle(world.share.started)
  return world
}

export function fieldsOf(state: RecordState | undefined): Record<string, unknown> | undefined {
  if (state === undefined) return undefined
  return Object.fromEntries([...state.fields].map(([name, { value }]) => [name, value]))
}
