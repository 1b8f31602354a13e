/**
 * Lets the faults of a swarm happen to a world, and takes them all back.
 * Invariant: a kind that the swarm does not have never happens; after `calm` none is in force.
 */
import type { Simulation } from '../../runtime/index.ts'
import type { MemoryNetwork } from '../../transports/index.ts'
import type { SimulatedVolume } from '../replica/index.ts'
import type { FaultKind, Swarm } from './swarm.ts'

/** A node, as a storm sees it. */
export interface StormNode {
  readonly name: string
  readonly powered: boolean
  readonly volume: SimulatedVolume
  powerOn(): void
  powerCut(options: { readonly halfOpen?: boolean; readonly torn?: boolean }): void
}

/** Where a storm takes place. */
export interface StormPlace {
  readonly simulation: Simulation
  readonly network: MemoryNetwork
  readonly nodes: readonly StormNode[]
  /** Longest jump of a wall clock; default a day. */
  readonly clockJumpMsMax?: number | undefined
  /** What happened, in words. */
  readonly told: (event: string) => void
}

/** Links and disks as they are without faults. */
const calmNetwork = { latencyMs: 1 } as const
const calmDiskMs = 2

/** Share of the steps at which a kind of full strength happens. */
const eventShare = 0.1
/** Share of the steps at which a partition heals, a disk gets room again, a node its power. */
const reliefShare = 0.2
/** At full strength. */
const strongest = {
  latencyMs: 100,
  jitterMs: 400,
  /** Share of the records. */
  share: 0.3,
  diskMs: 400,
  driftPartsPerMillion: 100_000,
}
/** A day either way. */
const jumpMsDefault = 86_400_000
/** Bytes per second of a strong and of a weak bandwidth, as powers of ten. */
const bandwidthPowers = { strong: 4, weak: 6 }

export class FaultStorm {
  /** How often each kind happened; kinds that are in force all the time are not counted. */
  readonly counts: Partial<Record<FaultKind, number>> = {}
  readonly #place: StormPlace
  readonly #swarm: Swarm
  readonly #random: () => number
  #partitions: (readonly [string, string])[] = []
  readonly #full = new Set<StormNode>()

  constructor(place: StormPlace, swarm: Swarm, random: () => number) {
    this.#place = place
    this.#swarm = swarm
    this.#random = random
  }

  /** What is in force from the first step to the last. */
  begin(): void {
    const { network, nodes, simulation } = this.#place
    const { delay = 0, loss = 0, duplicate = 0, reorder = 0, bandwidth } = this.#swarm
    const { weak, strong } = bandwidthPowers
    network.setFaults({
      latencyMs: calmNetwork.latencyMs + strongest.latencyMs * delay,
      jitterMs: strongest.jitterMs * delay,
      loss: strongest.share * loss,
      duplicate: strongest.share * duplicate,
      reorder: strongest.share * reorder,
      ...(bandwidth === undefined ? {} : { bytesPerSecond: 10 ** (weak - (weak - strong) * bandwidth) }),
    })
    for (const { name, volume } of nodes) {
      volume.setLatency(calmDiskMs + strongest.diskMs * (this.#swarm['slow-disk'] ?? 0))
      const drift = (this.#random() * 2 - 1) * (this.#swarm['clock-drift'] ?? 0)
      if (drift !== 0) simulation.drift(name, Math.round(drift * strongest.driftPartsPerMillion))
    }
  }

  /** One step: some relief, some new faults. */
  step(): void {
    this.#relieve()
    const node = this.#pick(this.#place.nodes)
    const other = this.#pick(this.#place.nodes.filter(({ name }) => name !== node?.name))
    if (node === undefined) return
    this.#disturbNetwork(node.name, other?.name)
    this.#disturbNode(node)
    this.#disturbDisk(node)
  }

  /** Everything is as if there had been no faults, but wall clocks stay where they jumped to. Nodes without power stay so. */
  calm(): void {
    const { network, nodes, simulation } = this.#place
    network.setFaults(calmNetwork)
    network.heal()
    this.#partitions = []
    this.#full.clear()
    for (const { name, volume } of nodes) {
      volume.setFull(false)
      volume.failNextBatch(false)
      volume.setLatency(calmDiskMs)
      simulation.drift(name, 0)
    }
    this.#place.told('healed')
  }

  #relieve(): void {
    const { network, nodes, told } = this.#place
    this.#partitions = this.#partitions.filter(([from, to]) => {
      if (!this.#flip(reliefShare)) return true
      network.heal(from, to)
      told(`partition of ${from} and ${to} healed`)
      return false
    })
    for (const node of this.#full) {
      if (!this.#flip(reliefShare)) continue
      this.#full.delete(node)
      node.volume.setFull(false)
      told(`disk of ${node.name} has room`)
    }
    for (const node of nodes) {
      if (node.powered || !this.#flip(reliefShare)) continue
      told(`power on ${node.name}`)
      node.powerOn()
    }
  }

  #disturbNetwork(node: string, other: string | undefined): void {
    const { network } = this.#place
    if (other !== undefined && this.#happens('partition', `${node} and ${other}`)) {
      network.partition(node, other)
      this.#partitions.push([node, other])
    }
    if (other !== undefined && this.#happens('one-way', `${node} to ${other}`)) {
      network.block(node, other)
      this.#partitions.push([node, other])
    }
    if (this.#happens('cut', node)) network.cut(node)
    if (this.#happens('half-open', node)) network.cut(node, { halfOpen: true })
  }

  #disturbNode(node: StormNode): void {
    const { simulation, clockJumpMsMax = jumpMsDefault } = this.#place
    // A torn batch is a power cut too.
    const torn = node.powered && this.#happens('torn-batch', node.name)
    if (node.powered && (torn || this.#happens('power-cut', node.name)))
      node.powerCut({ torn, halfOpen: this.#swarm['half-open'] !== undefined && this.#flip(0.5) })
    const ms = (this.#random() * 2 - 1) ** 5 * clockJumpMsMax * (this.#swarm['clock-jump'] ?? 0)
    if (this.#happens('clock-jump', `${node.name} by ${Math.round(ms)} ms`))
      simulation.jump(node.name, Math.round(ms))
  }

  #disturbDisk(node: StormNode): void {
    const { name, volume } = node
    if (this.#happens('failing-disk', name)) volume.failNextBatch()
    if (this.#happens('full-disk', name)) {
      volume.setFull(true)
      this.#full.add(node)
    }
    if (this.#happens('lost-row', name)) volume.damageRow('lost')
    if (this.#happens('flipped-bit', name)) volume.damageRow('flipped')
  }

  #happens(kind: FaultKind, where: string): boolean {
    const strength = this.#swarm[kind]
    if (strength === undefined || !this.#flip(strength * eventShare)) return false
    this.counts[kind] = (this.counts[kind] ?? 0) + 1
    this.#place.told(`${kind} ${where}`)
    return true
  }

  #flip(share: number): boolean {
    return this.#random() < share
  }

  #pick<T>(items: readonly T[]): T | undefined {
    return items[Math.floor(this.#random() * items.length)]
  }
}
