/**
 * A simulated world of one supervisor and some devices: virtual time, seeded chance, a faulty network, disks that lose their power.
 * Real crypto, real actors; nothing here opens a socket or a file.
 */
import { joinIn, openIn, RemoteNode, type BlazeDBClient, type World } from '../../actors/index.ts'
import { createSimulatedFiles, createSimulatedVolume } from '../../actors/replica/index.ts'
import type { SimulatedFiles, SimulatedVolume } from '../../actors/replica/index.ts'
import { createSimulation, createSystem, nodeCrypto, type Simulation } from '../../runtime/index.ts'
import { startSupervisor, type Supervisor, type SupervisorOptions } from '../../server/supervisor.ts'
import {
  createMemoryNetwork,
  type MemoryNetwork,
  type NetworkFaults,
  type Transport,
} from '../../transports/index.ts'

const PI = { transport: 'memory', host: 'pi', port: 8080 } as const

/** As `SupervisorOptions` have them. */
export type SupervisorLimits = Pick<SupervisorOptions, 'quotaBytes' | 'rateBytes'>

export class SimulatedWorld {
  readonly simulation: Simulation
  readonly network: MemoryNetwork
  /** Backups and exports; every node sees them. */
  readonly files: SimulatedFiles = createSimulatedFiles()
  readonly #volumes = new Map<string, SimulatedVolume>()
  supervisor: Supervisor | undefined
  /** Bytes of all records that devices sent and received. */
  bytes = 0
  /** The first enrolment code, claimed or not. */
  firstCode = ''

  constructor(seed: number, faults: NetworkFaults = { latencyMs: 1, jitterMs: 3 }) {
    this.simulation = createSimulation(seed)
    this.network = createMemoryNetwork(this.simulation.env('network'), faults)
  }

  /** Links that delay, lose, repeat and reorder, each as much as the seed says. */
  disturb(): void {
    const chance = (): number => this.simulation.random()
    this.network.setFaults({
      latencyMs: 1,
      jitterMs: 20,
      loss: 0.01 * chance(),
      duplicate: 0.005,
      reorder: 0.01 * chance(),
    })
  }

  volume(node: string): SimulatedVolume {
    const volume = this.#volumes.get(node) ?? createSimulatedVolume(this.simulation.env(`disk-${node}`))
    this.#volumes.set(node, volume)
    return volume
  }

  /** `quotaBytes`: of live records, for each database; `rateBytes`: of records a second, from each device. */
  async startSupervisor({ quotaBytes, rateBytes }: SupervisorLimits = {}): Promise<Supervisor> {
    this.supervisor = await this.settle(
      startSupervisor({
        world: {
          env: this.simulation.env('pi'),
          crypto: nodeCrypto,
          volume: this.volume('pi'),
          transport: this.network.transport('pi'),
        },
        listen: PI,
        quotaBytes,
        rateBytes,
      }),
    )
    this.firstCode ||= this.supervisor.enrolment() ?? ''
    return this.supervisor
  }

  /** A valid P-256 public key that belongs to nobody here. */
  foreignKey(): Uint8Array {
    return nodeCrypto.createP256(new Uint8Array(32).fill(5)).publicKey
  }

  /** Power cut of the supervisor. */
  crashSupervisor(): void {
    this.#crash('pi')
    this.supervisor = undefined
  }

  crash(node: string): void {
    this.#crash(node)
  }

  /** Everything that a node had on its disk is gone. Nothing may have it open. */
  wipe(node: string): void {
    this.#volumes.delete(node)
  }

  world(node: string): World {
    const env = this.simulation.env(node)
    return {
      env,
      system: createSystem({ env, name: node }),
      crypto: nodeCrypto,
      transport: this.#counted(this.network.transport(node)),
      local: this.network.transport(node),
      pid: 1,
      isRunning: (pid) => pid === 1,
      groupDirectory: (name) => `/groups/${name}`,
      volume: () => this.volume(node),
      files: this.files,
    }
  }

  open(node: string, options: { sync?: boolean } = {}): Promise<BlazeDBClient> {
    return this.settle(openIn(this.world(node), { name: node, at: node, key: KEY, ...options }))
  }

  join(node: string, invite: string): Promise<BlazeDBClient> {
    return this.settle(joinIn(this.world(node), { name: node, at: node, key: KEY, invite }))
  }

  remote(): RemoteNode {
    const code = this.supervisor?.enrolment()
    if (code === undefined) throw new Error('the supervisor has no open enrolment code')
    return RemoteNode.parse(code)
  }

  /** Turns the clock until the work is done. Throws its error, or one of its own after `virtualMs`. */
  async settle<T>(work: Promise<T>, virtualMs = 120_000): Promise<T> {
    let state: { value: T } | { error: unknown } | undefined
    work.then(
      (value) => {
        state = { value }
      },
      (error: unknown) => {
        state = { error }
      },
    )
    await this.simulation.run(() => state !== undefined, { virtualMs })
    if (state === undefined)
      throw new Error(`seed ${this.simulation.seed}: nothing happened within ${virtualMs} virtual ms`)
    const ended = state as { value: T } | { error: unknown }
    if ('error' in ended) throw ended.error
    return ended.value
  }

  #counted(transport: Transport): Transport {
    return {
      ...transport,
      dial: async (endpoint, options) => {
        const link = await transport.dial(endpoint, options)
        const send = link.send.bind(link)
        const attach = link.attach.bind(link)
        link.send = (record) => {
          this.bytes += record.length
          return send(record)
        }
        link.attach = (handlers) => {
          attach({
            ...handlers,
            record: (record) => {
              this.bytes += record.length
              handlers.record(record)
            },
            drain: () => handlers.drain(),
            closed: (error) => handlers.closed(error),
          })
        }
        return link
      },
    }
  }

  #crash(node: string): void {
    this.simulation.cut(node)
    this.network.crash(node)
    this.volume(node).crash()
  }
}

const KEY = new Uint8Array(32).fill(7)
