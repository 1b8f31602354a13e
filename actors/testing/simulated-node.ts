/**
 * One node of a simulated world over all its boots.
 * Invariant: at most one boot lives; what an earlier one still had to say is not heard.
 */
import { BlazeError } from '../../runtime/index.ts'
import type { SimulatedVolume } from '../replica/index.ts'
import { NodeBoot } from './node-boot.ts'
import type { NodeMachine } from './node-boot.ts'
import type { NodeWorld } from './world.ts'

export type PowerLoss = 'power-cut' | 'exit' | 'start failed'

export interface SimulatedNodeEvents<N> {
  readonly start: (node: NodeWorld) => N | Promise<N>
  /** It runs. */
  readonly up: (name: string, value: N) => void
  /** It has no power any more, for the reason that is given. */
  readonly down: (name: string, reason: PowerLoss) => void
  /** A bug: `start` rejected with anything but a `BlazeError`. */
  readonly failed: (error: unknown) => void
}

export class SimulatedNode<N> {
  readonly name: string
  readonly volume: SimulatedVolume
  /** Why the last start failed. */
  startError: BlazeError | undefined
  boots = 0
  readonly #machine: NodeMachine
  readonly #events: SimulatedNodeEvents<N>
  #boot: NodeBoot | undefined

  constructor(machine: NodeMachine, events: SimulatedNodeEvents<N>) {
    this.name = machine.name
    this.volume = machine.volume
    this.#machine = machine
    this.#events = events
  }

  get powered(): boolean {
    return this.#boot !== undefined
  }

  powerOn(): void {
    if (this.#boot !== undefined) return
    this.boots += 1
    const boot = new NodeBoot(this.#machine, this.boots, () => this.#cut('exit', {}))
    this.#boot = boot
    const { start, up, failed } = this.#events
    const starting = async (): Promise<N> => start(boot.world)
    starting().then(
      (value) => {
        if (this.#boot !== boot) return
        this.startError = undefined
        up(this.name, value)
      },
      (error: unknown) => {
        if (this.#boot !== boot) return
        if (!(error instanceof BlazeError)) return failed(error)
        this.startError = error
        this.#cut('start failed', {})
      },
    )
  }

  powerCut(options: { readonly halfOpen?: boolean; readonly torn?: boolean }): void {
    this.#cut('power-cut', options)
  }

  /** Everything of the node ends at one moment: its code, its links, its disk. */
  #cut(
    reason: PowerLoss,
    { halfOpen = false, torn = false }: { readonly halfOpen?: boolean; readonly torn?: boolean },
  ): void {
    if (this.#boot === undefined) return
    this.#boot.end()
    this.#boot = undefined
    const { simulation, network } = this.#machine
    simulation.cut(this.name)
    network.crash(this.name, { halfOpen })
    this.volume.crash({ torn })
    this.#events.down(this.name, reason)
  }
}
